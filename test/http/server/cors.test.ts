import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RunningServer } from '../../running-server.ts'
import { RawClient, type Head } from '../raw-client.ts'
import {
  basic,
  chunkedBody,
  eventsUpToNow,
  get,
  listen,
  NOT_ALLOWED,
  NOT_UNDERSTOOD,
  publish,
  put,
  request,
  sharedPubsub,
  startPubsub,
} from '../requests.ts'
import { tlsSection } from '../tls-section.ts'

const USERS = { alice: { password: 'wonderland', acl: { fruit: ['fruits'] } } }
const DASH = 'https://dash.example'
const EVIL = 'https://evil.example'

function pubsub(origins: unknown) {
  const clients = { bad_credentials: 'reject' }
  return sharedPubsub({ server: { cors: { origins } }, clients }, USERS)
}
const off = pubsub('off')
const listed = pubsub([DASH])
const any = pubsub('any')
const both = pubsub(['any', DASH])

const EXPOSED = 'X-Pubsub-Cursor, X-Subscribers, X-Requests, Retry-After'

/** What a browser is told about CORS. */
function corsOf({ headers }: Head): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name === 'vary' || name.startsWith('access-')),
  )
}

const VARY = { vary: 'Origin' }
const EVERYTHING = {
  ...VARY,
  'access-control-allow-origin': DASH,
  'access-control-allow-credentials': 'true',
  'access-control-expose-headers': EXPOSED,
}
const PUBLIC_STREAMS = {
  ...VARY,
  'access-control-allow-origin': '*',
  'access-control-expose-headers': EXPOSED,
}

const CASES: readonly [string, () => RunningServer, string | null, object][] = [
  ['off, a page', off, DASH, {}],
  ['off, no page', off, null, {}],
  ['a list, a page on it', listed, DASH, EVERYTHING],
  ['a list, another page', listed, EVIL, VARY],
  ['a list, a page with another port', listed, `${DASH}:8443`, VARY],
  ['a list, a page with another scheme', listed, 'http://dash.example', VARY],
  ['a list, a page of no origin', listed, 'null', VARY],
  ['a list, an Origin that is a list', listed, `${DASH}, ${EVIL}`, VARY],
  ['a list, no page', listed, null, VARY],
  ['any, a page', any, EVIL, PUBLIC_STREAMS],
  ['any, a page of no origin', any, 'null', PUBLIC_STREAMS],
  ['any and a list, a page on it', both, DASH, EVERYTHING],
  ['any and a list, another page', both, EVIL, PUBLIC_STREAMS],
]

for (const [what, server, origin, expected] of CASES)
  describe(`every kind of answer tells the browser the same: ${what}`, () => {
    const headers = origin === null ? [] : [`Origin: ${origin}`]

    test('a stream, which goes on as ever', async () => {
      await using stream = await listen(server(), '/a', ...headers)
      assert.deepEqual(corsOf(stream.streamHead), expected)
      await publish(server(), '/a', { n: 1 })
      assert.equal((await stream.event()).json.n, 1)
    })

    const answers: Readonly<Record<string, Buffer>> = {
      'a publication': put('/a', '{}', headers),
      counts: request('HEAD', '/a', { headers }),
      'what is no JSON': put('/a', '{', headers),
      'a reserved path': put('/-/a', '{}', headers),
      'wrong credentials': get('/a', basic('alice', 'wrong'), ...headers),
      'no such page': get('/-/nothing', ...headers),
      'a method that means nothing': request('DELETE', '/a', { headers }),
      'a method that the page does not know': request('DELETE', '/-/a', { headers }),
      'a broken body': request('PUT', '/a', {
        headers: [...headers, 'Transfer-Encoding: chunked'],
        body: 'zz\r\n',
      }),
    }
    for (const [kind, bytes] of Object.entries(answers))
      test(kind, async () => {
        await using client = await RawClient.open(server().port)
        assert.deepEqual(corsOf(await client.ask(bytes)), expected)
      })
  })

function ask(origin: string, method: string, ...headers: readonly string[]): Buffer {
  const all = [`Origin: ${origin}`, `Access-Control-Request-Method: ${method}`, ...headers]
  return request('OPTIONS', '/a/b,c', { headers: all })
}

