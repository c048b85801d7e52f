import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { describe, test } from 'node:test'
import { RawClient } from '../raw-client.ts'
import { basic, get, listen, publish, sharedPubsub, startPubsub } from '../requests.ts'
import { refusalText } from '../../../src/auth/policy.ts'

const USERS = { alice: { password: 'wonderland', acl: { fruit: ['fruits'] }, topics: ['release'] } }
const pubsub = sharedPubsub({ clients: { secure_topics: ['release'] } }, USERS)

/** What browsers send when somebody navigates. */
const CHROMIUM =
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8'
const FIREFOX = 'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'

async function ask(target: string, ...headers: string[]) {
  await using client = await RawClient.open(pubsub().port)
  return await client.ask(get(target, ...headers))
}

describe('a browser that navigates gets the page', () => {
  for (const accept of [CHROMIUM, FIREFOX])
    for (const path of ['/', '/fruits/apples,nuts?where=a%20%3E%201', '/private/x', '/-/', '/-'])
      test(`${path} with ${accept.slice(8, 60)}`, async () => {
        const { status, headers, body } = await ask(path, accept)
        assert.equal(status, 200)
        assert.equal(headers['content-type'], 'text/html; charset=utf-8')
        assert.equal(headers['vary'], 'Accept')
        assert.match(body, /^<!doctype html>/)
      })

  test('which may load nothing but its own files, run nothing inline, and be framed by nobody', async () => {
    const { headers, body } = await ask('/', CHROMIUM)
    const policy = headers['content-security-policy']!.split('; ')
    for (const rule of [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "connect-src 'self'",
      "frame-ancestors 'none'",
    ])
      assert.ok(policy.includes(rule), rule)
    assert.doesNotMatch(headers['content-security-policy']!, /unsafe|http:|\*/)
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.doesNotMatch(body, /<style|<script(?! type="module" src=)|style=|\son\w+=/)
  })
})

describe('all others get their streams', () => {
  for (const accept of [
    '*/*',
    'text/html',
    'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2', // Java's
    'application/x-ndjson, text/html;q=0.9, application/xhtml+xml;q=0.9',
    'application/xhtml+xml, text/html;q=0.1, application/x-ndjson;q=0.2',
    'text/event-stream',
    'text/event-stream',
    'text/html;q=0, application/xhtml+xml',
  ])
    test(accept, async () => {
      await using client = await RawClient.open(pubsub().port)
      client.send(get('/streams', `Accept: ${accept}`))
      const { headers } = await client.head()
      assert.match(headers['content-type']!, /stream|ndjson/)
      assert.equal(headers['vary'], undefined)
      assert.match((await client.chunk())!, /stillalive|cursor/)
    })
})

describe('the files of the page', () => {
  const names = readdirSync(new URL('../../../src/ui/page', import.meta.url))

  test('are served with the type that each has', async () => {
    const types = {
      html: 'text/html',
      css: 'text/css',
      js: 'text/javascript',
      svg: 'image/svg+xml',
    }
    assert.ok(names.length > 5)
    for (const name of names) {
      const { status, headers } = await ask(`/-/${name}`)
      assert.equal(status, 200)
      const type = types[name.split('.').at(-1) as keyof typeof types]
      assert.equal(headers['content-type']!.split(';')[0], type, name)
      assert.equal(headers['x-content-type-options'], 'nosniff')
    }
  })

  test('are sent once, as long as they stay the same', async () => {
    const { headers } = await ask('/-/page.js')
    const etag = headers['etag']!
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`]) {
      const again = await ask('/-/page.js', `If-None-Match: ${known}`)
      assert.equal(again.status, 304)
      assert.equal(again.body, '')
    }
    assert.equal((await ask('/-/page.js', 'If-None-Match: "other"')).status, 200)
  })

  for (const path of [
    '/-/page.ts',
    '/-/../page.ts',
    '/-/%2e%2e/page.ts',
    '/-/page.js/',
    '/-/toString',
  ])
    test(`${path} is none of them`, async () => {
      assert.equal((await ask(path)).status, 404)
    })

  test('leave the connection as it was', async () => {
    await using client = await RawClient.open(pubsub().port)
    for (const path of ['/-/page.css', '/-/page.css', '/-/visitor'])
      assert.equal((await client.ask(get(path))).status, 200)
  })
})

async function visitor(query: string, ...headers: string[]) {
  const host = headers.some((line) => line.startsWith('Host:')) ? [] : ['Host: localhost']
  const { status, body } = await ask(`/-/visitor${query}`, ...host, ...headers)
  assert.equal(status, 200)
  return JSON.parse(body) as unknown
}

describe('what the page asks about its visitor', () => {
  const ALICE = basic('alice', 'wonderland')

  test('who it is, and whether it may publish', async () => {
    assert.deepEqual(await visitor(''), { user: null, may_publish: true, reason: null })
    assert.deepEqual(await visitor('?path=/fruits', ALICE), {
      user: 'alice',
      may_publish: true,
      reason: null,
    })
    assert.deepEqual(await visitor('?path=/release'), {
      user: null,
      may_publish: false,
      reason: refusalText({
        type: 'secured-topic',
        secured: [{ topic: 'release', isHeld: false }],
      }),
    })
    assert.deepEqual(await visitor('?path=/release', ALICE), {
      user: 'alice',
      may_publish: true,
      reason: null,
    })
    assert.deepEqual(await visitor('?path=/-/x'), {
      user: null,
      may_publish: false,
      reason: refusalText({ type: 'reserved-path' }),
    })
  })

  test('no page of another origin, and none whose name was pointed here, may', async () => {
    const reason = refusalText({ type: 'foreign-page' })
    const no = { user: null, may_publish: false, reason }
    assert.deepEqual(await visitor('', 'Origin: https://evil.example'), no)
    assert.deepEqual(await visitor('?origin=http://evil.example', 'Host: evil.example'), no)
    const behindProxy = '?origin=https://localhost'
    assert.deepEqual(await visitor(behindProxy, 'Host: localhost'), no)
    const own = '?origin=http://localhost'
    assert.deepEqual(await visitor(own, 'Host: localhost'), {
      user: null,
      may_publish: true,
      reason: null,
    })
  })

  test('an address that is not listed may not', async () => {
    await using elsewhere = await startPubsub({ clients: { payloaders: ['10.0.0.1'] } })
    const answer = await fetch(`${elsewhere.url}/-/visitor`)
    const reason = refusalText({ type: 'foreign-address', address: '127.0.0.1' })
    assert.deepEqual(await answer.json(), { user: null, may_publish: false, reason })
  })
})

test('where pages of other origins may read, a cache is told of both headers that decide', async () => {
  await using listing = await startPubsub({
    server: { cors: { origins: ['https://dash.example'] } },
  })
  await using client = await RawClient.open(listing.port)
  assert.equal((await client.ask(get('/', CHROMIUM))).headers['vary'], 'Origin, Accept')
  const { body, headers } = await client.ask(get('/-/visitor', 'Origin: https://dash.example'))
  assert.deepEqual(JSON.parse(body), { user: null, may_publish: true, reason: null })
  assert.equal(headers['access-control-allow-origin'], 'https://dash.example')
})

test('a stream beside the page is what it was', async () => {
  await using stream = await listen(pubsub(), '/beside')
  await ask('/beside', CHROMIUM)
  await publish(pubsub(), '/beside', { n: 1 })
  assert.equal((await stream.event()).json.n, 1)
})
