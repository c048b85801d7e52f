import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { RawClient, type Head } from '../raw-client.ts'
import {
  basic,
  chunkedBody,
  eventsUpToNow,
  get,
  listen,
  put,
  RECEIVED,
  request,
  sharedPubsub,
  streamsLeft,
} from '../requests.ts'

const LIMIT = 1_000

/** How much of a refused body is read for the sake of the requests behind it, in bytes. */
const KEPT = 1_048_576

const server = sharedPubsub({
  server: { max_payload_size: LIMIT },
  clients: { trust_proxy: ['127.0.0.1'], bad_credentials: 'reject' },
})

const { version } = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
) as { version: string }

/** One of each kind of answer but streams. */
const KINDS: Readonly<Record<string, readonly [Buffer, number]>> = {
  accepted: [put('/a', '{}'), 202],
  counts: [request('HEAD', '/a'), 204],
  'not understood': [request('OPTIONS', '*'), 400],
  'not JSON': [put('/a', '{'), 400],
  'not an object': [put('/a', '[]'), 400],
  'too large': [put('/a', 'x'.repeat(LIMIT + 1)), 400],
  'reserved path': [put('/-/a', '{}'), 400],
  'wrong credentials': [put('/a', '{}', [basic('a', 'b')]), 401],
  'stream with wrong credentials': [get('/a', basic('a', 'b')), 401],
  'not allowed': [put('/a', '{}', ['X-Forwarded-For: 192.0.2.1']), 403],
  'no such page': [get('/-/nothing'), 404],
  'too large a head': [get('/', `X-Long: ${'a'.repeat(70_000)}`), 431],
  'no request': [Buffer.from('garbage\r\n\r\n'), 400],
}

function assertOurs({ headers }: Head) {
  assert.equal(headers['server'], `PyPubSub/0.7.4 (pubsubd ${version})`)
  assert.match(headers['x-subscribers'] ?? '', /^\d+$/)
  assert.match(headers['x-requests'] ?? '', /^\d+$/)
  assert.equal(headers['content-encoding'], undefined)
}

for (const [kind, [bytes, status]] of Object.entries(KINDS))
  test(`every answer says who answers and how much there is to do: ${kind}`, async () => {
    await using client = await RawClient.open(server().port)
    const before = await client.ask(request('HEAD', '/'))
    const answer = await client.ask(bytes)
    assert.equal(answer.status, status)
    assertOurs(answer)
    assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8')
    assert.equal(Number(answer.headers['x-requests']), Number(before.headers['x-requests']) + 1)
    if (status === 401) assert.match(answer.headers['www-authenticate'] ?? '', /^Basic realm=".+"/)
  })

test('HEAD is 204 without a body, whatever the path', async () => {
  await using client = await RawClient.open(server().port)
  for (const path of ['/', '/a/b,c', '/-/nothing', '/private/x']) {
    const { status, body, headers } = await client.ask(request('HEAD', path))
    assert.deepEqual([status, body, headers['content-length']], [204, '', undefined])
  }
})

test('streams are counted while they are open, in the head of one without itself', async () => {
  await using first = await listen(server())
  assertOurs(first.streamHead)
  assert.equal(first.streamHead.headers['x-subscribers'], '0')
  assert.equal(first.streamHead.headers['content-type'], 'application/vnd.pypubsub-stream')
  {
    await using second = await listen(server(), '/a')
    assert.equal(second.streamHead.headers['x-subscribers'], '1')
    await using client = await RawClient.open(server().port)
    const { headers } = await client.ask(request('HEAD', '/'))
    assert.equal(headers['x-subscribers'], '2')
  }
  await streamsLeft(server(), 1)
  await using client = await RawClient.open(server().port)
  assert.equal((await client.ask(put('/a', '{}'))).headers['x-subscribers'], '1')
})

