import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { terminalLine } from '../../src/cli/terminal-line.ts'

function event(payload: string, topics: readonly string[] = ['fruits', 'apples']) {
  const tail = `"pubsub_timestamp": 1795226498.217, "pubsub_topics": [], "pubsub_path": "/x", "pubsub_cursor": "c"}`
  const text = payload === '{}' ? `{${tail}` : `${payload.slice(0, -1)}, ${tail}`
  return { text, topics, path: '/x', cursor: 'c', timestamp: 1795226498.217 }
}

test('an event is one line: when, where, what', () => {
  const line = terminalLine(
    event('{"text": "Apples", "size": 12345678901234567890, "m": {"a": [1, null]}}'),
    false,
  )
  assert.match(
    line,
    /^\d\d:\d\d:\d\d fruits\/apples {2}text="Apples" size=12345678901234567890 m=\{"a":\[1,null\]\}\n$/,
  )
  assert.match(terminalLine(event('{}'), false), /^\d\d:\d\d:\d\d fruits\/apples {2}\n$/)
})

test('colours are those of its parts, and nothing else on it moves a terminal', () => {
  const hostile = '\u001b[2J\u0007\u009b\u202e\u2028\r\n'
  const line = terminalLine(event(JSON.stringify({ [hostile]: hostile }), [hostile]), true)
  const plain = ['2', '33', '36', '0'].reduce(
    (rest, code) => rest.replaceAll(`\u001b[${code}m`, ''),
    line,
  )
  assert.doesNotMatch(plain.slice(0, -1), /[\p{C}\p{Zl}\p{Zp}]/u)
})

test('whatever is published, it is one line', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ unit: 'binary' }), fc.json()),
      fc.array(fc.string({ unit: 'binary' })),
      (payload, topics) => {
        const line = terminalLine(event(JSON.stringify(payload).toWellFormed(), topics), false)
        assert.match(line, /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*\n$/u)
      },
    ),
  )
})
