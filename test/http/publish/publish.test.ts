import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RawClient } from '../raw-client.ts'
import {
  basic,
  eventsUpToNow,
  listen,
  NOT_ALLOWED,
  NOT_AN_OBJECT,
  NOT_UNDERSTOOD,
  publish,
  put,
  RECEIVED,
  request,
  sharedPubsub,
  TOO_LARGE,
} from '../requests.ts'

const server = sharedPubsub(
  {
    server: {
      max_payload_size: 1_000,
      hostnames: ['pubsub.example.org'],
      cors: { origins: ['https://dash.example'] },
    },
    clients: {
      trust_proxy: ['127.0.0.1'],
      secure_topics: ['guarded', 'vault', 'private'],
      bad_credentials: 'reject',
    },
  },
  {
    guard: { password: 'keys', topics: ['guarded'] },
    warden: { password: 'keys', topics: ['guarded', 'vault', 'private'], acl: { all: [] } },
    nobody: { password: 'keys' },
  },
)

const FROM_ELSEWHERE = 'X-Forwarded-For: 192.0.2.1'
const TOO_BIG = 'x'.repeat(1_001)

test('an event is published with its topics in order, repeated ones too, and its path as requested', async () => {
  await using stream = await listen(server())
  const answer = await publish(server(), '//b//a/b/,/%63?q#f', { n: 1 })
  assert.equal(answer.statusLine, 'HTTP/1.1 202 Accepted')
  assert.equal(answer.body, RECEIVED)
  const { json } = await stream.event()
  assert.deepEqual(Object.keys(json), [
    'n',
    'pubsub_timestamp',
    'pubsub_topics',
    'pubsub_path',
    'pubsub_cursor',
  ])
  assert.deepEqual(json.pubsub_topics, ['b', 'a', 'b', ',', 'c'])
  assert.equal(json.pubsub_path, '//b//a/b/,/c')
  assert.equal(json.pubsub_cursor, answer.headers['x-pubsub-cursor'])
  assert.ok(Math.abs(json.pubsub_timestamp - Date.now() / 1_000) < 60)
})

test('POST publishes as PUT does', async () => {
  await using stream = await listen(server())
  await using client = await RawClient.open(server().port)
  const { body } = await client.ask(request('POST', '/a', { body: '{"n": 1}' }))
  assert.equal(body, RECEIVED)
  assert.equal((await stream.event()).json.n, 1)
})

describe('the checks come in this order', () => {
  const WRONG = basic('guard', 'wrong')
  const RIGHT = basic('nobody', 'keys')
  const steps: readonly [string, Buffer, number, string | RegExp][] = [
    ['reserved path', put('/-/x', TOO_BIG, [WRONG, FROM_ELSEWHERE]), 400, /\/-\/ are the server/],
    ['credentials', put('/a', TOO_BIG, [WRONG, FROM_ELSEWHERE]), 401, /name or password/],
    ['address', put('/a', TOO_BIG, [RIGHT, FROM_ELSEWHERE]), 403, NOT_ALLOWED],
    ['secure topic', put('/guarded', TOO_BIG, [RIGHT]), 403, NOT_ALLOWED],
    ['web page', put('/a', TOO_BIG, [RIGHT, 'Origin: https://evil.example']), 403, NOT_ALLOWED],
    ['size', put('/a', TOO_BIG, [RIGHT]), 400, TOO_LARGE],
    ['JSON', put('/a', 'x', [RIGHT]), 400, NOT_UNDERSTOOD],
    ['object', put('/a', '[]', [RIGHT]), 400, NOT_AN_OBJECT],
    ['nothing wrong', put('/a', '{}', [RIGHT]), 202, RECEIVED],
  ]
  for (const [name, bytes, status, body] of steps)
    test(name, async () => {
      await using client = await RawClient.open(server().port)
      const answer = await client.ask(bytes)
      assert.equal(answer.status, status)
      if (typeof body === 'string') assert.equal(answer.body, body)
      else assert.match(answer.body, body)
      assert.equal(
        answer.headers['www-authenticate']?.startsWith('Basic '),
        status === 401 || undefined,
      )
    })

  for (const [name, bytes, status] of steps.slice(0, 6))
    test(`${name}: refused before the body has come`, async () => {
      await using client = await RawClient.open(server().port)
      const headEnd = bytes.indexOf('\r\n\r\n') + 4
      assert.equal((await client.ask(bytes.subarray(0, headEnd))).status, status)
      client.send(bytes.subarray(headEnd))
      assert.equal((await client.ask(put('/a', '{}'))).status, 202)
    })
})

