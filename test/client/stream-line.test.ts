import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseStreamLine } from '../../src/client/stream-line.ts'

test('a line with topics is an event, whatever else stands in it', () => {
  assert.deepEqual(
    parseStreamLine(
      '{"stillalive": 1, "gap": {}, "closing": {}, "pubsub_timestamp": 1.5, "pubsub_topics": ["a", "b"], ' +
        '"pubsub_path": "/a/b", "pubsub_cursor": "c"}',
    ),
    { type: 'event', topics: ['a', 'b'], path: '/a/b', cursor: 'c', timestamp: 1.5 },
  )
  assert.deepEqual(parseStreamLine('{"pubsub_topics": []}'), {
    type: 'event',
    topics: [],
    path: '',
    cursor: null,
    timestamp: null,
  })
})

test('each control line is told apart by what it carries', () => {
  for (const [text, line] of [
    ['{"stillalive": 1}', { type: 'alive', cursor: null }],
    ['{"stillalive": 1, "cursor": "c"}', { type: 'alive', cursor: 'c' }],
    ['{"stillalive": 1, "opened": {"cursor": "c"}}', { type: 'opened', cursor: 'c' }],
    [
      '{"stillalive": 1, "gap": {"reason": "expired", "resumes_at": "c"}}',
      { type: 'gap', reason: 'expired', cursor: 'c' },
    ],
    ['{"stillalive": 1, "gap": {}}', { type: 'gap', reason: 'unknown', cursor: null }],
    [
      '{"stillalive": 1, "closing": {"reason": "slow", "cursor": "c", "retry_after_ms": 5}}',
      { type: 'closing', reason: 'slow', cursor: 'c', retryAfterMs: 5 },
    ],
    [
      '{"stillalive": 1, "closing": {"retry_after_ms": -5, "cursor": 7}}',
      { type: 'closing', reason: 'unknown', cursor: null, retryAfterMs: 0 },
    ],
  ] as const)
    assert.deepEqual(parseStreamLine(text), line, text)
})

test('what a newer server may add to a control line does no harm', () => {
  for (const text of [
    '{"stillalive": 1, "opened": 7, "cursor": "c"}',
    '{"stillalive": 1, "opened": {"cursor": ""}, "gap": [], "closing": null, "cursor": "c"}',
    '{"stillalive": 1, "news": {}, "cursor": "c"}',
  ])
    assert.deepEqual(parseStreamLine(text), { type: 'alive', cursor: 'c' }, text)
})

test('anything else is no line of a stream, and nothing throws', () => {
  for (const text of ['', '{', '[]', 'null', '7', '{"pubsub_topics": "a"}', '{"a": 1}'])
    assert.equal(parseStreamLine(text), null, text)
  const names = fc.constantFrom(
    'stillalive',
    'pubsub_topics',
    'gap',
    'closing',
    'opened',
    '__proto__',
  )
  const line = fc.oneof(
    fc.json(),
    fc.dictionary(names, fc.jsonValue()).map((value) => JSON.stringify(value)),
  )
  fc.assert(fc.property(line, (text) => void parseStreamLine(text)))
})
