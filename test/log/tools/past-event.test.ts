import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  BrokenLineError,
  checkJsonObject,
  checkPath,
  isPrivatePath,
  readTime,
  readTopics,
} from '../../../src/log/tools/past-event.ts'
import { publishedTopics } from '../../../src/publication/published-topics.ts'

test('a time of whole milliseconds is read exactly', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8_999_999_999_999 }), (ms) => {
      assert.equal(readTime(String(ms / 1_000)), ms)
    }),
  )
})

test('a time with more digits is rounded up, by less than a millisecond', () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-3, max: 8.9e9, noNaN: true }), (seconds) => {
      const ms = readTime(JSON.stringify(seconds))
      assert.ok(ms / 1e3 >= seconds, 'who asks with that time gets the event')
      assert.ok((ms - 1) / 1e3 < seconds)
    }),
  )
})

test('what is no time is refused', () => {
  for (const json of [
    '0',
    '-1',
    '9000000000',
    '1700000000000',
    '"1700000000"',
    'null',
    '[]',
    '1e400',
  ])
    assert.throws(() => readTime(json), {
      constructor: BrokenLineError,
      message: 'its timestamp is not a time',
    })
})

test('topics are texts of valid Unicode', () => {
  assert.deepEqual(readTopics('["a", "", "é", "a"]'), ['a', '', 'é', 'a'])
  for (const json of ['"a"', '{}', 'null', '[1]', '["a", null]', '[["a"]]'])
    assert.throws(() => readTopics(json), /^Error: its topics are not a list of texts$/)
  for (const json of ['["\\ud800"]', '["a", "x\\udc00y"]'])
    assert.throws(() => readTopics(json), /^Error: its topics are not valid Unicode$/)
  assert.throws(() => checkPath('/\ud800'), /^Error: its path is not valid Unicode$/)
  assert.equal(checkPath('/\u{1d11e}'), '/\u{1d11e}')
})

test('a path is private exactly if publishing there makes an event private', () => {
  const path = fc
    .array(fc.constantFrom('private', 'Private', 'a', '', 'private '))
    .chain((segments) => fc.constantFrom(segments.join('/'), `/${segments.join('/')}`))
  fc.assert(
    fc.property(path, (text) => {
      assert.equal(isPrivatePath(text), publishedTopics(text, 1_000).isPrivate)
    }),
  )
})

test('a line that is no JSON object is refused, also one that is nested so deep that reading it would be dangerous', () => {
  checkJsonObject('{"a": {"b": []}}')
  for (const [text, message] of [
    ['[]', /not a JSON object/],
    ['"{}"', /not a JSON object/],
    ['7', /not a JSON object/],
    ['{', /not valid JSON/],
    ['', /not valid JSON/],
    [`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, /nested deeper than/],
  ] as const)
    assert.throws(() => checkJsonObject(text), { constructor: BrokenLineError, message })
})
