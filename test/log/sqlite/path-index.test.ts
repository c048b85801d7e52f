import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { INDEXED_TO, IndexWriter, PATHS_FROM } from '../../../src/log/sqlite/index-writer.ts'
import { PathIndex } from '../../../src/log/sqlite/path-index.ts'
import type { EventRecord } from '../../../src/log/sqlite/record.ts'
import { RowReader } from '../../../src/log/sqlite/row-reader.ts'
import { PATH_KEYS_END, pathKey } from '../../../src/log/sqlite/topic-keys.ts'
import { MemoryTable } from './memory-table.ts'

const EVENTS = 2_000

test('however much of the index there is, the last whole event of each path is found', () => {
  const given = fc.record({
    /** Up to here a server of version 1 has written the index. */
    oldTo: fc.nat(EVENTS),
    indexedTo: fc.nat(EVENTS),
    steps: fc.array(fc.integer({ min: 1, max: 900 }), { maxLength: 5 }),
    oldest: fc.integer({ min: 1, max: EVENTS }),
    until: fc.nat(EVENTS),
    damaged: fc.array(fc.integer({ min: 1, max: EVENTS }), { maxLength: 30 }),
  })
  const table = new MemoryTable()
  const events = Array.from({ length: EVENTS }, (_, n) =>
    table.append({ topics: [n % 50 === 0 ? `once ${n}` : `of ${n % 13}`] }),
  )
  const paths = [...new Set(events.map(({ path }) => path)), '/never']
  fc.assert(
    fc.property(given, ({ indexedTo, steps, oldest, until, damaged, ...rest }) => {
      // Nothing is in the index that is not committed.
      const oldTo = Math.min(rest.oldTo, until)
      table.database.exec('DELETE FROM postings; DELETE FROM meta; BEGIN')
      setMeta(table, PATHS_FROM, oldTo + 1)
      const upTo = Math.max(oldTo, Math.min(indexedTo, until))
      writeIndex(table, events, oldTo, upTo)
      const older = new PathIndex(table.database)
      for (const rows of steps) if (!older.isWhole(1)) older.step(1, rows)()
      for (const seq of damaged) table.change(seq, "payload = '{}x'")
      table.database.exec('COMMIT')

      const reader = new RowReader(table.database, () => {})
      for (const path of paths.slice(0, 25)) {
        const expected = events.findLast(
          (each) =>
            each.path === path &&
            each.seq >= oldest &&
            each.seq <= until &&
            !damaged.includes(each.seq),
        )
        assert.deepEqual(lastOf(reader, { path, oldest, until }), expected ?? null, path)
      }
      for (const seq of damaged) table.restore(events[seq - 1]!)
    }),
    { numRuns: 25 },
  )
  table[Symbol.dispose]()
})

test('the index is whole once the oldest event is reached, and goes on there after a restart', () => {
  using table = new MemoryTable()
  for (let n = 0; n < 100; n++) table.append({ topics: [`${n % 10}`] })
  setMeta(table, PATHS_FROM, 101)
  for (let from = 101; from > 1; from -= 40) {
    const index = new PathIndex(table.database)
    assert.equal(index.isWhole(1), false)
    table.transaction(() => index.step(1, 40))()
  }
  assert.equal(new PathIndex(table.database).isWhole(1), true)
  assert.deepEqual(pathEntries(table), [91, 92, 93, 94, 95, 96, 97, 98, 99, 100])
})

test('a step that was not committed is done again', () => {
  using table = new MemoryTable()
  for (let n = 0; n < 10; n++) table.append({ topics: [`${n}`] })
  setMeta(table, PATHS_FROM, 11)
  const index = new PathIndex(table.database)
  table.transaction(() => index.step(1, 100), 'failed')
  assert.equal(index.isWhole(1), false)
  table.transaction(() => index.step(1, 100))()
  assert.equal(pathEntries(table).length, 10)
})

test('of each path the index keeps one entry, however many events it has', () => {
  using table = new MemoryTable()
  const index = new IndexWriter(table.database, 0)
  for (let n = 0; n < 30_000; n++) {
    const event = { ...table.append({ topics: [] }), path: `/${n % 3}` }
    index.add(event, ['a'])
    if (n % 100 === 99) table.transaction(() => index.step(1))()
  }
  assert.ok(table.meta(INDEXED_TO)! > 10_000)
  assert.equal(pathEntries(table).length, 3)
})

test('another path under the same key leads nobody astray', () => {
  using table = new MemoryTable()
  const [first] = ['a', 'b', 'c'].map((topic) => table.append({ topics: [topic] }))
  setMeta(table, PATHS_FROM, 1)
  setMeta(table, INDEXED_TO, 3)
  table.database.prepare('INSERT INTO postings VALUES (?, ?)').run(pathKey('/a'), 3)
  const reader = new RowReader(table.database, () => {})
  assert.deepEqual(lastOf(reader, { path: '/a', oldest: 1, until: 3 }), first)
})

/** As `IndexWriter` leaves it, at once. */
function writeIndex(
  table: MemoryTable,
  events: readonly EventRecord[],
  from: number,
  to: number,
): void {
  const insert = table.database.prepare('INSERT OR IGNORE INTO postings VALUES (?, ?)')
  const last = new Map(events.slice(from, to).map(({ path, seq }) => [path, seq]))
  for (const [path, seq] of last) insert.run(pathKey(path), seq)
  setMeta(table, INDEXED_TO, to)
}

function setMeta(table: MemoryTable, name: string, value: number): void {
  table.database.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)').run(name, value)
}

function pathEntries(table: MemoryTable): number[] {
  const sql = `SELECT seq FROM postings WHERE topic_key <= ${PATH_KEYS_END} ORDER BY seq`
  return table.database
    .prepare(sql)
    .all()
    .map(({ seq }) => Number(seq))
}

function lastOf(
  reader: RowReader,
  wanted: { readonly path: string; readonly oldest: number; readonly until: number },
): EventRecord | null {
  let found = reader.lastOf(wanted)
  while ('searchUntil' in found) {
    const { searchUntil } = found
    found = reader.lastOf({ ...wanted, searchUntil })
  }
  return found.event
}
