import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { INDEXED_TO, IndexWriter } from '../../../src/log/sqlite/index-writer.ts'
import type { EventRecord } from '../../../src/log/sqlite/record.ts'
import { keysOfEvent, PATH_KEYS_END } from '../../../src/log/sqlite/topic-keys.ts'
import { MemoryTable } from './memory-table.ts'

const TOPICS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']

/** Of a private event: one for each topic, and the one of private events. */
const KEYS = [...keysOfEvent(TOPICS, true)]

const commits = fc.array(
  fc.record({
    events: fc.nat(1_000),
    outcome: fc.constantFrom('committed', 'committed', 'committed', 'failed', 'crashed'),
  }),
  { minLength: 10, maxLength: 40, size: 'max' },
)

test('however commits end, the index holds each event up to where it says, and nothing else', () => {
  let indexed = 0
  fc.assert(
    fc.property(commits, (given) => {
      using table = new MemoryTable()
      let index = new IndexWriter(table.database, 0)
      let head = 0
      for (const { events, outcome } of given) {
        const settle = table.transaction(
          () => index.step(1),
          outcome === 'failed' ? 'failed' : 'committed',
        )
        if (outcome === 'committed') {
          settle()
          for (let n = 0; n < events; n++) index.add(eventAt(++head), TOPICS)
        }
        const indexedTo = table.meta(INDEXED_TO) ?? 0
        // The next start adds what was not indexed yet, of which some entries may be there.
        if (outcome === 'crashed') {
          index = new IndexWriter(table.database, indexedTo)
          for (let seq = indexedTo + 1; seq <= head; seq++) index.add(eventAt(seq), TOPICS)
        }
        assert.equal(entries(table, 1, indexedTo), indexedTo * KEYS.length)
        assert.equal(entries(table, 1, Infinity), entries(table, 1, head))
        indexed = Math.max(indexed, indexedTo)
      }
      assert.equal(entries(table, 1, head, KEYS), entries(table, 1, head))
    }),
    { numRuns: 8 },
  )
  assert.ok(indexed > 1_000, `only ${indexed} events were ever indexed`)
})

test('the index stays near: what is not in it is never much more than two lots', () => {
  using table = new MemoryTable()
  const index = new IndexWriter(table.database, 0)
  for (let seq = 1; seq <= 10_000; seq++) {
    table.transaction(() => index.step(1))()
    index.add(eventAt(seq), TOPICS)
    const missing = (seq - (table.meta(INDEXED_TO) ?? 0)) * KEYS.length
    assert.ok(missing <= 2.1 * 8_192, `${missing} entries`)
  }
})

test('the index stays near however many topics each event has, and however many events each commit', () => {
  for (const { topicsEach, commit, times } of [
    { topicsEach: 1, commit: 10_000, times: 6 },
    { topicsEach: 500, commit: 20, times: 10 },
    { topicsEach: 20_000, commit: 1, times: 8 },
  ]) {
    using table = new MemoryTable()
    const index = new IndexWriter(table.database, 0)
    const topics = Array.from({ length: topicsEach }, (_, n) => `${n}`)
    const perCommit = topicsEach * commit
    let seq = 0
    for (let n = 0; n < times; n++) {
      table.transaction(() => index.step(1))()
      for (let i = 0; i < commit; i++) index.add({ ...eventAt(++seq), isPrivate: false }, topics)
      const missing = (seq - (table.meta(INDEXED_TO) ?? 0)) * topicsEach
      assert.ok(missing <= 2 * 8_192 + 3 * perCommit, `${missing} entries after ${n} commits`)
    }
  }
})

test('events that are being deleted do not come into the index', () => {
  using table = new MemoryTable()
  const index = new IndexWriter(table.database, 0)
  for (let seq = 1; seq <= 1_000; seq++) index.add(eventAt(seq), TOPICS)
  while (table.meta(INDEXED_TO) === undefined) table.transaction(() => index.step(100))()
  assert.equal(entries(table, 1, 99), 0)
  const indexedTo = table.meta(INDEXED_TO)!
  assert.ok(indexedTo > 100)
  assert.equal(entries(table, 100, indexedTo), (indexedTo - 99) * KEYS.length)
})

function eventAt(seq: number): EventRecord {
  const text = { path: '/', topics: JSON.stringify(TOPICS), payload: '{}' }
  return { seq, publishedAtMs: seq, isPrivate: true, ...text, bytesBefore: 0 }
}

/** How many the index has of some rows, under some keys or under any. */
function entries({ database }: MemoryTable, first: number, last: number, keys?: number[]): number {
  const under = keys === undefined ? '' : `AND topic_key IN (${keys.join()})`
  const row = database
    .prepare(
      `SELECT count(*) AS n FROM postings WHERE topic_key > ${PATH_KEYS_END} AND seq BETWEEN ? AND ? ${under}`,
    )
    .get(first, last)
  return Number(row!['n'])
}
