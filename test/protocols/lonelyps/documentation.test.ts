import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { LONELYPS_SECTION } from '../../../src/protocols/lonelyps/settings.ts'
import type { Fields } from '../../../src/settings/section.ts'
import { startServer } from '../../running-server.ts'
import { ask, countOf, notifyBody, Receiver, subscribeBody } from './receiver.ts'

const read = (name: string) => readFileSync(new URL(`../../../${name}`, import.meta.url), 'utf8')

/** On a free port. */
const somewhere = (config: string) =>
  config.replace(/^server:$/m, 'server:\n  bind: 127.0.0.1\n  port: 0')

test('the configuration of the page serves a receiver on this machine, from a stored backlog', async () => {
  const [, config] = /```yaml\n([^`]*)```/.exec(read('docs/protocols/lonelyps.md'))!
  await using server = await startServer({ config: somewhere(config!) })
  await using receiver = await Receiver.start()
  const body = subscribeBody(receiver.url, 'fruits/apples')
  assert.equal((await ask(server.url, '/v1/subscribe/exact', body)).status, 200)
  const answer = await ask(server.url, '/v1/notify', notifyBody('fruits/apples', 'ripe'))
  assert.equal(countOf(answer.body), 1)
  assert.deepEqual(receiver.messages, ['ripe'])
})

test('the line of the README switches the door on in the shipped configuration', async () => {
  const [, line] = /\| `(protocols: \{lonelyps: \{\}\})` in pubsub\.yaml \|/.exec(
    read('README.md'),
  )!
  const shipped = read('pubsub.yaml').replace(/^( *)(?:bind|port):.*\n/gm, '')
  await using server = await startServer({ config: `${somewhere(shipped)}\n${line}\n`, acl: '' })
  const answer = await ask(server.url, '/v1/notify', notifyBody('fruits/apples', 'ripe'))
  assert.equal(answer.status, 200)
})

test('the page has every setting with its default, and no other', async () => {
  const page = read('docs/protocols/lonelyps.md')
  const documented = [...page.matchAll(/^\| `([\w.]*\w)` \| (\S+) \| /gm)].map(
    ([, name, fallback]) => `${name}: ${fallback}`,
  )
  assert.deepEqual(documented, defaultsOf(LONELYPS_SECTION.fields!, ''))
})

function defaultsOf(fields: Fields, prefix: string): string[] {
  return Object.values(fields).flatMap(({ key, described, fields: below }) =>
    below === undefined
      ? [`${prefix}${key}: ${described?.shown ?? 'none'}`]
      : defaultsOf(below, `${prefix}${key}.`),
  )
}
