import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { DEADLINE_MS } from '../deadline.ts'
import { startInProcess } from '../in-process-server.ts'
import { Client, isReady, sent } from './jetblack/client.ts'
import { write } from './jetblack/wire.ts'
import { SocketClient } from './lonelyps/socket-client.ts'

const CONFIG = `
server: {bind: 127.0.0.1, port: 0, backlog: {size: 1000}}
clients: {payloaders: [127.0.0.1]}
protocols: {lonelyps: {}, jetblack: {ports: {0: is-image}}}
`

/** What is published where, and what HTTP shows of it. */
const MESSAGES: readonly (readonly [
  from: 'http' | 'lonelyps' | 'jetblack',
  text: string,
  shown: string,
])[] = [
  ['http', '{"n": 1.50}', '{"n":1.5}'],
  ['lonelyps', '{"from": "lonelyps"}', '{"from":"lonelyps"}'],
  ['lonelyps', 'plain text', '{"data":"plain text"}'],
  ['jetblack', '{"from": "jetblack"}', '{"from":"jetblack"}'],
  ['jetblack', 'plain téxt', '{"data":"plain téxt"}'],
  ['jetblack', '\0\x01', '{"data":"\\u0000\\u0001"}'],
]

test('what is published at one door is heard at every other, as it was published where that can be said', async () => {
  await using server = await startInProcess({ config: CONFIG })
  using lonelyps = await SocketClient.configured(server.url)
  await lonelyps.subscribe('a/b')
  using jetblack = new Client(server)
  jetblack.socket.write(write.subscription('a', 'c'))
  await isReady(server, jetblack, '/a/c')
  jetblack.socket.write(write.subscription('a', 'b'))
  await isReady(server, jetblack, '/a/b')
  const before = lonelyps.delivered.length

  for (const [n, [from, text]] of MESSAGES.entries()) {
    if (from === 'http') await fetch(`${server.url}/a/b`, { method: 'PUT', body: text })
    else if (from === 'lonelyps') lonelyps.notify('a/b', text)
    else jetblack.socket.write(write.publication('a', 'b', text))
    const untilMs = performance.now() + DEADLINE_MS
    while (lonelyps.delivered.length - before <= n && performance.now() < untilMs) await pause(5)
  }
  const heard = lonelyps.delivered.slice(before)
  assert.deepEqual(
    heard,
    MESSAGES.map(([, text]) => `a/b ${text}`),
  )
  await jetblack.expects(
    ...MESSAGES.map(([from, text]) => {
      const host = from === 'jetblack' ? '127.0.0.1' : 'localhost'
      return sent('nobody', host, 'a', 'b', text)
    }),
  )
  for (const accept of ['application/x-ndjson', 'text/event-stream']) {
    const response = await fetch(`${server.url}/a?since=all&timeout=0.2`, {
      headers: { Accept: accept },
    })
    const lines = shownIn(await response.text())
    assert.deepEqual(
      lines.slice(-MESSAGES.length),
      MESSAGES.map(([, , shown]) => `/a/b ${shown}`),
      accept,
    )
  }
})

/** What HTTP shows of events, its own members left out; in either form of its streams. */
function shownIn(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/^data: ?/, ''))
    .filter((line) => line.includes('pubsub_path'))
    .map((line) => {
      const { pubsub_path: path, ...all } = JSON.parse(line) as Record<string, unknown>
      const members = Object.entries(all).filter(([name]) => !name.startsWith('pubsub_'))
      return `${String(path)} ${JSON.stringify(Object.fromEntries(members))}`
    })
}

test('bytes that are no text go through, too: HTTP is shown them in base64, and other doors get them as they are', async () => {
  await using server = await startInProcess({ config: CONFIG })
  using lonelyps = await SocketClient.configured(server.url)
  await lonelyps.subscribe('a/b')
  using jetblack = new Client(server)
  jetblack.socket.write(write.subscription('a', 'b'))
  await isReady(server, jetblack, '/a/b')
  const bytes = Buffer.of(0xff, 0xfe, 0x00)
  const message = write.publication('a', 'b', '???')
  bytes.copy(message, message.length - bytes.length)
  const stream = await fetch(`${server.url}/a?count=1`, {
    headers: { Accept: 'application/x-ndjson' },
  })
  jetblack.socket.write(message)
  assert.deepEqual(shownIn(await stream.text()), ['/a/b {"data_base64":"//4A"}'])
  const expected = sent('nobody', '127.0.0.1', 'a', 'b', '???')
  bytes.copy(expected, expected.length - bytes.length)
  await jetblack.expects(expected)
  const isThere = () =>
    lonelyps.received.some(
      (each) => each.type === 'RECEIVE_STREAM' && Buffer.from(each.body).equals(bytes),
    )
  const untilMs = performance.now() + DEADLINE_MS
  while (!isThere() && performance.now() < untilMs) await pause(5)
  assert.ok(isThere())
})
