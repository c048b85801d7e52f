import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  nextOffset,
  readRuns,
  PositionRuns,
  type Run,
} from '../../../src/log/sqlite/position-runs.ts'
import { SCHEMA } from '../../../src/log/sqlite/schema.ts'

/** Some starts of a server, and how many events each of them wrote. */
const starts = fc
  .tuple(
    fc.integer({ min: 1, max: 1_000 }),
    fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
  )
  .map(([firstSeq, counts]) => {
    const runs: Run[] = []
    let next = firstSeq
    for (const count of counts) {
      runs.push({ firstSeq: next, offset: nextOffset(runs.at(-1)) })
      next += count
    }
    return { runs, firstSeq, headSeq: next - 1 }
  })

test('every row has a position, higher than those before, and is found at it', () => {
  fc.assert(
    fc.property(starts, ({ runs: given, firstSeq, headSeq }) => {
      const runs = new PositionRuns(given)
      let last = runs.floor as number
      for (let seq = firstSeq; seq <= headSeq; seq++) {
        const position = runs.positionOf(seq)
        assert.ok(position > last, `${position} after ${last}`)
        assert.equal(runs.seqAt(position), seq)
        last = position
      }
    }),
  )
})

test('at a position between two rows, the one before it is found', () => {
  fc.assert(
    fc.property(starts, fc.double({ min: 0, max: 1, noNaN: true }), (start, share) => {
      const { firstSeq, headSeq } = start
      const runs = new PositionRuns(start.runs)
      const [low, high] = [runs.floor, runs.positionOf(headSeq)]
      const position = Math.floor(low + share * (high - low))
      const seq = runs.seqAt(position)
      assert.ok(seq >= firstSeq - 1 && seq <= headSeq)
      assert.ok(seq < firstSeq || runs.positionOf(seq) <= position)
      assert.ok(seq === headSeq || runs.positionOf(seq + 1) > position)
    }),
  )
})

test('below the floor there is no row, and the floor is the place before the first one', () => {
  fc.assert(
    fc.property(starts, fc.nat(2 ** 24), ({ runs: given, firstSeq }, below) => {
      const runs = new PositionRuns(given)
      assert.equal(runs.seqAt(runs.floor), firstSeq - 1)
      assert.equal(runs.seqAt(runs.floor - below), firstSeq - 1)
      assert.equal(runs.positionOf(firstSeq), runs.floor + 1)
    }),
  )
})

test('between two starts there is room for a million events that are lost, and for 16 million starts', () => {
  let run: Run = { firstSeq: 1, offset: nextOffset(undefined) }
  for (let n = 0; n < 1_000; n++) {
    const offset = nextOffset(run)
    assert.ok(offset - run.offset >= 1_000_000)
    assert.ok((offset - run.offset) * 16e6 < 2 ** 48)
    run = { firstSeq: 1, offset }
  }
})

test('runs are read oldest first, whatever their order on the disk', () => {
  using database = new DatabaseSync(':memory:')
  database.exec(SCHEMA)
  const insert = database.prepare('INSERT INTO runs VALUES (?, ?)')
  const runs = [
    { firstSeq: 1, offset: 2_000_000 },
    { firstSeq: 9, offset: 4_000_000 },
    // One without events: the next begins at the same row.
    { firstSeq: 9, offset: 7_000_000 },
    { firstSeq: 30, offset: 9_000_000 },
  ]
  for (const { firstSeq, offset } of runs.toReversed()) insert.run(firstSeq, offset)
  assert.deepEqual(readRuns(database), runs)
})
