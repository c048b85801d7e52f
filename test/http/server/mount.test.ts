import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { DEADLINE_MS } from '../../deadline.ts'
import { notifyBody } from '../../protocols/lonelyps/receiver.ts'
import { startServer } from '../../running-server.ts'
import { shared } from '../../shared.ts'

const CONFIG = `
server: {bind: 127.0.0.1, port: 0, backlog: {size: 1000}}
clients: {payloaders: [127.0.0.1, 192.0.2.1], trust_proxy: [127.0.0.1]}
protocols: {lonelyps: {webhooks: {allow: [127.0.0.1]}, max_message_size: 1MiB}}
`

const server = shared(() => startServer({ config: CONFIG }))

const NOTIFY = '/-/lonelyps/v1/notify'

const HANDSHAKE = [
  'Host: x',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
]

function request(line: string, body: Buffer, ...headers: readonly string[]): Buffer {
  const length = line.startsWith('GET') ? [] : [`Content-Length: ${body.length}`]
  const lines = [line, 'Host: x', ...length, ...headers]
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body])
}

/** Sends pieces, each when something new has come, and resolves with the status lines once there are so many. */
async function statuses(port: number, pieces: readonly Buffer[], count: number): Promise<string[]> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
  const signal = AbortSignal.timeout(DEADLINE_MS)
  const found = () => text.match(/HTTP\/1\.1 \d+/g) ?? []
  try {
    for (const piece of pieces) {
      socket.write(piece)
      if (piece !== pieces.at(-1)) await once(socket, 'data', { signal })
    }
    while (found().length < count) await once(socket, 'data', { signal })
    await sleep(100) // nothing more is to come
    return found().map((line) => line.slice('HTTP/1.1 '.length))
  } finally {
    socket.destroy()
  }
}

const BODY = notifyBody('a', 'text')
const POST = `POST ${NOTIFY} HTTP/1.1`

for (const [what, pieces, expected] of [
  ['two requests one after the other', [request(POST, BODY), request(POST, BODY)], '200 200'],
  ['two requests at once', [Buffer.concat([request(POST, BODY), request(POST, BODY)])], '200 200'],
  [
    'a request of the HTTP door behind one of the other',
    [Buffer.concat([request(POST, BODY), request('PUT /a HTTP/1.1', Buffer.from('{}'))])],
    '200 202',
  ],
  [
    'a request of the other door behind one of HTTP',
    [Buffer.concat([request('PUT /a HTTP/1.1', Buffer.from('{}')), request(POST, BODY)])],
    '202 200',
  ],
  ['a request with a query', [request(`POST ${NOTIFY}?x=/../ HTTP/1.1`, BODY)], '200'],
  [
    'a target with scheme and host',
    [request(`POST http://example.org${NOTIFY} HTTP/1.1`, BODY)],
    '200',
  ],
  [
    'a handshake whose target has scheme and host',
    [request('GET http://example.org/-/lonelyps/v1/websocket HTTP/1.1', Buffer.of(), ...HANDSHAKE)],
    '101',
  ],
  ['HTTP/1.0', [request(`POST ${NOTIFY} HTTP/1.0`, BODY)], '200'],
  ['HEAD', [request(`HEAD ${NOTIFY} HTTP/1.1`, Buffer.of())], '405'],
  ['OPTIONS', [request(`OPTIONS ${NOTIFY} HTTP/1.1`, Buffer.of())], '405'],
  ['no path behind the name', [request('POST /-/lonelyps HTTP/1.1', BODY)], '404'],
  ['a slash behind the name', [request('POST /-/lonelyps/ HTTP/1.1', BODY)], '404'],
  ['dots', [request('POST /-/lonelyps/x/../v1/notify HTTP/1.1', BODY)], '404'],
  ['an escape', [request('POST /-/lonelyps/v1%2Fnotify HTTP/1.1', BODY)], '404'],
  [
    'a forwarded address that may publish',
    [request(POST, BODY, 'X-Forwarded-For: 192.0.2.1')],
    '200',
  ],
  [
    'a forwarded address that may not publish',
    [request(POST, BODY, 'X-Forwarded-For: 192.0.2.2')],
    '403',
  ],
  [
    'a handshake of a foreign page',
    [
      request(
        'GET /-/lonelyps/v1/websocket HTTP/1.1',
        Buffer.of(),
        ...HANDSHAKE,
        'Origin: https://evil.example',
      ),
    ],
    '403',
  ],
] as const)
  test(`another door: ${what} is answered with ${expected}`, async () => {
    const count = expected.split(' ').length
    assert.equal((await statuses(server().port, pieces, count)).join(' '), expected)
  })

test('another door: a body that waits for 100 Continue is asked for', async () => {
  const head = [POST, 'Host: x', `Content-Length: ${BODY.length}`, 'Expect: 100-continue']
  const pieces = [Buffer.from(`${head.join('\r\n')}\r\n\r\n`), BODY]
  assert.deepEqual(await statuses(server().port, pieces, 2), ['100', '200'])
})

for (const path of ['/-//lonelyps/v1/notify', '//-/lonelyps/v1/notify', '/%2D/lonelyps/v1/notify'])
  test(`another door: nothing can be published by ${path}`, async () => {
    const body = Buffer.from('{}')
    const [status] = await statuses(server().port, [request(`PUT ${path} HTTP/1.1`, body)], 1)
    assert.match(status!, /^4/)
  })

test('another door: a handshake behind a request that is not yet answered harms nobody else', async () => {
  for (const before of [
    request(POST, BODY),
    request('PUT /a HTTP/1.1', Buffer.from('{}')),
    request('GET /a?timeout=1 HTTP/1.1', Buffer.of()),
    request(POST, BODY.subarray(0, -1), 'Expect: 100-continue'),
  ]) {
    const handshake = request('GET /-/lonelyps/v1/websocket HTTP/1.1', Buffer.of(), ...HANDSHAKE)
    await statuses(server().port, [Buffer.concat([before, handshake])], 1)
    await sleep(200)
    const { status } = await fetch(`${server().url}/a`, { method: 'PUT', body: '{}' })
    assert.equal(status, 202)
  }
  assert.doesNotMatch(server().output(), /bug/)
})
