import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { OverloadedError } from '../../../src/hub/errors.ts'
import { REFUSALS, refusalOf } from '../../../src/http/server/refusals.ts'
import { RawClient } from '../raw-client.ts'
import {
  basic,
  get,
  listen,
  NOT_ALLOWED,
  NOT_AN_OBJECT,
  NOT_UNDERSTOOD,
  put,
  request,
  sharedPubsub,
  TOO_LARGE,
} from '../requests.ts'

const server = sharedPubsub({
  server: { max_payload_size: 1_000, cors: { origins: ['https://dash.example'] } },
  clients: { trust_proxy: ['127.0.0.1'], bad_credentials: 'reject' },
  limits: { json_depth: 3, topics: 3, topic_filters: 3, streams_per_address: 1 },
})

interface Case {
  readonly bytes: (...headers: readonly string[]) => Buffer
  readonly status: number
  readonly code: string
  /** What a terminal shows: a text of PyPubSub's, or what one line of ours must hold. */
  readonly shows: string | readonly RegExp[]
  /** What a program is told beside the code. */
  readonly detail: RegExp
}

const PUBLISHING = /curl -XPUT -d '\{.+\}' http:\/\/HOST\//
const FOLLOWING = /curl -N http:\/\/HOST\//

const CASES: Readonly<Record<string, Case>> = {
  'not JSON': {
    bytes: (...headers) => put('/a', '{', headers),
    status: 400,
    code: 'BAD_REQUEST',
    shows: NOT_UNDERSTOOD,
    detail: /not valid JSON.*curl -XPUT/,
  },
  'a coding that nobody knows': {
    bytes: (...headers) => put('/a', '{}', [...headers, 'Content-Encoding: zstd']),
    status: 400,
    code: 'BAD_REQUEST',
    shows: NOT_UNDERSTOOD,
    detail: /unknown Content-Encoding, use identity, gzip/,
  },
  'a method that means nothing': {
    bytes: (...headers) => request('DELETE', '/a', { headers }),
    status: 400,
    code: 'BAD_REQUEST',
    shows: NOT_UNDERSTOOD,
    detail: /only GET, HEAD, PUT and POST/,
  },
  'not an object': {
    bytes: (...headers) => put('/a', '[]', headers),
    status: 400,
    code: 'NOT_AN_OBJECT',
    shows: NOT_AN_OBJECT,
    detail: PUBLISHING,
  },
  'too large': {
    bytes: (...headers) => put('/a', 'x'.repeat(1_001), headers),
    status: 400,
    code: 'PAYLOAD_TOO_LARGE',
    shows: TOO_LARGE,
    detail: /1000 bytes \(server\.max_payload_size\)/,
  },
  'too deep': {
    bytes: (...headers) => put('/a', '{"a": [[[1]]]}', headers),
    status: 400,
    code: 'LIMIT_EXCEEDED',
    shows: [/limit of 3 levels \(limits\.json_depth\)/],
    detail: /json_depth/,
  },
  'too many topics': {
    bytes: (...headers) => put('/a/b/c/d', '{}', headers),
    status: 400,
    code: 'LIMIT_EXCEEDED',
    shows: [/4 topics, the limit is 3 \(limits\.topics\)/],
    detail: /limits\.topics/,
  },
  'too many topic filters': {
    bytes: (...headers) => get('/a,b,c,d', ...headers),
    status: 400,
    code: 'LIMIT_EXCEEDED',
    shows: [/4 topic filters, the limit is 3 \(limits\.topic_filters\)/],
    detail: /limits\.topic_filters/,
  },
  'a path of the server': {
    bytes: (...headers) => put('/-/a', '{}', headers),
    status: 400,
    code: 'RESERVED_PATH',
    shows: [/begin with \/-\//, PUBLISHING],
    detail: PUBLISHING,
  },
  'wrong credentials': {
    bytes: (...headers) => get('/a', basic('alice', 'wrong'), ...headers),
    status: 401,
    code: 'BAD_CREDENTIALS',
    shows: [/^user name or password is wrong/, /curl -u NAME:PASSWORD/],
    detail: /curl -u/,
  },
  'not allowed': {
    bytes: (...headers) => put('/a', '{}', [...headers, 'X-Forwarded-For: 192.0.2.1']),
    status: 403,
    code: 'FORBIDDEN',
    shows: NOT_ALLOWED,
    detail: /clients\.payloaders/,
  },
  'a foreign page': {
    bytes: (...headers) => put('/a', '{}', [...headers, 'Origin: https://evil.example']),
    status: 403,
    code: 'FORBIDDEN',
    shows: NOT_ALLOWED,
    detail: /server\.cors\.origins/,
  },
  'a browser that asks for a foreign page': {
    bytes: (...headers) =>
      request('OPTIONS', '/a', {
        headers: [...headers, 'Origin: https://evil.example', 'Access-Control-Request-Method: PUT'],
      }),
    status: 403,
    code: 'ORIGIN_NOT_ALLOWED',
    shows: [/server\.cors\.origins/],
    detail: /server\.cors\.origins/,
  },
  'no such page': {
    bytes: (...headers) => get('/-/nothing', ...headers),
    status: 404,
    code: 'NOT_FOUND',
    shows: [/no such page/, FOLLOWING],
    detail: FOLLOWING,
  },
  'a method that pages do not know': {
    bytes: (...headers) => request('DELETE', '/-/a', { headers }),
    status: 405,
    code: 'METHOD_NOT_ALLOWED',
    shows: [/GET and HEAD only/, PUBLISHING],
    detail: PUBLISHING,
  },
  'a WebSocket without a key': {
    bytes: (...headers) => get('/a', 'Connection: Upgrade', 'Upgrade: websocket', ...headers),
    status: 400,
    code: 'BAD_HANDSHAKE',
    shows: [/Sec-WebSocket-Key/, FOLLOWING],
    detail: FOLLOWING,
  },
  'a WebSocket whose Upgrade a proxy took off': {
    bytes: (...headers) => get('/a', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', ...headers),
    status: 426,
    code: 'UPGRADE_REQUIRED',
    shows: [/proxy_set_header/, FOLLOWING],
    detail: FOLLOWING,
  },
  'an unknown word in the query': {
    bytes: (...headers) => get('/a?on_gap=maybe', ...headers),
    status: 400,
    code: 'BAD_QUERY',
    shows: [/on_gap must be oldest, live or fail/],
    detail: /on_gap/,
  },
  'a cursor of another log, with on_gap=fail': {
    bytes: (...headers) =>
      get(
        '/a?on_gap=fail',
        'X-Fetch-Since-Cursor: 4d870a6f-8ec8-4f25-98ee-bd867ea0b201',
        ...headers,
      ),
    status: 410,
    code: 'GONE',
    shows: [/on_gap=oldest or on_gap=live/],
    detail: /on_gap=oldest/,
  },
}

const PROBLEM = 'application/problem+json'
const PAGE = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')

for (const [what, { bytes, status, code, shows, detail }] of Object.entries(CASES))
  describe(`a refusal teaches: ${what}`, () => {
    test('in a terminal, in one line', async () => {
      await using client = await RawClient.open(server().port)
      const answer = await client.ask(bytes('Accept: */*'))
      assert.equal(answer.status, status)
      assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8')
      if (typeof shows === 'string') assert.equal(answer.body, shows)
      else for (const pattern of shows) assert.match(answer.body, pattern)
      assert.match(answer.body, /^[\x20-\x7e]+\n$/)
    })

    test('a program that asks for it, with a code', async () => {
      await using client = await RawClient.open(server().port)
      const answer = await client.ask(bytes(`Accept: ${PROBLEM}`))
      assert.equal(answer.status, status)
      assert.equal(answer.headers['content-type'], PROBLEM)
      const problem = JSON.parse(answer.body)
      assert.deepEqual(Object.keys(problem), ['type', 'title', 'status', 'detail', 'code'])
      assert.deepEqual(
        [problem.type, `HTTP/1.1 ${status} ${problem.title}`, problem.status, problem.code],
        ['about:blank', answer.statusLine, status, code],
      )
      assert.match(problem.detail, detail)
    })
  })

describe('what has a header of its own says so in either form', () => {
  for (const accept of ['*/*', PROBLEM])
    test(accept, async () => {
      await using client = await RawClient.open(server().port)
      const ask = (bytes: Case['bytes']) => client.ask(bytes(`Accept: ${accept}`))
      const { headers: pages } = await ask((...headers) => request('PATCH', '/-/a', { headers }))
      assert.equal(pages['allow'], 'GET, HEAD')
      const { headers: wrong } = await ask((...headers) => get('/', basic('a', 'b'), ...headers))
      assert.match(wrong['www-authenticate'] ?? '', /^Basic realm="[^"]+", charset="UTF-8"$/)
      await using _stream = await listen(server())
      const full = await ask((...headers) => get('/', ...headers))
      assert.equal(full.status, 429)
      assert.match(full.headers['retry-after'] ?? '', /^[1-9]\d*$/)
      assert.match(full.body, /1 streams? open.*limits\.streams_per_address.*curl -N/)
    })
})

describe('which form a refusal has', () => {
  const forms: readonly [string | null, boolean][] = [
    [null, false],
    ['*/*', false],
    ['', false],
    ['application/json', true],
    ['application/json, */*', false],
    ['application/json, text/plain, */*', false],
    ['application/json; q=0.9, text/*; q=0', true],
    ['text/html, application/xhtml+xml', false],
    ['application/problem+json', true],
    ['Application/Problem+JSON', true],
    ['text/plain, application/problem+json; q=0.5', true],
    ['text/event-stream, application/problem+json', true],
    ['application/problem+json;q=0', false],
    ['application/problem+json ; q = 0.000', false],
    ['application/problem+jsonx', false],
    ['application/cloudevents+json', false],
    [',;,=;q=0,json', false],
  ]
  for (const [accept, isProblem] of forms)
    test(`${accept ?? 'no Accept'}: ${isProblem ? 'problem+json' : 'text'}`, async () => {
      await using client = await RawClient.open(server().port)
      const headers = accept === null ? [] : [`Accept: ${accept}`]
      const answer = await client.ask(put('/a', '[]', headers))
      assert.equal(answer.headers['content-type'] === PROBLEM, isProblem)
      assert.equal(answer.body === NOT_AN_OBJECT, !isProblem)
    })
})

describe('where Node keeps no answer for us', () => {
  test('a broken body is refused in the form that its head asked for', async () => {
    await using client = await RawClient.open(server().port)
    const headers = [`Accept: ${PROBLEM}`, 'Transfer-Encoding: chunked']
    const answer = await client.ask(request('PUT', '/a', { headers, body: 'zz\r\n' }))
    assert.deepEqual(
      [answer.status, answer.headers['content-type'], JSON.parse(answer.body).code],
      [400, PROBLEM, 'BAD_REQUEST'],
    )
    await client.closed()
  })

  test('CONNECT, too', async () => {
    await using client = await RawClient.open(server().port)
    const answer = await client.ask(`CONNECT a:1 HTTP/1.1\r\nHost: a\r\nAccept: ${PROBLEM}\r\n\r\n`)
    assert.match(JSON.parse(answer.body).detail, /^this is no proxy; .*curl/)
  })

  test('what has no head gets text: the limit and how to stay below it', async () => {
    await using client = await RawClient.open(server().port)
    const { status, body } = await client.ask(get('/', `X-Long: ${'a'.repeat(70_000)}`))
    assert.equal(status, 431)
    assert.match(body, /limit of 65536 bytes \(limits\.head_bytes\); ask for fewer topics/)
  })
})

test('the page on errors shows what is answered', async () => {
  await using client = await RawClient.open(server().port)
  const { body } = await client.ask(put('/fruits', '[1]', [`Accept: ${PROBLEM}`]))
  assert.equal(/^\{"type".*\n/m.exec(PAGE)?.[0], body)
})

test('the page on errors lists every code with its status', () => {
  const rows = [...PAGE.matchAll(/^\| (\d{3}) \| `([A-Z_]+)` \|/gm)]
  assert.deepEqual(
    Object.fromEntries(rows.map(([, status, code]) => [code, Number(status)])),
    Object.fromEntries(Object.entries(REFUSALS).map(([code, { status }]) => [code, status])),
  )
})

test('those whom one cause refuses for now are not all asked back in the same second', () => {
  const told = Array.from({ length: 1_000 }, () =>
    Number(refusalOf(new OverloadedError('full'), undefined).headers['Retry-After']),
  )
  assert.deepEqual(
    [...new Set(told)].toSorted((a, b) => a - b),
    [5, 6, 7, 8, 9, 10],
  )
})
