import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Answer } from '../raw-client.ts'
import { basic, LOGINS_AT_ONCE, put, request } from '../requests.ts'
import { PLAIN, TLS, type ReachedServer } from '../ways.ts'

/** More than the buffers of both kernels hold, so that the answer comes while most of it is still to be sent. */
const LONG = bodyOf(5 * 1_048_576)

/** More than is read for the sake of requests behind it. */
const SHORT = bodyOf(1_310_720)

/** One of each way in which a refusal leaves the server; the others share them, and do with a short body. */
const WITH_LONG = new Set([
  'too large a payload',
  'a wait in vain',
  'a mounted door: its limit',
  'a mounted door: a WebSocket without a key',
  'no proxy',
])

const CHUNKED_PIECE = Buffer.from(`10000\r\n${'x'.repeat(65_536)}\r\n`)

const WRONG = basic('a', 'b')

/** Why a request is refused: method, path, headers, and the status. */
const REFUSALS: Readonly<Record<string, readonly [string, string, readonly string[], number]>> = {
  'too large a payload': ['PUT', '/a', [], 400],
  'too large a batch': ['POST', '/a', ['Content-Type: application/x-ndjson'], 400],
  'wrong credentials': ['PUT', '/a', [WRONG], 401],
  'a stream with wrong credentials': ['GET', '/a', [WRONG], 401],
  'an address that may not publish': ['PUT', '/a', ['X-Forwarded-For: 192.0.2.1'], 403],
  'a foreign web page': ['PUT', '/a', ['Origin: https://evil.example'], 403],
  'an unknown coding': ['PUT', '/a', ['Content-Encoding: zstd'], 400],
  'the path of a page': ['PUT', '/-/a', [], 400],
  'an unknown page': ['GET', '/-/a', [], 404],
  'an unknown query': ['GET', '/a?count=nonsense', [], 400],
  'an unknown method': ['PROPFIND', '/a', [], 400],
  'a handshake by the wrong method': ['PUT', '/a', ['Sec-WebSocket-Key: x'], 400],
  'a handshake of another version': [
    'GET',
    '/a',
    ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='],
    426,
  ],
  'a wait in vain': ['GET', '/a?timeout=100ms', [], 504],
  'a mounted door: its limit': ['POST', '/-/lonelyps/v1/subscribe/exact', [], 413],
  'a mounted door: its path': ['POST', '/-/lonelyps/nothing', [], 404],
  'a mounted door: its method': ['PUT', '/-/lonelyps/v1/notify', [], 405],
  'a mounted door: a foreign web page': [
    'POST',
    '/-/lonelyps/v1/notify',
    ['Origin: https://evil.example'],
    403,
  ],
  'a mounted door: a WebSocket elsewhere': [
    'GET',
    '/-/lonelyps/nothing',
    ['Connection: Upgrade', 'Upgrade: websocket'],
    404,
  ],
  'a mounted door: a WebSocket without a key': [
    'GET',
    '/-/lonelyps/v1/websocket',
    ['Connection: Upgrade', 'Upgrade: websocket'],
    400,
  ],
  'a mounted door: a WebSocket of a foreign web page': [
    'GET',
    '/-/lonelyps/v1/websocket',
    ['Connection: Upgrade', 'Upgrade: websocket', 'Origin: https://evil.example'],
    403,
  ],
  'no proxy': ['CONNECT', 'example.org:443', [], 400],
  'no page of a method': ['DELETE', '/-/', [], 405],
}

/** How a request brings its body. HTTP/1.0 knows no chunks. */
const FORMS = [
  { version: '1.1', framing: 'its length', more: [] },
  { version: '1.1', framing: 'chunks', more: ['Connection: close'] },
  { version: '1.1', framing: 'its length', more: ['Expect: 100-continue'] },
  { version: '1.1', framing: 'chunks', more: [] },
  { version: '1.1', framing: 'its length', more: ['Connection: close'] },
  { version: '1.1', framing: 'chunks', more: ['Expect: 100-continue'] },
  { version: '1.0', framing: 'its length', more: [] },
] as const

