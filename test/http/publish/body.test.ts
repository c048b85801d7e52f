import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  brotliCompressSync,
  constants,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib'
import { RawClient } from '../raw-client.ts'
import {
  chunkedBody,
  eventsUpToNow,
  listen,
  NOT_UNDERSTOOD,
  put,
  RECEIVED,
  request,
  sharedPubsub,
  TOO_LARGE,
} from '../requests.ts'

const LIMIT = 10_000
const server = sharedPubsub({ server: { max_payload_size: LIMIT } })

const CHUNKED = ['Transfer-Encoding: chunked']

const packers = {
  gzip: gzipSync,
  deflate: deflateSync,
  br: brotliCompressSync,
} as const

function nested(depth: number): string {
  return `${'{"text":'.repeat(depth)}1${'}'.repeat(depth)}`
}

/** An object of exactly so many bytes. */
function objectOf(bytes: number, filling = 'a'): string {
  return `{"text": "${filling.repeat(bytes - 12)}"}`
}

/** Sends one request: its answer, and what was published by it. */
async function outcome(bytes: string | Uint8Array) {
  await using stream = await listen(server())
  await using client = await RawClient.open(server().port)
  const { status, body } = await client.ask(bytes)
  const usable = await client.ask(put('/a', '{"after": true}'))
  assert.equal(usable.body, RECEIVED, 'the connection is usable')
  const [events] = await eventsUpToNow(server(), stream)
  assert.deepEqual(events?.pop()?.after, true)
  return { status, body, events: events ?? [] }
}

async function assertAccepted(bytes: string | Uint8Array, text: string) {
  const { status, body, events } = await outcome(bytes)
  assert.deepEqual([status, body], [202, RECEIVED])
  assert.deepEqual(
    events.map((event) => event.text),
    [JSON.parse(text).text],
  )
}

async function assertRefused(bytes: string | Uint8Array, text: string) {
  assert.deepEqual(await outcome(bytes), { status: 400, body: text, events: [] })
}

describe('size', () => {
  test('the limit itself is accepted, one byte more is not', async () => {
    await assertAccepted(put('/a', objectOf(LIMIT)), objectOf(LIMIT))
    await assertRefused(put('/a', objectOf(LIMIT + 1)), TOO_LARGE)
  })

  test('it is bytes that are counted, not characters', async () => {
    await assertRefused(put('/a', objectOf(LIMIT - 2_000, 'ä')), TOO_LARGE)
  })

  test('in chunks the same limit holds', async () => {
    const chunked = (size: number) => {
      const object = objectOf(size)
      const body = chunkedBody(object.slice(0, 7), object.slice(7, 5_000), object.slice(5_000))
      return request('PUT', '/a', { headers: CHUNKED, body })
    }
    await assertAccepted(chunked(LIMIT), objectOf(LIMIT))
    await assertRefused(chunked(LIMIT + 1), TOO_LARGE)
    await assertRefused(chunked(9 * LIMIT), TOO_LARGE)
  })

  test('a body in chunks is refused as soon as it is too large, not when it ends', async () => {
    await using client = await RawClient.open(server().port)
    const chunk = `2711\r\n${' '.repeat(LIMIT + 1)}\r\n`
    const { body } = await client.ask(`PUT /a HTTP/1.1\r\n${CHUNKED[0]}\r\n\r\n${chunk}`)
    assert.equal(body, TOO_LARGE)
    client.send(`${chunk}0\r\n\r\n`)
    assert.equal((await client.ask(put('/a', '{}'))).body, RECEIVED)
  })

  for (const [coding, pack] of Object.entries(packers))
    test(`${coding}: what comes out of it counts`, async () => {
      const packed = (size: number) =>
        put('/a', pack(objectOf(size)), [`Content-Encoding: ${coding}`])
      await assertAccepted(packed(LIMIT), objectOf(LIMIT))
      await assertRefused(packed(LIMIT + 1), TOO_LARGE)
    })

  for (const [coding, pack] of Object.entries(packers))
    test(`${coding}: a bomb is refused without being unpacked`, async () => {
      const bomb = pack(Buffer.alloc(coding === 'gzip' ? 8_000_000 : 9_000_000))
      assert.ok(bomb.length < LIMIT)
      await assertRefused(put('/a', bomb, [`Content-Encoding: ${coding}`]), TOO_LARGE)
    })
})

describe('Content-Encoding', () => {
  const text = objectOf(5_000)
  const known: Readonly<Record<string, readonly [string, Uint8Array]>> = {
    'in capitals': ['GZIP', gzipSync(text)],
    'deflate without the zlib header': ['deflate', deflateRawSync(text)],
    'gzip in two members': [
      'gzip',
      Buffer.concat([gzipSync(text.slice(0, 9)), gzipSync(text.slice(9))]),
    ],
    'brotli at its fastest': [
      'br',
      brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 0 } }),
    ],
    identity: ['identity', Buffer.from(text)],
  }
  for (const [what, [coding, body]] of Object.entries(known))
    test(`${what} is unpacked`, () =>
      assertAccepted(put('/a', body, [`Content-Encoding: ${coding}`]), text))

  test('a packed body may come in chunks', async () => {
    const packed = gzipSync(text)
    const head = request('PUT', '/a', { headers: [...CHUNKED, 'Content-Encoding: gzip'] })
    const size = Buffer.from(`${packed.length.toString(16)}\r\n`)
    const end = Buffer.from('\r\n0\r\n\r\n')
    await assertAccepted(Buffer.concat([head, size, packed, end]), text)
  })

  const unusable: Readonly<Record<string, readonly [string, Uint8Array | string]>> = {
    'an unknown coding': ['zstd', zstdCompressSync(text)],
    'two codings': ['gzip, gzip', gzipSync(gzipSync(text))],
    'gzip that is none': ['gzip', text],
    'gzip that is cut off': ['gzip', gzipSync(text).subarray(0, -9)],
    'gzip with a wrong checksum': [
      'gzip',
      gzipSync(text).map((byte, at, all) => (at === all.length - 8 ? ~byte : byte)),
    ],
    'deflate that is none': ['deflate', text],
    'brotli that is none': ['br', text],
    'nothing as gzip': ['gzip', ''],
    'gzip of nothing': ['gzip', gzipSync('')],
    'gzip of no JSON': ['gzip', gzipSync('text')],
  }
  for (const [what, [coding, body]] of Object.entries(unusable))
    test(`${what} is refused`, () =>
      assertRefused(put('/a', body, [`Content-Encoding: ${coding}`]), NOT_UNDERSTOOD))
})

