import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
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
  const documented = [...page.matchAll(/^\| `([\w.]*\w)` \| \S+ \| /gm)].map(([, name]) => name)
  const [, source] = /^export const lonelyps = ([^]*)/m.exec(read('src/config/lonelyps.ts'))!
  const known = [...source!.matchAll(/(?:setting|optional)\('(\w+)'/g)].map(([, name]) => name)
  const short = documented.map((name) => name!.replace('webhooks.', ''))
  assert.deepEqual(short.toSorted(byText), known.toSorted(byText))
})

function byText(a: string | undefined, b: string | undefined): number {
  return a! < b! ? -1 : 1
}
