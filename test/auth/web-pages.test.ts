import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OptionError } from '../../src/auth/option-error.ts'
import { type PageHeaders, WebPages } from '../../src/auth/web-pages.ts'

const pages = new WebPages({
  hostnames: ['Events.Example.org', 'bücher.example', '2001:db8::1'],
  corsOrigins: ['https://dash.example.org', 'HTTP://Dash.example.org:8080/', '*'],
})

function mayPublish(headers: Partial<PageHeaders>): boolean {
  return pages.mayPublish({
    origin: undefined,
    secFetchSite: undefined,
    host: 'events.example.org',
    isTls: false,
    ...headers,
  })
}

test('a client that is no browser may publish', () => {
  assert.ok(mayPublish({}))
  assert.ok(mayPublish({ host: undefined }))
})

test('a page of our own origin may publish', () => {
  for (const headers of [
    { origin: 'http://events.example.org', host: 'events.example.org' },
    { origin: 'http://events.example.org', host: 'EVENTS.example.org:80' },
    { origin: 'http://events.example.org:2069', host: 'events.example.org:2069' },
    { origin: 'https://events.example.org', host: 'events.example.org:443', isTls: true },
    { origin: 'http://xn--bcher-kva.example', host: 'xn--bcher-kva.example' },
    { origin: 'http://localhost:2069', host: 'localhost:2069' },
    { origin: 'http://127.0.0.1:2069', host: '127.0.0.1:2069' },
    { origin: 'http://[::1]:2069', host: '[::1]:2069' },
    { origin: 'http://[2001:db8::1]', host: '[2001:DB8:0::1]' },
  ])
    assert.ok(mayPublish(headers), JSON.stringify(headers))
})

test('a page of another origin may not', () => {
  for (const headers of [
    { origin: 'http://evil.example' },
    { origin: 'http://events.example.org:8080' },
    { origin: 'https://events.example.org' },
    { origin: 'http://events.example.org', isTls: true },
    { origin: 'http://events.example.org.evil.example' },
    { origin: 'http://127.0.0.1', host: '127.0.0.1:2069' },
    { origin: 'http://localhost', host: '127.0.0.1' },
    { origin: 'http://127.0.0.1:2069', host: undefined },
  ])
    assert.ok(!mayPublish(headers), JSON.stringify(headers))
})

test('a page whose name was pointed at us may not, though Origin and Host agree', () => {
  assert.ok(!mayPublish({ origin: 'http://evil.example', host: 'evil.example' }))
  assert.ok(
    !mayPublish({ origin: 'http://localhost.evil.example', host: 'localhost.evil.example' }),
  )
})

test('a listed origin may publish, and * lists none', () => {
  assert.ok(mayPublish({ origin: 'https://dash.example.org' }))
  assert.ok(mayPublish({ origin: 'http://dash.example.org:8080' }))
  assert.ok(!mayPublish({ origin: 'http://dash.example.org' }))
})

test('a listed page may do everything, any other may read where * is listed', () => {
  const listed = new WebPages({ hostnames: [], corsOrigins: ['https://dash.example.org'] })
  const off = new WebPages({ hostnames: [], corsOrigins: [] })
  assert.deepEqual(
    [off, listed, pages].map((each) => each.knowsOthers),
    [false, true, true],
  )
  for (const [origin, ...expected] of [
    ['https://dash.example.org', 'nothing', 'everything', 'everything'],
    ['https://dash.example.org.evil.example', 'nothing', 'nothing', 'public-streams'],
    ['http://dash.example.org', 'nothing', 'nothing', 'public-streams'],
    ['null', 'nothing', 'nothing', 'public-streams'],
    ['*', 'nothing', 'nothing', 'public-streams'],
    ['', 'nothing', 'nothing', 'public-streams'],
  ] as const)
    assert.deepEqual(
      [off, listed, pages].map((each) => each.accessOf(origin)),
      expected,
      origin,
    )
})

test('an Origin that is not one web origin is foreign', () => {
  for (const origin of [
    'null',
    '',
    '*',
    'file://',
    'chrome-extension://abcdef',
    'http://events.example.org, http://events.example.org',
    'http://events.example.org/',
    'http://user@events.example.org',
    'http://events.example.org:99999',
    'events.example.org',
  ])
    assert.ok(!mayPublish({ origin }), origin)
})

test('a Host that is no host makes nothing our own', () => {
  for (const host of ['events.example.org/', 'x@events.example.org', 'events.example.org:1, b', ''])
    assert.ok(!mayPublish({ origin: 'http://events.example.org', host }), host)
})

test('without an Origin, Sec-Fetch-Site decides', () => {
  for (const secFetchSite of ['cross-site', 'Cross-Site', 'same-origin, cross-site'])
    assert.ok(!mayPublish({ secFetchSite }), secFetchSite)
  for (const secFetchSite of ['same-origin', 'same-site', 'none', ''])
    assert.ok(mayPublish({ secFetchSite }), secFetchSite)
})

test('what is no hostname and no origin is refused', () => {
  for (const hostname of ['', 'http://a', 'a/b', 'a b'])
    assert.throws(
      () => new WebPages({ hostnames: [hostname], corsOrigins: [] }),
      OptionError,
      hostname,
    )
  for (const origin of ['', 'dash.example.org', 'null', 'https://a/b', 'file:///x'])
    assert.throws(() => new WebPages({ hostnames: [], corsOrigins: [origin] }), OptionError, origin)
})
