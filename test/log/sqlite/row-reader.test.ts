import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { filterMatches, type TopicFilter } from '../../../src/hub/topics.ts'
import { INDEXED_TO } from '../../../src/log/sqlite/index-writer.ts'
import type { EventRecord } from '../../../src/log/sqlite/record.ts'
import {
  RowReader,
  type RowsFoundBack,
  type RowsWanted,
} from '../../../src/log/sqlite/row-reader.ts'
import { keysOfEvent } from '../../../src/log/sqlite/topic-keys.ts'
import { MemoryTable } from './memory-table.ts'

/** More than a page of the index leads to, and than one page of a scan looks at. */
const EVENTS = 4_500

const topic = fc.constantFrom('all', 'half', 'tenth', 'rare', 'never')
const filter: fc.Arbitrary<TopicFilter> = fc.record({
  topics: fc.uniqueArray(topic, { maxLength: 2 }),
  privateOnly: fc.boolean(),
})
const wanted = fc.record({
  after: fc.nat(EVENTS),
  length: fc.nat(EVENTS),
  oldest: fc.integer({ min: 1, max: EVENTS }),
  filters: fc.option(fc.array(filter, { minLength: 1, maxLength: 3 }), { nil: undefined }),
  publicOnly: fc.boolean(),
  pageBytes: fc.constantFrom(4_000, 65_536),
})
/** Rows that are gone, some in a line, and rows that are not as they were written; counted from 0. */
const damage = fc.record({
  missing: fc.array(fc.tuple(fc.nat(EVENTS - 2), fc.nat(40)), { maxLength: 6 }),
  changed: fc.array(fc.nat(EVENTS - 1), { maxLength: 5 }),
})

test('whatever is asked for, page after page brings each event that matches, once and in order', () => {
  using table = filledTable()
  fc.assert(
    fc.property(wanted, fc.nat(EVENTS), ({ length, ...each }, indexedTo) => {
      setIndexedTo(table, indexedTo)
      const until = Math.min(each.after + length, EVENTS)
      const { events, hasGap, told } = readAll(table, { ...each, until })
      assert.deepEqual(events, matching(table.events, { ...each, until }))
      assert.equal(hasGap, false)
      assert.deepEqual(told, [])
    }),
    { numRuns: 120 },
  )
})

test('around what is damaged the rest is read, the gap is told, and the operator knows the numbers', () => {
  using table = filledTable()
  fc.assert(
    fc.property(wanted, damage, fc.nat(EVENTS), ({ length, ...each }, broken, indexedTo) => {
      setIndexedTo(table, indexedTo)
      const missing = new Set(
        broken.missing.flatMap(([from, count]) => table.events.slice(from, from + count)),
      )
      const changed = new Set(broken.changed.map((at) => table.events[at]!))
      const bad = missing.union(changed)
      for (const { seq } of changed) table.change(seq, "payload = '{}'")
      for (const { seq } of missing) table.remove(seq)

      const until = Math.min(each.after + length, EVENTS)
      // What lies before the first row that is there has been deleted, and is no damage.
      const asked = { ...each, until, oldest: Math.max(each.oldest, table.seqs()[0]!) }
      const { events, hasGap, told } = readAll(table, asked)
      for (const event of bad) table.restore(event)

      const due = matching(table.events, asked)
      assert.deepEqual(
        events,
        due.filter((event) => !bad.has(event)),
      )
      assert.ok(events.length === due.length || (hasGap && told.length > 0), 'told')
      assert.ok(!hasGap || bad.size > 0, 'told without need')
    }),
    { numRuns: 100 },
  )
})

test('read back, around what is damaged the same events come as forwards, newest first', () => {
  using table = filledTable()
  fc.assert(
    fc.property(wanted, damage, fc.nat(EVENTS), ({ length, ...each }, broken, indexedTo) => {
      setIndexedTo(table, indexedTo)
      for (const at of broken.changed) table.change(table.events[at]!.seq, "payload = '{}'")
      for (const [from, count] of broken.missing)
        for (const { seq } of table.events.slice(from, from + count)) table.remove(seq)
      const until = Math.min(each.after + length, EVENTS)
      const oldest = Math.max(each.oldest, table.seqs()[0]!)
      const asked = { ...each, until, oldest, publicOnly: false }
      const forward = readAll(table, asked)
      const back = readAllBack(table, asked)
      for (const event of table.events) table.restore(event)
      assert.deepEqual(back.events, forward.events.toReversed())
      assert.equal(back.hasGap, forward.hasGap)
      assert.equal(back.told.length > 0, forward.told.length > 0)
    }),
    { numRuns: 60 },
  )
})

test('an index that leads elsewhere is not believed: nothing wrong is delivered, and nothing is missing', () => {
  using table = filledTable()
  setIndexedTo(table, EVENTS)
  const rare = table.events.filter(({ topics }) => topics.includes('rare'))
  const key = [...keysOfEvent(['rare'], false)][0]!
  table.database
    .prepare('UPDATE postings SET seq = seq + 1 WHERE topic_key = ? AND seq = ?')
    .run(key, rare[1]!.seq)
  const filters = [{ topics: ['rare'], privateOnly: false }]
  const asked = { after: 0, until: EVENTS, oldest: 1, filters, pageBytes: 65_536 }
  const { events, told } = readAll(table, asked)
  assert.deepEqual(events, rare)
  assert.deepEqual(told, [
    `the topic index: it leads to event ${rare[1]!.seq + 1}, which has another topic`,
  ])
})

