import { Validator } from '@seriousme/openapi-schema-validator'
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import manifest from '../../../package.json' with { type: 'json' }
import { REFUSALS } from '../../../src/http/server/refusals.ts'
import { RawClient } from '../raw-client.ts'
import { get, request, startPubsub } from '../requests.ts'

const pubsub = await startPubsub({
  server: { cors: { origins: ['https://a.example'] } },
  clients: { bad_credentials: 'reject' },
})
after(() => pubsub[Symbol.asyncDispose]())

interface Parameter {
  readonly in: string
  readonly name: string
}

interface Operation {
  readonly parameters: readonly Parameter[]
  readonly requestBody: { readonly content: object }
  readonly responses: Record<string, { readonly description: string; readonly content?: object }>
}

/** As the server sends it: the tests below are made of it. */
const SENT = await ask(get('/-/openapi.json'))
const DOCUMENT = JSON.parse(SENT.body) as {
  paths: Record<string, Record<string, Operation>>
}
const { get: listening, put: publishing } = DOCUMENT.paths['/{topics}']!

async function ask(bytes: Buffer) {
  await using client = await RawClient.open(pubsub.port)
  return await client.ask(bytes)
}

test('the document is OpenAPI, by a validator of its own', async () => {
  assert.equal(SENT.status, 200)
  assert.equal(SENT.headers['content-type'], 'application/json')
  const { valid, errors } = await new Validator().validate(DOCUMENT)
  assert.ok(valid, JSON.stringify(errors))
})

test('its version is that of the package', async () => {
  const { info } = JSON.parse((await ask(get('/-/openapi.json'))).body)
  assert.equal(info.version, manifest.version)
})

test('the page on streams and the document know the same parameters', async () => {
  const { readFileSync } = await import('node:fs')
  const page = readFileSync(new URL('../../../docs/streams.md', import.meta.url), 'utf8')
  const shown = new Set([...page.matchAll(/`\?([a-z_]+)=`/g)].map(([, name]) => name!))
  const described = listening!.parameters.filter((each) => each.in === 'query')
  assert.deepEqual([...shown].toSorted(), described.map(({ name }) => name).toSorted())
})

describe('each parameter of a stream is one that the server knows', () => {
  for (const { name } of listening!.parameters.filter((each) => each.in === 'query'))
    test(name, async () => {
      const accept = 'Accept: application/problem+json'
      const { status, body } = await ask(get(`/a?${name}=1&${name}=1`, accept))
      assert.equal(status, 400)
      assert.ok(JSON.parse(body).detail.startsWith(`${name} is given 2 times`), body)
    })
})

describe('each media type of a stream is one that is sent', () => {
  for (const type of Object.keys(listening!.responses[200]!.content!))
    test(type, async () => {
      await using client = await RawClient.open(pubsub.port)
      client.send(
        get('/a', `Accept: ${type}${type === 'text/html' ? ',application/xhtml+xml' : ''}`),
      )
      const { headers } = await client.head()
      assert.equal(headers['content-type']!.split(';')[0], type)
    })
})

describe('each media type of a publication is one that is taken', () => {
  const event = '{"specversion": "1.0", "id": "1", "source": "/a", "type": "b"}'
  for (const type of Object.keys(publishing!.requestBody.content))
    for (const method of ['PUT', 'POST'])
      test(`${method} ${type}`, async () => {
        const body = type.includes('batch') ? `[${event}]` : event
        const headers = [`Content-Type: ${type}`]
        assert.equal((await ask(request(method, '/a', { headers, body }))).status, 202)
        // One that were not known would be taken for a single object, whose lines are none.
        if (/ndjson|jsonl/.test(type))
          assert.equal((await ask(request(method, '/a', { headers, body: '{}\n{}' }))).status, 202)
      })
})

const BAD_LOGIN = 'Authorization: Basic YTpi'
const UPGRADE = [
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
]
/** These need a server in trouble or at its limits, which other tests have, or a bug: 500. */
const ELSEWHERE = ['408', '429', '431', '500', '503']
const ANSWERS: readonly (readonly [string, number, Buffer])[] = [
  ['put', 400, request('PUT', '/a', { body: '[]' })],
  ['put', 401, request('PUT', '/a', { headers: [BAD_LOGIN], body: '{}' })],
  ['put', 403, request('PUT', '/a', { headers: ['Origin: https://b.example'], body: '{}' })],
  ['put', 202, request('PUT', '/a', { headers: ['Idempotency-Key: k'], body: '{}' })],
  ['put', 422, request('PUT', '/b', { headers: ['Idempotency-Key: k'], body: '{}' })],
  ['get', 101, get('/a', ...UPGRADE)],
  ['get', 200, get('/a')],
  ['get', 403, get('/a', ...UPGRADE, 'Origin: https://b.example')],
  ['options', 400, request('OPTIONS', '/a')],
  ['get', 400, get('/a?count=0')],
  ['get', 401, get('/a', BAD_LOGIN)],
  ['get', 410, get('/a?cursor=x&on_gap=fail')],
  ['get', 426, get('/a', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==')],
  ['get', 504, get('/a?timeout=1ms')],
  ['head', 204, request('HEAD', '/a')],
  [
    'options',
    204,
    request('OPTIONS', '/a', {
      headers: ['Origin: https://a.example', 'Access-Control-Request-Method: PUT'],
    }),
  ],
  [
    'options',
    403,
    request('OPTIONS', '/a', {
      headers: ['Origin: https://b.example', 'Access-Control-Request-Method: PUT'],
    }),
  ],
]

test('another method below /-/ is refused, as described', async () => {
  assert.deepEqual(Object.keys(DOCUMENT.paths['/-/']!['delete']!.responses), ['405'])
  assert.equal((await ask(request('DELETE', '/-/'))).status, 405)
})

for (const [method, status, bytes] of ANSWERS)
  test(`${method} answers ${status}, as described`, async () => {
    assert.ok(status in DOCUMENT.paths['/{topics}']![method]!.responses)
    await using client = await RawClient.open(pubsub.port)
    client.send(bytes)
    assert.equal((await client.head()).status, status)
  })

test('every status that is described was among those', () => {
  for (const method of ['get', 'put', 'head', 'options'])
    for (const status of Object.keys(DOCUMENT.paths['/{topics}']![method]!.responses))
      assert.ok(
        ELSEWHERE.includes(status) || ANSWERS.some(([m, s]) => m === method && `${s}` === status),
        `${method} ${status}`,
      )
})

test('every code of a refusal is described somewhere, with its status', () => {
  const described = new Set<string>()
  for (const operations of Object.values(DOCUMENT.paths))
    for (const { responses = {} } of Object.values(operations))
      for (const [status, { description }] of Object.entries(responses))
        for (const code of description.split(', ')) described.add(`${status} ${code}`)
  for (const [code, { status }] of Object.entries(REFUSALS))
    assert.ok(described.has(`${status} ${code}`), code)
})
