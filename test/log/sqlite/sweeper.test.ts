import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { INDEXED_FROM } from '../../../src/log/sqlite/index-writer.ts'
import { amountBeside, Sweeper, type SweepAmount } from '../../../src/log/sqlite/sweeper.ts'
import { keysOfEvent } from '../../../src/log/sqlite/topic-keys.ts'
import { MemoryTable } from './memory-table.ts'

const steps = fc.array(
  fc.record({
    keepMore: fc.nat(40),
    rows: fc.integer({ min: 1, max: 30 }),
    outcome: fc.constantFrom('committed', 'committed', 'failed', 'crashed'),
  }),
  { minLength: 1, maxLength: 30, size: 'max' },
)

test('wherever it is interrupted, no event that is kept goes, and what the index says of those that are left is whole', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 150 }), steps, (count, given) => {
      using table = filledTable(count)
      const all = table.postings()
      let sweeper = new Sweeper(table.database, 1)
      let keepFrom = 1
      for (const { keepMore, rows, outcome } of given) {
        keepFrom = Math.min(count, keepFrom + keepMore)
        const settle = table.transaction(
          () => sweeper.step(keepFrom, exactly(rows), 1),
          outcome === 'failed' ? 'failed' : 'committed',
        )
        if (outcome === 'committed') settle()
        if (outcome === 'crashed') sweeper = new Sweeper(table.database, table.seqs()[0]!)

        const seqs = table.seqs()
        assert.ok(seqs[0]! <= keepFrom)
        assert.deepEqual(seqs, range(seqs[0]!, count))
        const indexedFrom = table.meta(INDEXED_FROM) ?? 1
        if (outcome === 'committed') assert.equal(sweeper.indexedFrom, indexedFrom)
        assert.ok(indexedFrom <= keepFrom)
        assert.deepEqual(from(table.postings(), indexedFrom), from(all, indexedFrom))
      }
    }),
  )
})

test('all that is not kept leaves the table and the index, also after crashes', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 150 }),
      fc.integer({ min: 1, max: 30 }),
      fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
      (count, rows, crashes) => {
        using table = filledTable(count)
        const all = table.postings()
        let sweeper = new Sweeper(table.database, 1)
        for (let n = 0; n < 400; n++) {
          const settle = table.transaction(() => sweeper.step(count, exactly(rows), 1))
          if (crashes[n] === true) sweeper = new Sweeper(table.database, table.seqs()[0]!)
          else settle()
        }
        assert.equal(sweeper.firstSeq, count)
        assert.deepEqual(table.seqs(), [count])
        assert.deepEqual(table.postings(), from(all, count))
      },
    ),
    { numRuns: 30 },
  )
})

test('a lot is not begun before it is worth it, and one that was begun is ended', () => {
  using table = filledTable(150)
  const sweeper = new Sweeper(table.database, 1)
  const step = (keepFrom: number) =>
    table.transaction(() => sweeper.step(keepFrom, exactly(20), 100))()
  for (let n = 0; n < 10; n++) step(100)
  assert.equal(table.seqs().length, 150)
  for (let n = 0; n < 40; n++) step(101)
  assert.deepEqual(table.seqs(), range(101, 150))
  assert.equal(sweeper.firstSeq, 101)
})

test('a step does so much work and no more', () => {
  using table = filledTable(150)
  const sweeper = new Sweeper(table.database, 1)
  while (table.seqs().length > 1) {
    const before = table.seqs().length
    table.transaction(() => sweeper.step(150, exactly(10), 1))()
    assert.ok(before - table.seqs().length <= 10)
  }
})

for (const { topicsEach, commit, kept, lotMin, count } of [
  { topicsEach: 1, commit: 1, kept: 3_000, lotMin: 4_096, count: 16_000 },
  { topicsEach: 3, commit: 10, kept: 3_000, lotMin: 4_096, count: 16_000 },
  { topicsEach: 3, commit: 10_000, kept: 3_000, lotMin: 4_096, count: 30_000 },
  { topicsEach: 20, commit: 500, kept: 1, lotMin: 4_096, count: 7_000 },
  { topicsEach: 300, commit: 5, kept: 100, lotMin: 100, count: 600 },
  { topicsEach: 5_000, commit: 1, kept: 1, lotMin: 1, count: 20 },
])
  test(`retention keeps up with events of ${topicsEach} ever new topics each, ${commit} in a commit`, () => {
    using table = new MemoryTable()
    const insert = table.database.prepare('INSERT OR IGNORE INTO postings VALUES (?, ?)')
    const sweeper = new Sweeper(table.database, 1)
    while (table.events.length < count) {
      const head = table.events.length
      const keepFrom = Math.max(1, head + 1 - kept)
      const amount = amountBeside(commit, commit * topicsEach)
      table.transaction(() => sweeper.step(keepFrom, amount, lotMin))()
      const unwanted = keepFrom - sweeper.firstSeq
      // What waits to be worth it, half of what comes meanwhile, and what a commit brings at once.
      assert.ok(unwanted <= 1.5 * lotMin + 2 * commit, `${unwanted} too many of ${head}`)
      table.transaction(() => {
        for (let n = 1; n <= commit; n++) {
          const topics = Array.from({ length: topicsEach }, (_, i) => `${head + n} ${i}`)
          table.append({ topics })
          for (const key of keysOfEvent(topics, false)) insert.run(key, head + n)
        }
      })
    }
  })

test('one commit does not delete much more than it writes, whatever topics the old events had', () => {
  using table = new MemoryTable()
  const insert = table.database.prepare('INSERT OR IGNORE INTO postings VALUES (?, ?)')
  for (let n = 1; n <= 8; n++) {
    const topics = Array.from({ length: 5_000 }, (_, i) => `${n} ${i}`)
    table.append({ topics })
    for (const key of keysOfEvent(topics, false)) insert.run(key, n)
  }
  const sweeper = new Sweeper(table.database, 1)
  let before = table.postings().size
  while (sweeper.firstSeq < 8) {
    table.transaction(() => sweeper.step(8, amountBeside(1, 1), 1))()
    const after = table.postings().size
    assert.ok(before - after <= 4_096 + 8, `${before - after} at once`)
    before = after
  }
})

test('damaged topics stop nothing', () => {
  using table = filledTable(50)
  table.change(7, `topics = '["a'`)
  table.change(8, 'topics = NULL')
  const sweeper = new Sweeper(table.database, 1)
  for (let n = 0; n < 100; n++) table.transaction(() => sweeper.step(50, exactly(10), 1))()
  assert.deepEqual(table.seqs(), [50])
})

function exactly(deletes: number): SweepAmount {
  return { rows: 0, deletesMin: deletes, deletesMax: deletes }
}

/** With each event in the index. */
function filledTable(count: number): MemoryTable {
  const table = new MemoryTable()
  const insert = table.database.prepare('INSERT OR IGNORE INTO postings VALUES (?, ?)')
  for (let n = 1; n <= count; n++) {
    const topics = ['all', `${n % 7}`, ...(n % 50 === 0 ? [`rare ${n}`] : [])]
    const { seq, isPrivate } = table.append({ topics, isPrivate: n % 11 === 0 })
    for (const key of keysOfEvent(topics, isPrivate)) insert.run(key, seq)
  }
  return table
}

function from(postings: ReadonlySet<string>, seq: number): Set<string> {
  return new Set(postings.values().filter((each) => Number(each.split(' ')[1]) >= seq))
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}
