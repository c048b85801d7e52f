import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { DEADLINE_MS } from '../../deadline.ts'
import { startInProcess } from '../../in-process-server.ts'
import { startServer } from '../../running-server.ts'
import { ask, notifyBody } from './receiver.ts'
import { ABOUT_CONFIGURE, SocketClient } from './socket-client.ts'
import { CONFIGURE } from './ws-peer.ts'

const CONFIG = `
server: {bind: 127.0.0.1, port: 0, backlog: {size: 1000}}
clients: {payloaders: [127.0.0.1]}
limits: {queue_bytes: 1MiB}
protocols: {lonelyps: {webhooks: {allow: [127.0.0.1]}, max_message_size: 1MiB}}
`

/** They look into `/proc`. */
const ON_LINUX = { skip: process.platform !== 'linux' }

async function published(
  server: { readonly url: string },
  path: string,
  body: string,
): Promise<void> {
  const { status } = await fetch(server.url + path, { method: 'PUT', body })
  assert.equal(status, 202)
}

function handshake(path: string, ...more: string[]): string {
  const lines = [
    `GET ${path} HTTP/1.1`,
    'Host: localhost',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    ...more,
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** Sends bytes, and resolves with what came until the server closed, or until that was enough. */
async function exchange(port: number, bytes: string | Buffer, enough?: RegExp): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  let text = ''
  const whole = new Promise<void>((resolve) => {
    socket.once('end', resolve)
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      if (enough?.test(text)) resolve()
    })
  })
  socket.write(bytes)
  await whole
  socket.destroy()
  return text
}

/** A frame of a client, with a mask that changes nothing. */
function masked(payload: Buffer, opcode = 2): Buffer {
  const head =
    payload.length < 126
      ? Buffer.of(0x80 | opcode, 0x80 | payload.length)
      : Buffer.of(0x80 | opcode, 0xfe, payload.length >> 8, payload.length & 0xff)
  return Buffer.concat([head, Buffer.alloc(4), payload])
}

test('an event of HTTP comes to a WebSocket, and a notification of a WebSocket to HTTP', async () => {
  await using server = await startInProcess({ config: CONFIG })
  using client = await SocketClient.configured(server.url)
  await client.subscribe('a/b')
  await client.subscribeGlob('a/*')
  await published(server, '/a/b', '{"n": 1}')
  client.notify('a/c', 'text')
  await client.has('RECEIVE_STREAM', 2)
  assert.deepEqual(client.delivered, ['a/b {"n": 1}', 'a/c text'])
  const response = await fetch(`${server.url}/c?since=all&count=1&timeout=10`)
  assert.match(await response.text(), /"data":"text"/)
})

for (const [what, request, status] of [
  ['another path', handshake('/-/lonelyps/v1/other'), /^HTTP\/1.1 404 /],
  ['a path with an escape', handshake('/-/lonelyps/v1%2Fwebsocket'), /^HTTP\/1.1 404 /],
  [
    'another method',
    handshake('/-/lonelyps/v1/websocket').replace('GET', 'POST'),
    /^HTTP\/1.1 405 /,
  ],
  [
    'another version',
    handshake('/-/lonelyps/v1/websocket').replace('Version: 13', 'Version: 12'),
    /^HTTP\/1.1 4(?:00|26) /,
  ],
  [
    'a foreign page',
    handshake('/-/lonelyps/v1/websocket', 'Origin: https://evil.example'),
    /^HTTP\/1.1 403 /,
  ],
  [
    'no upgrade',
    'GET /-/lonelyps/v1/websocket HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    /^HTTP\/1.1 404 /,
  ],
] as const)
  test(`a handshake with ${what} is refused, and its connection is not kept`, async () => {
    await using server = await startInProcess({ config: CONFIG })
    const answer = await exchange(server.port, request)
    assert.match(answer, status)
    await published(server, '/a', '{}')
  })

test(
  'whoever is refused and does not close keeps no connection of the server',
  ON_LINUX,
  async () => {
    await using server = await startInProcess({ config: CONFIG })
    const sockets = Array.from({ length: 20 }, () => {
      const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
      socket.on('error', () => {}).resume()
      socket.write(handshake('/-/lonelyps/v1/other'))
      return socket
    })
    await Promise.all(sockets.map((socket) => once(socket, 'end')))
    while (openConnections(server.port) > 0) await sleep(20)
    for (const socket of sockets) socket.destroy()
  },
)

/** That the process has a descriptor of. */
function openConnections(port: number): number {
  return connectionsOf(port).filter(({ 3: state, 9: inode }) => state !== '0A' && inode !== '0')
    .length
}

/** Rows of Linux' table whose own port it is: fields as `proc(5)` has them. */
function connectionsOf(port: number): string[][] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(`:${hex}`) === true)
}

test(
  'a peer that is gone without a word is noticed by TCP, as nobody speaks on an idle connection',
  ON_LINUX,
  async () => {
    await using server = await startInProcess({ config: CONFIG })
    using client = await SocketClient.configured(server.url)
    await client.subscribe('a')
    const timers = () =>
      connectionsOf(server.port).flatMap(([, , , state, , timer]) =>
        state === '01' ? [timer!.slice(0, 2)] : [],
      )
    while (timers().includes('01')) await sleep(20) // something may have to be sent again
    assert.deepEqual(timers(), ['02']) // keep-alive
  },
)