describe('a refused request leaves the connection usable, and its body is no request', () => {
  /** Whoever guesses passwords is slowed, so each does it from an address of its own. */
  let addresses = 0
  const wrong = () => [basic('a', 'b'), `X-Forwarded-For: 198.51.100.${++addresses}`]
  const lookAlike = put('/smuggled', '{}').toString('latin1')
  const refused: Readonly<Record<string, (body: string, ...headers: readonly string[]) => Buffer>> =
    {
      'reserved path': (body, ...headers) => put('/-/a', body, headers),
      method: (body, ...headers) => request('DELETE', '/a', { body, headers }),
      credentials: (body, ...headers) => put('/a', body, [...headers, ...wrong()]),
      'credentials of a stream': (body, ...headers) =>
        request('GET', '/a', { body, headers: [...headers, ...wrong()] }),
      address: (body, ...headers) => put('/a', body, [...headers, 'X-Forwarded-For: 192.0.2.1']),
      coding: (body, ...headers) => put('/a', body, [...headers, 'Content-Encoding: zstd']),
      size: (body, ...headers) => put('/a', body, headers),
    }
  for (const [why, bytesOf] of Object.entries(refused)) {
    const body = lookAlike.repeat(why === 'size' ? 20 : 3)
    const whole = {
      'with its length': bytesOf(body),
      'in chunks': bytesOf(chunkedBody(body, body), 'Transfer-Encoding: chunked'),
    }
    for (const [framing, bytes] of Object.entries(whole)) {
      test(`${why}, ${framing}, with the next request in the same packet`, async () => {
        await using stream = await listen(server())
        await using client = await RawClient.open(server().port)
        client.send(Buffer.concat([bytes, put('/a', '{"next": true}')]))
        assert.ok((await client.answer()).status >= 400)
        assert.equal((await client.answer()).body, RECEIVED)
        const [events] = await eventsUpToNow(server(), stream)
        assert.deepEqual(
          events?.map(({ next }) => next),
          [true],
        )
      })

      test(`${why}, ${framing}, the body after the answer`, async () => {
        await using stream = await listen(server())
        await using client = await RawClient.open(server().port)
        const headEnd = bytes.indexOf('\r\n\r\n') + 4
        client.send(bytes.subarray(0, headEnd))
        // Of a body in chunks nobody knows the size before.
        if (why !== 'size' || framing !== 'in chunks')
          assert.ok((await client.answer()).status >= 400)
        client.send(bytes.subarray(headEnd))
        if (why === 'size' && framing === 'in chunks')
          assert.ok((await client.answer()).status >= 400)
        assert.equal((await client.ask(put('/a', '{}'))).body, RECEIVED)
        const [events] = await eventsUpToNow(server(), stream)
        assert.equal(events?.length, 1)
      })
    }
  }

  test('however much more it is than what would have been allowed', async () => {
    await using client = await RawClient.open(server().port)
    for (const body of ['x'.repeat(900 * LIMIT), 'x'.repeat(900 * LIMIT)])
      assert.equal((await client.ask(put('/a', body))).status, 400)
    assert.equal((await client.ask(put('/a', '{}'))).body, RECEIVED)
  })

  test('unless its length says that this is not worth it: then the connection is closed after the answer', async () => {
    await using stream = await listen(server())
    await using client = await RawClient.open(server().port)
    const head = request('PUT', '/-/a', { headers: [`Content-Length: ${KEPT + 1}`] })
    const { status, headers } = await client.ask(head)
    assert.deepEqual([status, headers['connection']], [400, 'close'])
    assert.equal(await client.rest(), '')
    await client.sent(Buffer.concat([Buffer.alloc(100_000), put('/a', '{}')]))
    assert.deepEqual(await eventsUpToNow(server(), stream), [[]])
  })

  test('unless more has come than that is worth: then the connection is closed', async () => {
    await using stream = await listen(server())
    await using client = await RawClient.open(server().port)
    const head = request('PUT', '/-/a', { headers: ['Transfer-Encoding: chunked'] })
    assert.equal((await client.ask(head)).status, 400)
    client.send(chunkedBody('x'.repeat(KEPT + 1)).slice(0, -5))
    assert.equal(await client.rest(), '')
    await client.sent(Buffer.concat([Buffer.from('0\r\n\r\n'), put('/a', '{}')]))
    assert.deepEqual(await eventsUpToNow(server(), stream), [[]])
  })

  test('unless its body is broken: then the connection is closed after the one answer', async () => {
    await using client = await RawClient.open(server().port)
    const head = request('PUT', '/-/a', { headers: ['Transfer-Encoding: chunked'] })
    assert.equal((await client.ask(head)).status, 400)
    client.send('zz\r\n')
    assert.equal(await client.rest(), '')
  })
})
