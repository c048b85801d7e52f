import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LimitExceededError } from '../../../src/publication/errors.ts'
import { publishedTopics } from '../../../src/publication/published-topics.ts'
import { decodePath, isReserved, topicFilters } from '../../../src/http/server/topic-path.ts'

const LIMITS = { topicsMax: 4, topicFiltersMax: 3 }

test('query and fragment are no part of the path, unless they are escaped', () => {
  const cases = {
    '/fruits/apples': '/fruits/apples',
    '/fruits?since=all': '/fruits',
    '/fruits#top': '/fruits',
    '/fruits#a?b': '/fruits',
    '/fruits?a#b': '/fruits',
    '/?/x': '/',
    '/a%3Fb%23c?d': '/a?b#c',
    '/a?b=%2F': '/a',
  }
  for (const [target, path] of Object.entries(cases)) assert.equal(decodePath(target), path, target)
})

test('an absolute-form target counts by its path', () => {
  const cases = {
    'http://host/a/b': '/a/b',
    'HTTPS://user@host:2069/a?x': '/a',
    'http://[::1]:2069/a': '/a',
    'http://host': '', // as PyPubSub
    'http://host?x=/a': '',
    'http://host//a//b': '//a//b',
    '/http://host/a': '/http://host/a',
    '//host/a': '//host/a',
  }
  for (const [target, path] of Object.entries(cases)) assert.equal(decodePath(target), path, target)
})

test('a target that is neither a path nor absolute stays as it is', () => {
  assert.equal(decodePath('*'), '*')
  assert.equal(decodePath(''), '')
})

test('a path is percent-decoded once, as UTF-8', () => {
  const cases = {
    '/%70rivate/x': '/private/x',
    '/a%2Fb': '/a/b',
    '/a%2fb': '/a/b',
    '/a%2Cb': '/a,b',
    '/%C3%A4pfel': '/äpfel',
    '/%f0%9f%8d%8e': '/🍎',
    '/%ef%bb%bf': '/\ufeff',
    '/a+b': '/a+b',
    '/./..//a': '/./..//a',
    '/%2570': '/%70',
    '/%25%37%30': '/%70',
    '/%00%0a%0D%7f': '/\0\n\r\u007f',
  }
  for (const [target, path] of Object.entries(cases)) assert.equal(decodePath(target), path, target)
})

test('a percent sign that starts no valid UTF-8 escape stays as written', () => {
  const cases = {
    '/%zz': '/%zz',
    '/%': '/%',
    '/%4': '/%4',
    '/%%41': '/%A',
    '/%%34%31': '/%41',
    '/%ff': '/%ff',
    '/%FF%41': '/%FFA',
    '/%80%41': '/%80A',
    '/%c3': '/%c3',
    '/%c3%zz%c3%a4': '/%c3%zzä',
    '/%c3%c3%a4': '/%c3ä',
    '/%e2%82': '/%e2%82',
    '/%e2%82%41': '/%e2%82A',
    '/%e2%82%ac%ac': '/€%ac',
    '/%c0%80': '/%c0%80', // overlong
    '/%e0%80%af': '/%e0%80%af',
    '/%f0%80%80%af': '/%f0%80%80%af',
    '/%ed%a0%bd%ed%b8%80': '/%ed%a0%bd%ed%b8%80', // surrogates
    '/%f4%90%80%80': '/%f4%90%80%80', // beyond U+10FFFF
    '/%c3\u00a4': '/%c3\u00a4', // only escapes spell a character
    '/%u00e4': '/%u00e4',
  }
  for (const [target, path] of Object.entries(cases)) assert.equal(decodePath(target), path, target)
})

