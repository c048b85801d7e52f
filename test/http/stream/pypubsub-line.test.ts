import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Cursor, Position, PublishedEvent } from '../../../src/hub/event.ts'
import {
  closingLine,
  eventLine,
  gapLine,
  keepAliveLine,
  oldSchool,
} from '../../../src/http/stream/pypubsub-line.ts'

const CURSOR = '3f1c9a52-7d0e-4b8a-9c41-5e2f60718293' as Cursor

function published(text: string, changes: Partial<PublishedEvent> = {}): PublishedEvent {
  return {
    topics: ['fruits', 'apples'],
    isPrivate: false,
    path: '/fruits/apples',
    payload: { type: 'json-object', text },
    position: 1 as Position,
    cursor: CURSOR,
    publishedAtMs: 1_588_132_959_607,
    ...changes,
  }
}

test("an event's line is the payload's own text, then the server's members", () => {
  assert.equal(
    eventLine(published('{"z":1.0,"a":1e400}')),
    '{"z":1.0,"a":1e400, "pubsub_timestamp": 1588132959.607, "pubsub_topics": ["fruits", "apples"], ' +
      `"pubsub_path": "/fruits/apples", "pubsub_cursor": "${CURSOR}"}\n`,
  )
})

test('an empty object gets no leading comma', () => {
  const changes = { topics: [], path: '/', publishedAtMs: 1_588_132_959_000 }
  const members =
    '"pubsub_timestamp": 1588132959.0, "pubsub_topics": [], "pubsub_path": "/", ' +
    `"pubsub_cursor": "${CURSOR}"}\n`
  assert.equal(eventLine(published('{}', changes)), `{${members}`)
  assert.equal(eventLine(published('{ \t}', changes)), `{ \t${members}`)
})

test('every character outside ASCII is a lower-case escape, in payload, topics and path', () => {
  const line = eventLine(
    published('{"é":"漢😀\u2028\u0080\u007f"}', { topics: ['Äpfel'], path: '/Äpfel/\n"\\\0' }),
  )
  assert.ok(line.startsWith('{"\\u00e9":"\\u6f22\\ud83d\\ude00\\u2028\\u0080\u007f", '))
  assert.ok(line.includes('"pubsub_topics": ["\\u00c4pfel"]'))
  assert.ok(line.includes('"pubsub_path": "/\\u00c4pfel/\\n\\"\\\\\\u0000"'))
})

test("escapes of the publisher stay as they are, a lone surrogate's too", () => {
  const text = '{"a":"\\ud800\\u00E9\\\\u00e9"}'
  assert.ok(eventLine(published(text)).startsWith('{"a":"\\ud800\\u00E9\\\\u00e9", '))
  assert.ok(eventLine(published('{}', { topics: ['\ud800'] })).includes('["\\ud800"]'))
})

test('whatever the event, its line is one line of ASCII that says the same', () => {
  const anyText = fc.string({ unit: 'binary' })
  // V8 13.6 confuses names in JSON.parse: after {"a":1,"\\":2} it reads {"a":1,"\"":2} as the same.
  const anyName = anyText.filter((name) => !name.includes('\\'))
  const anyEvent = fc.record({
    payload: fc.dictionary(anyName, fc.oneof(anyText, fc.array(anyText), fc.double())),
    topics: fc.array(anyText),
    path: anyText,
    publishedAtMs: fc.nat(4_000_000_000_000),
  })
  const property = fc.property(anyEvent, ({ payload, topics, path, publishedAtMs }) => {
    const line = eventLine(published(JSON.stringify(payload), { topics, path, publishedAtMs }))
    assert.match(line, /^\{.*\}\n$/)
    assert.equal(line.length, Buffer.byteLength(line))
    assert.match(line, /"pubsub_timestamp": \d+\.\d+, /)
    const own = {
      pubsub_timestamp: publishedAtMs / 1000,
      pubsub_topics: topics,
      pubsub_path: path,
      pubsub_cursor: CURSOR,
    }
    const expected = Object.entries({ ...JSON.parse(JSON.stringify(payload)), ...own })
    assert.deepEqual(Object.entries(JSON.parse(line)), expected)
  })
  fc.assert(property, { numRuns: 1_000 })
})

test('a keep-alive always has a fraction', () => {
  assert.equal(keepAliveLine(1_588_132_959_607), '{"stillalive": 1588132959.607}\n')
  assert.equal(keepAliveLine(1_588_132_959_600), '{"stillalive": 1588132959.6}\n')
  assert.equal(keepAliveLine(1_588_132_959_000), '{"stillalive": 1588132959.0}\n')
})

test('a gap is told in a keep-alive', () => {
  assert.equal(
    gapLine({ reason: 'expired', cursor: CURSOR }, 1_588_132_959_000),
    `{"stillalive": 1588132959.0, "gap": {"reason": "expired", "resumes_at": "${CURSOR}"}}\n`,
  )
})

test('the end of a stream is told in a keep-alive, with where to resume', () => {
  assert.equal(
    closingLine({ reason: 'shutdown', cursor: CURSOR, retryAfterMs: 1_000 }, 1_588_132_959_607),
    '{"stillalive": 1588132959.607, "closing": ' +
      `{"reason": "shutdown", "cursor": "${CURSOR}", "retry_after_ms": 1000}}\n`,
  )
})

test('old-school clients get a NUL behind the newline', () => {
  assert.equal(oldSchool(keepAliveLine(0)), '{"stillalive": 0.0}\n\0')
})