describe('a browser that asks beforehand', () => {
  const MAX_AGE = { 'access-control-max-age': '600' }
  const mayPublish = {
    ...EVERYTHING,
    ...MAX_AGE,
    'access-control-allow-methods': 'GET, HEAD, PUT, POST',
    'access-control-allow-headers':
      'Last-Event-ID, X-Fetch-Since, X-Fetch-Since-Cursor, Authorization, Content-Type, Idempotency-Key',
  }
  const mayRead = {
    ...PUBLIC_STREAMS,
    ...MAX_AGE,
    'access-control-allow-methods': 'GET, HEAD',
    'access-control-allow-headers': 'Last-Event-ID, X-Fetch-Since, X-Fetch-Since-Cursor',
  }
  const cases: readonly [string, () => RunningServer, string, object][] = [
    ['for a page on the list', listed, DASH, mayPublish],
    ['for a page on the list beside any', both, DASH, mayPublish],
    ['for any page', any, EVIL, mayRead],
    ['for any page beside a list', both, EVIL, mayRead],
    ['for a page of no origin', any, 'null', mayRead],
  ]
  for (const [what, server, origin, expected] of cases)
    test(`${what} is told what it may send`, async () => {
      await using client = await RawClient.open(server().port)
      for (const method of ['GET', 'PUT']) {
        const answer = await client.ask(ask(origin, method))
        assert.equal(answer.status, 204)
        assert.deepEqual(corsOf(answer), expected)
        assert.match(answer.headers['server'] ?? '', /^PyPubSub/)
      }
    })

  describe('is granted the headers of a CloudEvent by the names it asks for', () => {
    const many = Array.from({ length: 100 }, (_, i) => `ce-x${i}`)
    const granted: readonly [string, string, readonly string[]][] = [
      [
        'as a browser asks',
        'ce-id,ce-source,ce-type,content-type',
        ['ce-id', 'ce-source', 'ce-type'],
      ],
      ['with blanks', ' ce-id ,\tce-myextension', ['ce-id', 'ce-myextension']],
      ['in capitals', 'CE-Subject', ['CE-Subject']],
      ['what no attribute is called', 'ce-,ce-a-b,ce-a_b,ce-*,xce-id,x-mine,*,,', []],
      ['a name too long', `ce-${'x'.repeat(65)},ce-id`, ['ce-id']],
      ['too many', many.join(), many.slice(0, 64)],
    ]
    for (const [what, asked, expected] of granted)
      test(what, async () => {
        await using client = await RawClient.open(both().port)
        const wish = `Access-Control-Request-Headers: ${asked}`
        const allowed = async (origin: string) =>
          (await client.ask(ask(origin, 'POST', wish))).headers['access-control-allow-headers']
        const always = mayPublish['access-control-allow-headers']
        assert.equal(await allowed(DASH), [always, ...expected].join(', '))
        assert.equal(await allowed(EVIL), mayRead['access-control-allow-headers'])
      })
  })

  test('for a page that is not listed is told no, and who can change it', async () => {
    await using client = await RawClient.open(listed().port)
    const answer = await client.ask(ask(EVIL, 'PUT'))
    assert.equal(answer.status, 403)
    assert.deepEqual(corsOf(answer), VARY)
    assert.match(answer.body, /^pages of this origin .*server\.cors\.origins\n$/)
  })

  test('where nothing is configured gets the usage text, as from PyPubSub', async () => {
    await using client = await RawClient.open(off().port)
    const answer = await client.ask(ask(DASH, 'GET'))
    assert.deepEqual([answer.status, answer.body, corsOf(answer)], [400, NOT_UNDERSTOOD, {}])
  })

  test('is one only with an origin and a method', async () => {
    await using client = await RawClient.open(listed().port)
    for (const header of [`Origin: ${DASH}`, 'Access-Control-Request-Method: GET', 'X-A: b']) {
      const { status, body } = await client.ask(request('OPTIONS', '/a', { headers: [header] }))
      assert.deepEqual([status, body], [400, NOT_UNDERSTOOD], header)
    }
  })
})

test('over TLS it is the same', async () => {
  await using server = await startPubsub({
    server: { cors: { origins: [DASH] }, tls: tlsSection() },
  })
  await using client = await RawClient.open(server.tlsPort!, { tls: true })
  assert.equal((await client.ask(ask(DASH, 'PUT'))).status, 204)
  for (const bytes of [
    put('/a', '{}', [`Origin: ${DASH}`]),
    put('/a', '{', [`Origin: ${DASH}`]),
    request('HEAD', '/a', { headers: [`Origin: ${DASH}`] }),
  ])
    assert.deepEqual(corsOf(await client.ask(bytes)), EVERYTHING)
  client.send(get('/a', `Origin: ${DASH}`))
  assert.deepEqual(corsOf(await client.head()), EVERYTHING)
})

describe('whoever may read may still not publish', () => {
  for (const [what, server] of [
    ['any', any],
    ['any beside a list', both],
    ['a list without it', listed],
    ['off', off],
  ] as const)
    test(`${what}: a foreign page is refused before its body is read`, async () => {
      await using stream = await listen(server())
      await using client = await RawClient.open(server().port)
      for (const method of ['PUT', 'POST'])
        for (const type of ['text/plain', 'application/json']) {
          const headers = [`Origin: ${EVIL}`, `Content-Type: ${type}`]
          const { status, body } = await client.ask(request(method, '/a', { headers, body: '{}' }))
          assert.deepEqual([status, body], [403, NOT_ALLOWED])
        }
      const chunked = [`Origin: ${EVIL}`, 'Transfer-Encoding: chunked']
      const bytes = request('POST', '/a', { headers: chunked, body: chunkedBody('{}') })
      assert.equal((await client.ask(bytes)).status, 403)
      assert.deepEqual(await eventsUpToNow(server(), stream), [[]])
    })

  test('a listed page publishes, and sees the private events of who sits before it', async () => {
    for (const server of [listed(), both()]) {
      const origin = `Origin: ${DASH}`
      await using stream = await listen(server, '/', origin, basic('alice', 'wonderland'))
      await publish(server, '/private/fruits', { n: 1 }, origin)
      const [events] = await eventsUpToNow(server, stream)
      assert.deepEqual(
        events?.map(({ n }) => n),
        [1],
      )
    }
  })
})
