import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { columnsOf, recordOf, sizeOf, type EventRecord } from '../../../src/log/sqlite/record.ts'

const text = fc.string({ unit: fc.constantFrom('a', '/', '"', ' ', '7', 'é', '𝄞') })
const bytes = fc.uint8Array({ maxLength: 5 })
const records: fc.Arbitrary<EventRecord> = fc.record(
  {
    seq: fc.integer({ min: 1, max: 2 ** 40 }),
    publishedAtMs: fc.maxSafeNat(),
    isPrivate: fc.boolean(),
    path: text,
    topics: fc.array(text).map((topics) => JSON.stringify(topics)),
    payload: text,
    bytesBefore: fc.maxSafeNat(),
    beside: fc.oneof(
      fc.record(
        { door: text, envelope: bytes, tags: fc.constant(null) },
        { noNullPrototype: true },
      ),
      fc.record(
        { door: fc.constant(null), envelope: fc.constant(null), tags: text },
        { noNullPrototype: true },
      ),
      fc.record({ door: text, envelope: bytes, tags: text }, { noNullPrototype: true }),
    ),
  },
  {
    noNullPrototype: true,
    requiredKeys: ['seq', 'publishedAtMs', 'isPrivate', 'path', 'topics', 'payload', 'bytesBefore'],
  },
)

test('every event comes back from its row as it was', () => {
  fc.assert(fc.property(records, (record) => assert.deepEqual(recordOf(columnsOf(record)), record)))
})

test('a row with any other value in one of its columns is no event', () => {
  const value = fc.oneof(
    text,
    fc.integer(),
    fc.constant(null),
    fc.double(),
    fc.uint8Array({ maxLength: 5 }),
  )
  fc.assert(
    fc.property(records, fc.nat(10), value, (record, column, other) => {
      const columns: unknown[] = columnsOf(record)
      // 7 and '7' are told apart by the table: its columns have types.
      fc.pre(String(columns[column]) !== String(other))
      columns[column] = other
      assert.equal(recordOf(columns), null)
    }),
  )
})

test('a row whose texts end elsewhere is no event, though together they read the same', () => {
  fc.assert(
    fc.property(records, fc.nat(), (record, at) => {
      const { path, topics, payload } = record
      const all = path + topics + payload
      const end = at % (all.length + 1)
      fc.pre(end !== path.length)
      const columns: unknown[] = columnsOf(record)
      columns.splice(3, 3, all.slice(0, end), '', all.slice(end))
      assert.equal(recordOf(columns), null)
    }),
  )
})

test('a row without columns is no event', () => {
  for (const columns of [
    [],
    Array(8).fill(null),
    Array(11).fill(null),
    Array.from({ length: 8 }, () => new Uint8Array()),
  ])
    assert.equal(recordOf(columns), null)
})

test('a row without the columns of version 2 is what it was in version 1', () => {
  fc.assert(
    fc.property(records, ({ beside: _beside, ...record }) => {
      assert.deepEqual(recordOf(columnsOf(record).slice(0, 8)), record)
    }),
  )
})

test('an event counts for no less than its text, and no event for nothing', () => {
  fc.assert(
    fc.property(records, (record) => {
      const { path, topics, payload } = record
      assert.ok(sizeOf(record) > path.length + topics.length + payload.length)
    }),
  )
})