test('every code point survives being escaped', () => {
  for (let first = 0; first <= 0x10_ffff; first += 0x100) {
    if (first >= 0xd800 && first <= 0xdfff) continue
    const text = `/${String.fromCodePoint(...Array.from({ length: 0x100 }, (_, n) => first + n))}`
    const escaped = [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`)
    assert.equal(decodePath(`/${escaped.join('')}`), `/${text}`)
  }
})

/** Byte by byte: at each escape the shortest run of escapes that is one character, else the percent sign as it is. */
function slowlyDecoded(path: string): string {
  let decoded = ''
  for (let at = 0; at < path.length;) {
    const character = escapedCharacter(path.slice(at))
    decoded += character?.decoded ?? path.charAt(at)
    at += character?.length ?? 1
  }
  return decoded
}

function escapedCharacter(rest: string): { decoded: string; length: number } | null {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const escapes = /^(?:%[\da-fA-F]{2}){0,4}/.exec(rest)?.[0] ?? ''
  for (let length = 3; length <= escapes.length; length += 3) {
    const bytes = Buffer.from(escapes.slice(0, length).replaceAll('%', ''), 'hex')
    try {
      return { decoded: decoder.decode(bytes), length }
    } catch {}
  }
  return null
}

test('whatever the escapes, they are decoded as byte by byte', () => {
  const bytes = [
    '00',
    '41',
    '7F',
    '80',
    '8f',
    '90',
    '9F',
    'a0',
    'bf',
    'c0',
    'C2',
    'df',
    'e0',
    'e2',
    'ED',
    'ee',
    'f0',
    'f1',
    'F4',
    'f5',
    'ff',
  ]
  const parts = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...bytes).map((byte) => `%${byte}`) },
    fc.constantFrom('%', '%4', '%zz', 'a', '41', '/', ',', '+', '\u00e4'),
  )
  const property = fc.property(fc.array(parts, { maxLength: 12 }), (chosen) => {
    const path = `/${chosen.join('')}`
    assert.equal(decodePath(path), slowlyDecoded(path))
  })
  fc.assert(property, { numRuns: 5_000 })
})

test('a publication has its segments as topics, in order, with repetitions', () => {
  const cases: Readonly<Record<string, readonly string[]>> = {
    '/': [],
    '//': [],
    '/fruits/apples': ['fruits', 'apples'],
    '//b//a//': ['b', 'a'],
    '/a/b/a': ['a', 'b', 'a'],
    '/a,b/c': ['a,b', 'c'],
    '/./..': ['.', '..'],
    '/A/a/ ': ['A', 'a', ' '],
    '/x/-': ['x', '-'],
    '/a\n\0': ['a\n\0'],
  }
  for (const [path, topics] of Object.entries(cases))
    assert.deepEqual(publishedTopics(path, 4), { segments: topics, topics, isPrivate: false })
})

test('a leading `private` makes a publication private and is taken off once', () => {
  assert.deepEqual(publishedTopics('/private/a', 4), {
    segments: ['private', 'a'],
    topics: ['a'],
    isPrivate: true,
  })
  assert.deepEqual(publishedTopics('//private/private', 4), {
    segments: ['private', 'private'],
    topics: ['private'],
    isPrivate: true,
  })
  assert.equal(publishedTopics('/private', 4).isPrivate, true)
  for (const path of ['/a/private', '/Private/a', '/private,a', '/ private'])
    assert.equal(publishedTopics(path, 4).isPrivate, false, path)
})

test('a publication with too many topics is refused with the numbers and the setting', () => {
  assert.equal(publishedTopics('/private/a/b/c/d', 4).topics.length, 4)
  assert.throws(
    () => publishedTopics('/a/a/a/a/a', 4),
    (error) =>
      error instanceof LimitExceededError && /\b5\b.*\b4\b.*limits\.topics\b/.test(error.message),
  )
})

test('a subscription is split at commas, then at slashes', () => {
  const cases: Readonly<Record<string, readonly (readonly string[])[]>> = {
    '/fruits/apples': [['fruits', 'apples']],
    '/a,b/c': [['a'], ['b', 'c']],
    '/a/b/a': [['a', 'b']],
    '//a//,//b': [['a'], ['b']],
    '/ a , b ': [[' a '], [' b ']],
    '/a/private': [['a', 'private']],
  }
  for (const [path, groups] of Object.entries(cases))
    assert.deepEqual(
      topicFilters(path, LIMITS),
      groups.map((topics) => ({ topics, privateOnly: false })),
      path,
    )
})

test('an empty group wants every event', () => {
  const every = { topics: [], privateOnly: false }
  assert.deepEqual(topicFilters('/', LIMITS), [every])
  assert.deepEqual(topicFilters('/a,', LIMITS), [{ topics: ['a'], privateOnly: false }, every])
  assert.deepEqual(topicFilters('/,/,', LIMITS), [every, every, every])
})

test('`private` first in a group means private events only, in that group alone', () => {
  assert.deepEqual(topicFilters('/commit/svn,private/ldap', LIMITS), [
    { topics: ['commit', 'svn'], privateOnly: false },
    { topics: ['ldap'], privateOnly: true },
  ])
  assert.deepEqual(topicFilters('/private,a/private', LIMITS), [
    { topics: [], privateOnly: true },
    { topics: ['a', 'private'], privateOnly: false },
  ])
  assert.deepEqual(topicFilters('/private/private/a', LIMITS), [
    { topics: ['private', 'a'], privateOnly: true },
  ])
})

test('a subscription that asks for too much is refused with the numbers and the setting', () => {
  assert.equal(topicFilters('/private/a/b/c/d/a,x,y', LIMITS).length, 3)
  assert.throws(
    () => topicFilters('/a,a,a,a', LIMITS),
    (error) =>
      error instanceof LimitExceededError &&
      /\b4\b.*\b3\b.*limits\.topic_filters\b/.test(error.message),
  )
  assert.throws(
    () => topicFilters('/x,a/b/c/d/e', LIMITS),
    (error) =>
      error instanceof LimitExceededError && /\b5\b.*\b4\b.*limits\.topics\b/.test(error.message),
  )
})

test("a path whose first segment is `-` is the server's own", () => {
  for (const target of [
    '/-',
    '/-/',
    '/-/healthz',
    '//-/x',
    '/%2D/',
    '/%2d%2Fx',
    'http://host/-/x',
    '/-?x',
  ])
    assert.equal(isReserved(decodePath(target)), true, target)
  for (const target of [
    '/',
    '/-,a',
    '/,-',
    '/a/-',
    '/--',
    '/-a',
    '/ -',
    '/private/-',
    '/-\n',
    '/%2525',
  ])
    assert.equal(isReserved(decodePath(target)), false, target)
})