describe('what arrives', () => {
  test('an empty body is refused with the usage text', () =>
    assertRefused(put('/a', ''), NOT_UNDERSTOOD))

  test('a missing body is refused with the usage text', () =>
    assertRefused(request('PUT', '/a'), NOT_UNDERSTOOD))

  test('an empty body in chunks is refused with the usage text', () =>
    assertRefused(request('PUT', '/a', { headers: CHUNKED, body: chunkedBody() }), NOT_UNDERSTOOD))

  test('white space alone is refused with the usage text', () =>
    assertRefused(put('/a', ' \r\n\t'), NOT_UNDERSTOOD))

  test('it is UTF-8, whatever charset the Content-Type names', async () => {
    for (const type of ['application/json; charset=latin1', 'text/plain; charset=none', ';;']) {
      await assertAccepted(
        put('/a', '{"text": "ä€😀"}', [`Content-Type: ${type}`]),
        '{"text": "ä€😀"}',
      )
      await assertRefused(
        put('/a', Buffer.from('{"text": "\xe4"}', 'latin1'), [`Content-Type: ${type}`]),
        NOT_UNDERSTOOD,
      )
    }
  })

  test('it may come byte by byte, split inside characters', async () => {
    await using stream = await listen(server())
    await using client = await RawClient.open(server().port)
    for (const byte of put('/a', '{"text": "ä€😀"}')) {
      client.send(Buffer.of(byte))
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.equal((await client.answer()).body, RECEIVED)
    assert.equal((await stream.event()).json.text, 'ä€😀')
  })

  test('extensions of chunks and trailers are passed over', async () => {
    const body = '5;a=b\r\n{"tex\r\n8\r\nt": "a"}\r\n0\r\nX-Trailer: a\r\n\r\n'
    await assertAccepted(request('PUT', '/a', { headers: CHUNKED, body }), '{"text": "a"}')
  })

  test('objects may be nested 900 deep, and no deeper', async () => {
    await assertAccepted(put('/a', nested(900)), nested(900))
    const told =
      'payload is nested deeper than the limit of 900 levels (limits.json_depth); ' +
      'send or ask for less, or have the limit raised\n'
    await assertRefused(put('/a', nested(901)), told)
    await assertRefused(put('/a', `{"a":${'['.repeat(9_000)}`), told)
  })
})

describe('a body that is cut off publishes nothing', () => {
  const whole = '{"cut": true}'
  const cutOff: Readonly<Record<string, string>> = {
    'before it began': 'PUT /a HTTP/1.1\r\nContent-Length: 13\r\n\r\n',
    'in the middle': 'PUT /a HTTP/1.1\r\nContent-Length: 13\r\n\r\n{"cut"',
    'where what came would do': `PUT /a HTTP/1.1\r\nContent-Length: 14\r\n\r\n${whole}`,
    'inside a chunk': 'PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n{"cut"',
    'before the last chunk': `PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n${whole}\r\n`,
    'inside the last chunk': `PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n${whole}\r\n0\r\n`,
    'inside the head': 'PUT /a HTTP/1.1\r\nContent-Le',
  }
  for (const [where, bytes] of Object.entries(cutOff)) {
    test(`${where}, by an end: it is refused`, async () => {
      await using stream = await listen(server())
      await using client = await RawClient.open(server().port)
      client.send(bytes)
      client.finishSending()
      assert.equal((await client.answer()).body, NOT_UNDERSTOOD)
      await client.closed()
      assert.deepEqual(await eventsUpToNow(server(), stream), [[]])
    })

    test(`${where}, by a reset`, async () => {
      await using stream = await listen(server())
      const client = await RawClient.open(server().port)
      client.send(bytes)
      await eventsUpToNow(server(), stream) // the server has read it
      client.reset()
      assert.deepEqual(await eventsUpToNow(server(), stream), [[]])
    })
  }

  test('while it is unpacked', async () => {
    await using stream = await listen(server())
    const client = await RawClient.open(server().port)
    const packed = gzipSync('{"cut": true}')
    const bytes = put('/a', packed, ['Content-Encoding: gzip'])
    client.send(bytes.subarray(0, -1))
    await eventsUpToNow(server(), stream)
    client.reset()
    assert.deepEqual(await eventsUpToNow(server(), stream), [[]])
  })

  test('but a client that ends its side after a whole one gets its answer', async () => {
    await using stream = await listen(server())
    await using client = await RawClient.open(server().port)
    client.send(put('/a', '{"n": 1}'))
    client.finishSending()
    assert.equal((await client.answer()).body, RECEIVED)
    await client.closed()
    assert.equal((await stream.event()).json.n, 1)
  })
})