test('a first message in the packet of the handshake is read', async () => {
  await using server = await startInProcess({ config: CONFIG })
  using client = new SocketClient(server.url)
  const first = masked(client.bytesOf(CONFIGURE, ABOUT_CONFIGURE))
  const head = handshake('/-/lonelyps/v1/websocket')
  const confirmed = /^HTTP\/1.1 101 [^]*\r\n\r\n\x82/
  await exchange(server.port, Buffer.concat([Buffer.from(head), first]), confirmed)
})

test('a text message closes with 1003, a message that is no message with 1008, a too large one with 1009', async () => {
  await using server = await startInProcess({ config: CONFIG })
  for (const [message, code] of [
    ['text', 1003],
    [Buffer.of(0, 1), 1008],
    [Buffer.alloc(2 * 1024 * 1024), 1009],
  ] as const) {
    using client = await SocketClient.configured(server.url)
    client.webSocket.send(message)
    assert.equal((await client.closed()).code, code)
  }
})

test('who does not configure is closed in time, and a ping is answered', async () => {
  await using server = await startInProcess({ config: CONFIG, times: { configureMs: 300 } })
  using client = new SocketClient(server.url)
  await once(client.webSocket, 'open')
  const closed = client.closed()
  const pong = once(client.webSocket, 'pong', { signal: AbortSignal.timeout(DEADLINE_MS) })
  client.webSocket.ping('hello')
  assert.equal(String((await pong)[0]), 'hello')
  assert.equal((await closed).code, 1008)
})

test('a stop of the server closes with 1001', async () => {
  await using server = await startInProcess({ config: CONFIG })
  using client = await SocketClient.configured(server.url)
  const closed = client.closed()
  await server.stop()
  assert.equal((await closed).code, 1001)
})

test(
  'who does not read costs bounded memory, delays nobody, and is told what it has missed',
  ON_LINUX,
  async () => {
    // Without a backlog there is nothing that it could catch up from.
    const config = CONFIG.replace(', backlog: {size: 1000}', '')
    await using server = await startServer({ config })
    using slow = await SocketClient.configured(server.url)
    using healthy = await SocketClient.configured(server.url)
    for (const client of [slow, healthy]) await client.subscribe('a')
    slow.webSocket.pause()
    const body = JSON.stringify({ text: 'x'.repeat(100_000) })
    for (let i = 0; i < 1_000; i++) await published(server, '/a', body)
    await healthy.has('RECEIVE_STREAM', 1_000, 30_000)
    const status = readFileSync(`/proc/${server.process.pid}/status`, 'utf8')
    const residentKb = Number(/VmRSS:\s+(\d+)/.exec(status)![1])
    assert.ok(residentKb < 500 * 1024, `${residentKb} KiB`)
    slow.webSocket.resume()
    await slow.has('MISSED')
    await published(server, '/a', '{"n": 1}')
    await healthy.has('RECEIVE_STREAM', 1_001)
    const count = slow.delivered.length
    assert.ok(count < 1_000)
    while (slow.delivered.at(-1) !== 'a {"n": 1}') await sleep(20)
    assert.equal(slow.delivered.at(-1), 'a {"n": 1}')
  },
)

test('great messages that stand still give their memory to those that go on, in both modes', async () => {
  const config = CONFIG.replace('1MiB}}', '1MiB, message_memory: 1MiB}}')
  await using server = await startInProcess({ config })
  const part = Buffer.alloc(600_000, 'x')
  // Over HTTP: the beginning of a message of 700,000 bytes, and nothing more.
  const stalled = httpRequest(`${server.url}/-/lonelyps/v1/notify`, { method: 'POST' })
  stalled.on('error', () => {})
  const refused = once(stalled, 'response')
  const body = notifyBody('a', Buffer.alloc(700_000, 'x'))
  stalled.setHeader('Content-Length', body.length)
  stalled.write(body.subarray(0, part.length))
  // Over a WebSocket: a frame that is not whole.
  using socket = await SocketClient.configured(server.url)
  const closed = once(socket.webSocket, 'close')
  const raw = (socket.webSocket as unknown as { readonly _socket: Socket })._socket
  const head = Buffer.alloc(14)
  head[0] = 0x82
  head[1] = 0xff
  head.writeBigUInt64BE(700_000n, 2)
  raw.write(Buffer.concat([head, part]))
  const [answer] = (await refused) as [IncomingMessage]
  assert.equal(answer.statusCode, 503)
  assert.match((await buffer(answer)).toString(), /too many great messages come at once/)
  // The next one takes its place.
  const { status } = await ask(server.url, '/v1/notify', notifyBody('a', part))
  assert.equal(status, 200)
  const [code, reason] = (await closed) as [number, Buffer]
  assert.deepEqual([code, reason.toString()], [1013, 'too many great messages come at once'])
})