for (const way of [PLAIN, TLS])
  describe(`a refusal is received although its body is still being sent, over ${way.name}`, () => {
    let server: ReachedServer
    before(async () => {
      server = await way.start({
        server: { max_payload_size: 1_000 },
        limits: LOGINS_AT_ONCE,
        clients: {
          payloaders: ['127.0.0.0/8'],
          trust_proxy: ['127.0.0.1'],
          bad_credentials: 'reject',
        },
        protocols: { lonelyps: {} },
      })
    })
    after(() => server[Symbol.asyncDispose]())

    /** Sends all of it before a byte of the answer is read, as simple clients do. */
    async function answerTo(head: string, body: Buffer): Promise<Answer> {
      await using client = await server.connect()
      client.send(head)
      client.socket.pause()
      await client.sent(body)
      client.socket.resume()
      const answer = await client.answer()
      return answer.status === 100 ? await client.answer() : answer
    }

    Object.entries(REFUSALS).forEach(([why, [method, path, headers, status]], i) => {
      // Each kind of refusal in two of the forms, one over TLS, and one kind in all: with all in all it would take minutes.
      const isChosen = (form: number) =>
        i === 0 || (form + i) % FORMS.length < (way === TLS ? 1 : 2)
      for (const { version, framing, more } of FORMS.filter((_, form) => isChosen(form))) {
        const isChunked = framing === 'chunks'
        const { plain, chunked } = WITH_LONG.has(why) ? LONG : SHORT
        const frame = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${plain.length}`
        // A header that comes twice would be another refusal.
        const own = headers.filter((line) => more.length === 0 || !line.startsWith('Connection'))
        const told = own.length < headers.length ? [] : more
        const all = [...headers, ...told, frame]
        test(`${why}: HTTP/${version} ${told.join(' ')}, a body by ${framing}`, async () => {
          const head = request(method, path, { headers: all }).toString('latin1')
          const answer = await answerTo(
            head.replace('HTTP/1.1', `HTTP/${version}`),
            isChunked ? chunked : plain,
          )
          assert.equal(answer.status, status)
        })
      }
    })

    for (const [why, head, status] of [
      ['no request', 'nonsense\r\n\r\n', 400],
      ['too large a head', `GET / HTTP/1.1\r\nX-Long: ${'x'.repeat(70_000)}`, 431],
      ['a broken body', 'PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nz', 400],
    ] as const)
      test(`what is no HTTP is refused so, too: ${why}`, async () => {
        assert.equal((await answerTo(head, LONG.plain)).status, status)
      })

    test('a body of 60 MiB', async () => {
      const body = Buffer.alloc(60 * 1_048_576)
      const answer = await answerTo(
        put('/a', '', [`Content-Length: ${body.length}`]).toString(),
        body,
      )
      assert.equal(answer.status, 400)
    })

    test('to one that never ends the connection is closed before it is reset', async () => {
      await using client = await server.connect()
      client.send(put('/a', '', ['Transfer-Encoding: chunked']))
      const failed = Promise.withResolvers<NodeJS.ErrnoException>()
      client.socket.on('error', failed.resolve)
      const sending = (async () => {
        while (!client.socket.destroyed) await client.sent(CHUNKED_PIECE)
      })()
      sending.catch(() => {})
      const answer = await client.answer()
      assert.equal(answer.status, 400)
      assert.equal(await client.rest(), '')
      // What a client gets that sends into a connection whose end it has been told; ECONNRESET could swallow the answer.
      if (way === PLAIN) assert.equal((await failed.promise).code, 'EPIPE')
    })
  })

function bodyOf(bytes: number): { readonly plain: Buffer; readonly chunked: Buffer } {
  const plain = Buffer.alloc(bytes, 'x')
  const size = 65_536
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes; at += size)
    chunks.push(
      Buffer.from(`${size.toString(16)}\r\n`),
      plain.subarray(at, at + size),
      Buffer.from('\r\n'),
    )
  return { plain, chunked: Buffer.concat([...chunks, Buffer.from('0\r\n\r\n')]) }
}
