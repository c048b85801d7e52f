import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ClientProcess } from './client-process.ts'
import { PYTHON, missing } from '../programs.ts'
import { newTopic, publish, sharedPubsub } from './pubsub-server.ts'

const SCRIPT = fileURLToPath(new URL('websockets_listen.py', import.meta.url))

/** Everything it printed, until its WebSocket was closed. */
async function listen(url: string, options: object) {
  await using listener = new ClientProcess(PYTHON, [SCRIPT, url, JSON.stringify(options)], {})
  const { code, lines, errors } = await listener.ended()
  assert.equal(code, 0, errors)
  const told = lines.map((line) => JSON.parse(line))
  return { close: told.at(-1), numbers: told.filter((each) => 'n' in each).map(({ n }) => n) }
}

describe("Python's websockets", { skip: missing('websockets') }, () => {
  const server = sharedPubsub()

  for (const scheme of ['ws', 'wss'] as const)
    test(`reads by ${scheme}, and its close is clean`, async () => {
      const topic = newTopic()
      for (const n of [1, 2]) await publish(server(), `/${topic}`, { n })
      const base = scheme === 'ws' ? server().url : server().tlsUrl
      const url = `${base.replace('http', 'ws')}/${topic}?since=all&count=2`
      const options = scheme === 'ws' ? {} : { ca: server().certificate }
      const { close, numbers } = await listen(url, options)
      assert.deepEqual(numbers, [1, 2])
      assert.deepEqual(close, { code: 1000, reason: 'finished' })
    })

  test('is told how to publish instead', async () => {
    const { close } = await listen(`${server().url.replace('http', 'ws')}/a`, { say: '{"n": 1}' })
    assert.equal(close.code, 1003)
    assert.match(close.reason, /PUT or POST/)
  })
})
