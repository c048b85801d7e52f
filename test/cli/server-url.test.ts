import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { UsageError } from '../../src/cli/arguments.ts'
import { parseServerUrl, withTopics } from '../../src/cli/server-url.ts'

test('a host is enough, and a scheme is kept', () => {
  for (const [text, href] of [
    ['localhost:2069/fruits', 'http://localhost:2069/fruits'],
    ['localhost', 'http://localhost/'],
    ['[::1]:2069/a/b', 'http://[::1]:2069/a/b'],
    ['https://example.org/a?x=1', 'https://example.org/a?x=1'],
    ['HTTP://example.org', 'http://example.org/'],
    ['alice:secret@example.org/a', 'http://alice:secret@example.org/a'],
  ] as const)
    assert.equal(parseServerUrl(text).href, href)
})

test('what is none is refused, without the password that may stand in it', () => {
  assert.throws(() => parseServerUrl(undefined), UsageError)
  for (const text of [
    'ftp://alice:secret@example.org/',
    'file:///etc/passwd',
    'http://alice:secret@exa mple.org/',
    'alice:secret@:80:80',
    'http://',
    '',
  ])
    assert.throws(
      () => parseServerUrl(text),
      (error: Error) => {
        assert.ok(error instanceof UsageError)
        assert.ok(!error.message.includes('secret'), error.message)
        return true
      },
    )
})

test('words that name no server are refused with a URL that would do, and a host is taken with its scheme', () => {
  for (const [text, message] of [
    [
      'fruits',
      '"fruits" names no server: write http://localhost:2069/fruits, or http://fruits if fruits is a host',
    ],
    [
      'fruits/apples',
      '"fruits/apples" names no server: write http://localhost:2069/fruits/apples, or http://fruits/apples if fruits is a host',
    ],
    ['/fruits', '"/fruits" names no server: write http://localhost:2069/fruits'],
    ['?since=all', '"?since=all" names no server: write http://localhost:2069/?since=all'],
  ] as const)
    assert.throws(() => parseServerUrl(text), { constructor: UsageError, message })
  for (const text of [
    'localhost/a',
    'LOCALHOST',
    'host:80/a',
    'example.org',
    '127.0.0.1/a',
    '[::1]/a',
    'http://fruits/a',
    'u:p@h/a',
  ])
    assert.doesNotThrow(() => parseServerUrl(text), text)
})

test('topics that a URL drops are refused, as /private/../a would be the public topic a', () => {
  for (const text of [
    'h:1/a/../b',
    'http://h/.',
    'h:1/%2E%2e/a',
    'h:1/a/.%2e?x=1',
    'h:1/..#x',
    'h:1/a\\..',
  ])
    assert.throws(() => parseServerUrl(text), UsageError, text)
  for (const text of ['h:1/a..b/...', 'h:1/a?x=/../b', 'h:1/a#/../b', 'h.', 'h:1/%252e'])
    assert.doesNotThrow(() => parseServerUrl(text), text)
  for (const topic of ['.', '..'])
    assert.throws(() => withTopics(new URL('http://h/private'), [topic]), UsageError)
})

test('topics stand behind the path, whatever characters they have', () => {
  const topic = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/[/]/.test(text))
  fc.assert(
    fc.property(fc.array(topic), fc.constantFrom('/', '/a', '/a/'), (topics, path) => {
      // A dot segment is none of a URL: the URL standard takes it away, escaped or not.
      fc.pre(!topics.some((each) => each === '.' || each === '..'))
      const url = withTopics(new URL(`http://localhost${path}?since=10m`), topics)
      assert.equal(url.search, '?since=10m')
      const own = path === '/' ? [] : ['a']
      const segments = url.pathname.split('/').filter((segment) => segment !== '')
      assert.deepEqual(segments.map(decodeURIComponent), [...own, ...topics])
    }),
  )
})

test('what cannot be a topic is refused', () => {
  for (const topic of ['', '/', 'a/b'])
    assert.throws(() => withTopics(new URL('http://localhost/'), ['a', topic]), UsageError)
})
