import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { EventRecord } from '../../../src/log/sqlite/record.ts'
import { Retention, type RetentionLimits } from '../../../src/log/sqlite/retention.ts'

const limits: fc.Arbitrary<RetentionLimits> = fc.record({
  eventsMax: fc.constantFrom(0, 1, 7, 40, 1e9),
  maxAgeMs: fc.constantFrom(0, 1, 50, 400),
  bytesMax: fc.constantFrom(0, 30, 500, Infinity),
})
const operation = fc.oneof(
  fc.record({ bytes: fc.nat(60), isWhole: fc.integer({ max: 9, min: 0 }).map((n) => n > 0) }),
  fc.record({ passMs: fc.integer({ min: -30, max: 60 }) }),
)

test('the oldest event that is kept, and the size of all that are, are those of a look at every row', () => {
  fc.assert(
    fc.property(
      limits,
      fc.array(operation, { maxLength: 120, size: 'max' }),
      (given, operations) => {
        const table = new Table()
        const retention = table.retention(given)
        let expected = 1
        for (const each of operations) {
          if ('passMs' in each) table.nowMs += each.passMs
          else table.append(each.bytes, each.isWhole)
          expected = Math.max(expected, table.oldest(given))
          assert.equal(retention.oldest(table.end), expected)
          const kept = table.wholeFrom(expected)
          assert.equal(
            retention.bytes(table.end),
            kept === undefined ? 0 : table.end.bytes - kept.bytesBefore,
          )
        }
      },
    ),
    { numRuns: 300 },
  )
})

test('what has passed its age stays away though the clock is set back', () => {
  const table = new Table()
  const retention = table.retention({ eventsMax: 100, maxAgeMs: 1_000, bytesMax: Infinity })
  table.append(10, true)
  table.nowMs += 1_001
  assert.equal(retention.oldest(table.end), 2)
  table.nowMs -= 1_001
  assert.equal(retention.oldest(table.end), 2)
})

test('while nothing passes its age or the size, no row is looked at', () => {
  const table = new Table()
  const retention = table.retention({ eventsMax: 1e9, maxAgeMs: 1e9, bytesMax: 1e9 })
  table.append(10, true)
  retention.oldest(table.end)
  table.looks = 0
  for (let n = 0; n < 1_000; n++) {
    table.append(10, true)
    retention.oldest(table.end)
  }
  assert.equal(table.looks, 0)
})

test('of a million rows that are too old at once, few are looked at', () => {
  let looks = 0
  const retention = new Retention(
    { eventsMax: 1e9, maxAgeMs: 1_000, bytesMax: Infinity },
    1,
    (ageMs) => 1_000_000 - ageMs,
    (seq) => {
      looks++
      return recordAt(seq, seq, 0)
    },
  )
  assert.equal(retention.oldest({ headSeq: 1_000_000, bytes: 1e6 }), 999_000)
  assert.ok(looks < 100, `${looks} rows`)
})

/** A table of events in memory, some of them damaged, and a clock. */
class Table {
  readonly #rows: { readonly record: EventRecord; readonly isWhole: boolean }[] = []
  #bytes = 0
  #lastMs = 0
  nowMs = 10_000
  looks = 0

  append(bytes: number, isWhole: boolean): void {
    this.#lastMs = Math.max(this.#lastMs, this.nowMs)
    const record = recordAt(this.#rows.length + 1, this.#lastMs, this.#bytes)
    this.#rows.push({ record, isWhole })
    this.#bytes += bytes
  }

  get end() {
    return { headSeq: this.#rows.length, bytes: this.#bytes }
  }

  retention(given: RetentionLimits): Retention {
    return new Retention(
      given,
      1,
      (ageMs) => this.nowMs - ageMs,
      (seq) => {
        this.looks++
        return this.wholeFrom(seq)
      },
    )
  }

  wholeFrom(seq: number): EventRecord | undefined {
    return this.#rows.slice(seq - 1).find(({ isWhole }) => isWhole)?.record
  }

  /** By a look at every row; a damaged one counts as the next that is whole. */
  oldest({ eventsMax, maxAgeMs, bytesMax }: RetentionLimits): number {
    for (let seq = Math.max(1, this.#rows.length + 1 - eventsMax); ; seq++) {
      const record = this.wholeFrom(seq)
      if (record === undefined) return seq
      const isYoung = maxAgeMs === 0 || record.publishedAtMs >= this.nowMs - maxAgeMs
      if (isYoung && this.#bytes - record.bytesBefore <= bytesMax) return seq
    }
  }
}

function recordAt(seq: number, publishedAtMs: number, bytesBefore: number): EventRecord {
  const text = { path: '/', topics: '[]', payload: '{}' }
  return { seq, publishedAtMs, isPrivate: false, ...text, bytesBefore }
}