test('a hole is passed over in one step, however large, and told once', () => {
  using table = new MemoryTable()
  for (let n = 0; n < 10; n++) table.append({ topics: ['a'] })
  // Their numbers are no longer those that they were written with.
  table.database.exec('UPDATE events SET seq = seq + 1000000000 WHERE seq > 5')
  const asked = { after: 0, until: 1_000_000_010, oldest: 1, filters: undefined, pageBytes: 65_536 }
  const { events, hasGap, told } = readAll(table, asked)
  assert.deepEqual(events, table.events.slice(0, 5))
  assert.ok(hasGap)
  assert.deepEqual(told, [
    'events 6 to 1000000005 are missing',
    ...[6, 7, 8, 9, 10].map((n) => `event ${1_000_000_000 + n} is damaged`),
  ])
})

test('no whole row between holes is passed over', () => {
  using table = new MemoryTable()
  for (let n = 0; n < 100; n++) table.append({ topics: ['a'] })
  // The rows that a search in growing steps from row 11 would look at.
  for (const [first, last] of [
    [11, 19],
    [26, 40],
    [42, 45],
  ])
    table.database.prepare('DELETE FROM events WHERE seq BETWEEN ? AND ?').run(first!, last!)
  const asked = { after: 0, until: 100, oldest: 1, filters: undefined, pageBytes: 65_536 }
  const { events, told } = readAll(table, asked)
  assert.deepEqual(
    events.map(({ seq }) => seq),
    table.seqs(),
  )
  assert.deepEqual(told, [
    'events 11 to 19 are missing',
    'events 26 to 40 are missing',
    'events 42 to 45 are missing',
  ])
})

test('the first whole row from a place on is found, over missing and damaged ones', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 1, max: 60 })),
      fc.integer({ min: 1, max: 70 }),
      fc.integer({ min: 1, max: 60 }),
      (bad, seq, until) => {
        using table = new MemoryTable()
        for (let n = 0; n < 60; n++) table.append({ topics: ['a'] })
        for (const each of bad)
          table.database.exec(
            each % 2 === 0
              ? `DELETE FROM events WHERE seq = ${each}`
              : `UPDATE events SET crc = crc + 1 WHERE seq = ${each}`,
          )
        const reader = new RowReader(table.database, () => {})
        const found = table.events.find(
          (event) => event.seq >= seq && event.seq <= until && !bad.includes(event.seq),
        )
        assert.deepEqual(reader.firstFrom(seq, until), found)
      },
    ),
  )
})

function filledTable(): MemoryTable {
  const table = new MemoryTable()
  const insert = table.database.prepare('INSERT OR IGNORE INTO postings VALUES (?, ?)')
  table.database.exec('BEGIN')
  for (let n = 1; n <= EVENTS; n++) {
    const topics = ['all']
    if (n % 2 === 0) topics.push('half')
    if (n % 10 === 0) topics.push('tenth')
    if (n % 1_237 === 0) topics.push('rare')
    const event = table.append({ topics, isPrivate: n % 70 === 0, payload: `{"n":${n}}` })
    for (const key of keysOfEvent(topics, event.isPrivate)) insert.run(key, event.seq)
  }
  table.database.exec('COMMIT')
  return table
}

function setIndexedTo(table: MemoryTable, indexedTo: number): void {
  table.database.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)').run(INDEXED_TO, indexedTo)
}

function readAll(table: MemoryTable, asked: RowsWanted) {
  const told: string[] = []
  const reader = new RowReader(table.database, (message) => told.push(message))
  const events: EventRecord[] = []
  let hasGap = false
  let reached = asked.after
  while (reached < asked.until) {
    const page = reader.page({ ...asked, after: reached })
    assert.ok(page.reached > reached && page.reached <= asked.until, `${page.reached}`)
    events.push(...page.events)
    hasGap ||= page.gap === 'damaged'
    reached = page.reached
  }
  return { events, hasGap, told }
}

function readAllBack(table: MemoryTable, { after, until, ...asked }: RowsWanted) {
  const told: string[] = []
  const reader = new RowReader(table.database, (message) => told.push(message))
  const events: EventRecord[] = []
  let hasGap = false
  let before = until + 1
  let rows: number | null = null
  for (let isEnd = before <= after + 1; !isEnd;) {
    const page: RowsFoundBack = reader.pageBack({ ...asked, before, downTo: after + 1, rows })
    assert.ok(page.reached < before || page.isEnd)
    events.push(...page.events)
    hasGap ||= page.gap === 'damaged'
    before = page.reached
    ;({ isEnd, rows } = page)
  }
  return { events, hasGap, told }
}

function matching(
  events: readonly EventRecord[],
  { after, until, oldest, filters, publicOnly = false }: RowsWanted,
): EventRecord[] {
  return events.filter(({ seq, topics, isPrivate }) => {
    if (seq <= after || seq > until || seq < oldest || (publicOnly && isPrivate)) return false
    const event = { topics: JSON.parse(topics) as string[], isPrivate }
    return filters === undefined || filters.some((each) => filterMatches(each, event))
  })
}
