import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RawClient } from '../raw-client.ts'
import {
  basic,
  chunkedBody,
  eventsUpToNow,
  get,
  listen,
  NOT_ALLOWED,
  NOT_UNDERSTOOD,
  put,
  RECEIVED,
  request,
  sharedPubsub,
  TOO_LARGE,
} from '../requests.ts'

const server = sharedPubsub({
  server: { max_payload_size: 1_000 },
  clients: { trust_proxy: ['127.0.0.1'], bad_credentials: 'reject' },
})

const EXPECT = 'Expect: 100-continue'

test('who may publish is told to go on, and then answered', async () => {
  await using stream = await listen(server())
  await using client = await RawClient.open(server().port)
  for (const n of [1, 2]) {
    client.send(request('PUT', '/a', { headers: [EXPECT, 'Content-Length: 8'] }))
    assert.equal((await client.head()).status, 100)
    client.send(`{"n": ${n}}`)
    const { status, body } = await client.answer()
    assert.deepEqual([status, body], [202, RECEIVED])
    assert.equal((await stream.event()).json.n, n)
  }
})

test('so is who sends chunks, or spells it otherwise', async () => {
  await using client = await RawClient.open(server().port)
  const headers = ['expect: 100-Continue', 'Transfer-Encoding: chunked']
  client.send(request('PUT', '/a', { headers }))
  assert.equal((await client.head()).status, 100)
  assert.equal((await client.ask(chunkedBody('{', '}'))).body, RECEIVED)
})

test('a body that does not wait is taken as well', async () => {
  await using client = await RawClient.open(server().port)
  client.send(put('/a', '{}', [EXPECT]))
  assert.equal((await client.head()).status, 100)
  assert.equal((await client.answer()).body, RECEIVED)
})

test('HTTP/1.0 does not know it, so it is passed over', async () => {
  await using client = await RawClient.open(server().port)
  const { body } = await client.ask(`PUT /a HTTP/1.0\r\n${EXPECT}\r\nContent-Length: 2\r\n\r\n{}`)
  assert.equal(body, RECEIVED)
})

test('a stream that expects it begins', async () => {
  await using client = await RawClient.open(server().port)
  client.send(get('/', EXPECT))
  assert.equal((await client.head()).status, 200)
  assert.ok((await client.line()).isControl)
})

describe('who is refused is told at once, without a 100, and the connection is closed', () => {
  const lookAlike = put('/a', '{"smuggled": true}')
  const length = `Content-Length: ${lookAlike.length}`
  const refused: Readonly<Record<string, readonly [Buffer, number, string | RegExp]>> = {
    'for the path': [
      request('PUT', '/-/a', { headers: [EXPECT, length] }),
      400,
      /^paths that begin with/,
    ],
    'for the method': [request('DELETE', '/a', { headers: [EXPECT, length] }), 400, NOT_UNDERSTOOD],
    'for credentials': [
      request('PUT', '/a', { headers: [EXPECT, length, basic('a', 'b')] }),
      401,
      /^user name or password/,
    ],
    'for the address': [
      request('PUT', '/a', { headers: [EXPECT, length, 'X-Forwarded-For: 192.0.2.1'] }),
      403,
      NOT_ALLOWED,
    ],
    'for the web page': [
      request('PUT', '/a', { headers: [EXPECT, length, 'Origin: https://evil.example'] }),
      403,
      NOT_ALLOWED,
    ],
    'for the size': [
      request('PUT', '/a', { headers: [EXPECT, 'Content-Length: 1001'] }),
      400,
      TOO_LARGE,
    ],
    'for the coding': [
      request('PUT', '/a', { headers: [EXPECT, length, 'Content-Encoding: zstd'] }),
      400,
      NOT_UNDERSTOOD,
    ],
  }
  for (const [why, [head, status, body]] of Object.entries(refused)) {
    test(`${why}, while it waits`, async () => {
      await using client = await RawClient.open(server().port)
      const answer = await client.ask(head)
      assert.deepEqual([answer.status, answer.headers['connection']], [status, 'close'])
      if (typeof body === 'string') assert.equal(answer.body, body)
      else assert.match(answer.body, body)
      await client.closed()
    })

    test(`${why}, with its body, which is no request`, async () => {
      await using stream = await listen(server())
      await using client = await RawClient.open(server().port)
      const answer = await client.ask(Buffer.concat([head, lookAlike]))
      assert.deepEqual([answer.status, answer.headers['connection']], [status, 'close'])
      client.send(lookAlike)
      assert.equal(await client.rest(), '')
      assert.deepEqual(await eventsUpToNow(server(), stream), [[]])
    })
  }
})
