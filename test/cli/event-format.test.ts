import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { UsageError } from '../../src/cli/arguments.ts'
import { formatNamed, forTerminal, type ListenedEvent } from '../../src/cli/event-format.ts'

const SERVERS =
  '"pubsub_timestamp": 1700000000.5, "pubsub_topics": ["a"], "pubsub_path": "/a", "pubsub_cursor": "c"}'

function event(text: string): ListenedEvent {
  return { text, topics: ['a'], path: '/a', cursor: 'c', timestamp: 1_700_000_000.5 }
}

test('as JSON, an event is its line', () => {
  assert.equal(formatNamed('json')(event(`{"n": 1e400, ${SERVERS}`)), `{"n": 1e400, ${SERVERS}\n`)
})

test('the payload of an event is what was published, in the words of its publisher', () => {
  const payload = fc
    .dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }))
    .filter((object) => !Object.keys(object).some((name) => name.startsWith('pubsub_')))
    .map((object) => JSON.stringify(object))
  fc.assert(
    fc.property(payload, (text) => {
      const comma = text === '{}' ? '' : ', '
      const line = `${text.slice(0, -1)}${comma}${SERVERS}`
      assert.equal(formatNamed('payload')(event(line)), `${text}\n`)
    }),
  )
})

test('digits, escapes and white space of a payload stay', () => {
  for (const text of [
    '{"n": 12345678901234567890.10, "e": 1E+2}',
    '{"s": "\\u0041\\n, \\"pubsub_timestamp\\": 7"}',
    '{ "a" : [ 1,2 ] }',
  ])
    assert.equal(formatNamed('payload')(event(`${text.slice(0, -1)}, ${SERVERS}`)), `${text}\n`)
})

test('members that a payload has under the names of the server are not shown as published', () => {
  const line = `{"pubsub_path": "/mine", "n": 10000000000000000001, ${SERVERS}`
  assert.equal(formatNamed('payload')(event(line)), '{"n":10000000000000000001}\n')
})

test('for people, an event has its time and its path above it, and numbers keep their digits', () => {
  assert.equal(
    formatNamed('pretty')(event(`{"n": 10000000000000000001, ${SERVERS}`)),
    '2023-11-14T22:13:20.500Z /a\n{\n  "n": 10000000000000000001\n}\n',
  )
  assert.equal(formatNamed('pretty')({ ...event(`{${SERVERS}`), timestamp: null }), '/a\n{}\n')
})

test('a format that is none is refused, also one that every object has', () => {
  for (const name of ['', 'xml', 'toString', '__proto__'])
    assert.throws(() => formatNamed(name), {
      constructor: UsageError,
      message: `--format is json, payload, pretty, line, not ${JSON.stringify(name)}`,
    })
})

/** What terminals obey, and ends of lines but for the one behind each. */
const OBEYED = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u

/** Texts of what matters here. */
const odd = fc.string({
  unit: fc.oneof(
    fc.constantFrom('\u001b', '\n', '\r', '\t', '\u007f', '\u0085', '\u009b', '\u2028', '\u2029'),
    fc.constantFrom('\u061c', '\u200e', '\u200f', '\u202a', '\u202e', '\u2066', '\u2069', '\u200d'),
    fc.constantFrom('a', 'é', '𝄞', '"', '\\'),
  ),
})

test('in every format a terminal obeys nothing of an event, and JSON stays the same JSON', () => {
  const property = fc.property(odd, odd, odd, (name, value, path) => {
    const payload = JSON.stringify({ [`x${name}`]: value })
    const line = `${payload.slice(0, -1)}, ${SERVERS.replace('"/a"', JSON.stringify(path))}`
    const whole = { ...event(line), path }
    for (const format of ['json', 'payload', 'pretty']) {
      const shown = formatNamed(format)(whole)
      for (const part of shown.split('\n')) assert.doesNotMatch(part, OBEYED)
      const json = format === 'pretty' ? shown.slice(shown.indexOf('\n')) : shown
      assert.deepEqual(JSON.parse(json), JSON.parse(format === 'json' ? line : payload))
    }
    assert.equal(formatNamed('pretty')(whole).split('\n').length, 5)
  })
  fc.assert(property, { numRuns: 500 })
})

test('white space between tokens stays white space', () => {
  const line = `{\t"a"\r:\t1, ${SERVERS}`
  assert.equal(formatNamed('payload')(event(line)), '{\t"a" :\t1}\n')
})

test('whatever a text has in it, on a terminal it moves no cursor and turns no line around', () => {
  const text = fc.string({
    unit: fc.oneof(
      fc.constantFrom(
        '\u001b',
        '\r',
        '\u0000',
        '\u202e',
        '\u2028',
        '\u009b',
        '\ufeff',
        '\u{e0001}',
      ),
      fc.constantFrom('a', '\n', 'é', '𝄞'),
    ),
  })
  fc.assert(
    fc.property(text, (given) => {
      const shown = forTerminal(given)
      assert.doesNotMatch(shown.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
      assert.equal(JSON.parse(`"${shown.replaceAll('\n', '\\n')}"`), given)
    }),
  )
})
