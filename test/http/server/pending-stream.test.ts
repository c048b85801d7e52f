import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RawClient } from '../raw-client.ts'
import {
  basic,
  eventsUpToNow,
  get,
  listen,
  put,
  RECEIVED,
  request,
  sharedPubsub,
} from '../requests.ts'

const server = sharedPubsub({
  clients: { trust_proxy: ['127.0.0.1'], bad_credentials: 'reject' },
  protocols: { lonelyps: {} },
})

/** Whoever guesses passwords is slowed, so each does it from an address of its own. */
let addresses = 0

/** Requests for streams that are refused, once their log-ins are judged, which takes a while. */
function refusedStream(...headers: readonly string[]): Buffer {
  return get('/a', basic('a', 'b'), `X-Forwarded-For: 198.51.100.${++addresses}`, ...headers)
}

describe('behind a request for a stream that is refused', () => {
  test('requests are carried out in turn, streams among them', async () => {
    await using witness = await listen(server())
    await using client = await RawClient.open(server().port)
    client.send(
      Buffer.concat([
        refusedStream(),
        put('/a', '{"n": 1}'),
        refusedStream(),
        put('/a', '{"n": 2}'),
        get('/'),
        put('/a', '{"n": 3}'),
      ]),
    )
    assert.equal((await client.answer()).status, 401)
    assert.equal((await client.answer()).body, RECEIVED)
    assert.equal((await client.answer()).status, 401)
    assert.equal((await client.answer()).body, RECEIVED)
    assert.equal((await client.head()).status, 200)
    assert.ok((await client.line()).isControl)
    const [seen] = await eventsUpToNow(server(), witness)
    assert.deepEqual(
      seen?.map(({ n }) => n),
      [1, 2],
    )
  })

  test('more than is read at once is carried out, too, each with one answer', async () => {
    await using client = await RawClient.open(server().port)
    const publications = Array.from({ length: 2_000 }, () => put('/a', '{}'))
    client.send(Buffer.concat([refusedStream(), ...publications]))
    assert.equal((await client.answer()).status, 401)
    for (const _ of publications) assert.equal((await client.answer()).body, RECEIVED)
  })

  test('nothing is carried out if the connection is closed behind the answer', async () => {
    await using witness = await listen(server())
    await using client = await RawClient.open(server().port)
    client.send(Buffer.concat([refusedStream('Connection: close'), put('/a', '{"n": 1}')]))
    const { status, headers } = await client.answer()
    assert.deepEqual([status, headers['connection']], [401, 'close'])
    assert.equal(await client.rest(), '')
    assert.deepEqual(await eventsUpToNow(server(), witness), [[]])
  })

  for (const [what, bytes] of [
    ['no request', Buffer.from('garbage\r\n\r\n')],
    ['a request to a proxy', request('CONNECT', 'example.org:443')],
  ] as const)
    test(`${what} has no answer before that one, behind which the connection is closed`, async () => {
      await using client = await RawClient.open(server().port)
      client.send(Buffer.concat([refusedStream(), bytes]))
      const { status, headers } = await client.answer()
      assert.deepEqual([status, headers['connection']], [401, 'close'])
      await client.closed()
    })
})

test('a request to a proxy is refused behind the answers to the requests before it', async () => {
  await using client = await RawClient.open(server().port)
  const wrong = [basic('a', 'b'), `X-Forwarded-For: 198.51.100.${++addresses}`]
  client.send(Buffer.concat([put('/a', '{}', wrong), request('CONNECT', 'example.org:443')]))
  assert.equal((await client.answer()).status, 401)
  await client.closed()
})

test('a publication that is refused leaves a stream behind it deaf', async () => {
  await using witness = await listen(server())
  await using client = await RawClient.open(server().port)
  client.send(Buffer.concat([put('/a', '{'), get('/'), put('/a', '{"n": 1}')]))
  assert.equal((await client.answer()).status, 400)
  assert.equal((await client.head()).status, 200)
  assert.deepEqual(await eventsUpToNow(server(), witness), [[]])
})

test('a stream behind a publication that takes long begins once that is answered', async () => {
  await using client = await RawClient.open(server().port)
  const wrong = [basic('a', 'b'), `X-Forwarded-For: 198.51.100.${++addresses}`]
  client.send(Buffer.concat([put('/a', '{}', wrong), get('/')]))
  assert.equal((await client.answer()).status, 401)
  assert.equal((await client.head()).status, 200)
})