describe('paths of our own', () => {
  for (const path of ['/-/healthz', '/-', '/-/', '//-/x', '/%2D/x', '/-/x?y'])
    test(`nothing can be published to ${path}`, async () => {
      await using client = await RawClient.open(server().port)
      const { status, body } = await client.ask(put(path, '{}'))
      assert.equal(status, 400)
      assert.match(body, /^paths that begin with \/-\/ are the server's own/)
    })

  for (const path of ['/a/-', '/-a', '/--', '/a/-/b'])
    test(`${path} is an ordinary path`, async () => {
      await publish(server(), path, {})
    })
})

describe('secure topics', () => {
  const cases: readonly [string, string, string | null, number][] = [
    ['anonymous', '/guarded', null, 403],
    ['anonymous, among others', '/a/guarded/b', null, 403],
    ['anonymous, escaped', '/%67uarded', null, 403],
    ['a user without them', '/guarded', 'nobody', 403],
    ['a user with them', '/a/guarded', 'guard', 202],
    ['a user with some of them', '/guarded/vault', 'guard', 403],
    ['a user with all of them', '/vault/guarded/a', 'warden', 202],
    ['a user without the first topic, private', '/private/guarded', 'guard', 403],
    ['a user with that, too', '/private/guarded', 'warden', 202],
    ['private elsewhere in the path', '/a/private', 'guard', 403],
    ['another spelling is another topic', '/Guarded', null, 202],
    ['a part is another topic', '/guarded,vault', null, 202],
  ]
  for (const [who, path, name, status] of cases)
    test(`${who}: ${status} at ${path}`, async () => {
      await using client = await RawClient.open(server().port)
      const headers = name === null ? [] : [basic(name, 'keys')]
      assert.equal((await client.ask(put(path, '{}', headers))).status, status)
    })

  test('who holds them may publish there from any address, but nowhere else', async () => {
    await using client = await RawClient.open(server().port)
    const headers = [basic('guard', 'keys'), FROM_ELSEWHERE]
    assert.equal((await client.ask(put('/guarded', '{}', headers))).status, 202)
    assert.equal((await client.ask(put('/a', '{}', headers))).status, 403)
  })

  test('everybody may listen to them', async () => {
    await using stream = await listen(server(), '/guarded')
    await publish(server(), '/guarded', { n: 1 }, basic('guard', 'keys'))
    assert.equal((await stream.event()).json.n, 1)
  })
})

test('private is taken off the topics once, stays in the path, and hides the event', async () => {
  const warden = basic('warden', 'keys')
  await using anybody = await listen(server())
  await using stream = await listen(server(), '/', warden)
  await publish(server(), '/private/private/a', { n: 1 }, warden)
  await publish(server(), '/a/private', { n: 2 }, warden)
  const [all, seen] = await eventsUpToNow(server(), stream, anybody)
  assert.deepEqual(
    all?.map((event) => [event.n, event.pubsub_topics, event.pubsub_path]),
    [
      [1, ['private', 'a'], '/private/private/a'],
      [2, ['a', 'private'], '/a/private'],
    ],
  )
  assert.deepEqual(
    seen?.map(({ n }) => n),
    [2],
  )
})

describe('a web page in the browser of somebody who may publish', () => {
  const pages: readonly [string, readonly string[], number][] = [
    ['of another origin', ['Origin: https://evil.example'], 403],
    ['of no origin', ['Origin: null'], 403],
    ['of an extension', ['Origin: chrome-extension://abcdef'], 403],
    ['of an origin that is listed', ['Origin: https://dash.example'], 202],
    ['of a listed origin with another scheme', ['Origin: http://dash.example'], 403],
    ['of a listed origin with another port', ['Origin: https://dash.example:444'], 403],
    ['of ours by address', ['Host: 127.0.0.1:2069', 'Origin: http://127.0.0.1:2069'], 202],
    ['of ours by IPv6 address', ['Host: [::1]:2069', 'Origin: http://[::1]:2069'], 202],
    ['of ours as localhost', ['Host: localhost:2069', 'Origin: http://localhost:2069'], 202],
    ['of ours by name', ['Host: PubSub.example.org', 'Origin: http://pubsub.example.org'], 202],
    ['of another port of ours', ['Host: 127.0.0.1:2069', 'Origin: http://127.0.0.1:8080'], 403],
    ['under a name rebound to us', ['Host: evil.example', 'Origin: http://evil.example'], 403],
    ['that sends no Origin, elsewhere', ['Sec-Fetch-Site: cross-site'], 403],
    ['that sends no Origin, ours', ['Sec-Fetch-Site: same-origin'], 202],
    ['typed by the user', ['Sec-Fetch-Site: none'], 202],
    ['with two origins', ['Origin: https://dash.example', 'Origin: https://evil.example'], 403],
  ]
  for (const [which, headers, status] of pages)
    test(`${which}: ${status}`, async () => {
      await using client = await RawClient.open(server().port)
      const answer = await client.ask(put('/a', '{}', headers))
      assert.deepEqual(
        [answer.status, answer.body],
        [status, status === 202 ? RECEIVED : NOT_ALLOWED],
      )
    })

  test('a form of a foreign page publishes nothing', async () => {
    await using stream = await listen(server())
    await using client = await RawClient.open(server().port)
    const headers = ['Origin: https://evil.example', 'Content-Type: text/plain']
    const { status } = await client.ask(request('POST', '/a', { headers, body: '{"a": "=}"}' }))
    assert.equal(status, 403)
    assert.deepEqual(await eventsUpToNow(server(), stream), [[]])
  })

  test('secure topics are no way around', async () => {
    await using client = await RawClient.open(server().port)
    const headers = [basic('guard', 'keys'), 'Origin: https://evil.example']
    assert.equal((await client.ask(put('/guarded', '{}', headers))).status, 403)
  })
})
