import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PageFill } from '../../src/log/page-fill.ts'

const BYTES_MAX = 65_536

test('a page ends with the event that fills it, or before, and not with less than half', () => {
  const sizes = fc.array(fc.nat(BYTES_MAX), { minLength: 1, maxLength: 400 })
  const holes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 400, maxLength: 400 })
  fc.assert(
    fc.property(fc.nat(1_000_000), sizes, holes, (after, payloads, steps) => {
      const fill = new PageFill(after, BYTES_MAX)
      let row = after
      let bytes = 0
      for (const [i, length] of payloads.entries()) {
        row += steps[i]!
        bytes += length
        fill.add(row, length)
        if (fill.isFull) assert.ok(bytes * 2 >= BYTES_MAX, `full with ${bytes} bytes`)
        else assert.ok(bytes < BYTES_MAX, `not full with ${bytes} bytes`)
        if (fill.isFull) return
      }
    }),
  )
})

test('an event larger than a page is a page', () => {
  const fill = new PageFill(7, BYTES_MAX)
  fill.add(8, BYTES_MAX)
  assert.ok(fill.isFull)
})

test('readers that come from different places come to read the same pages', () => {
  const place = fc.record({
    base: fc.nat(100_000),
    offsets: fc.array(fc.nat(100), { minLength: 2, maxLength: 10 }),
    eventBytes: fc.integer({ min: 276, max: 2_256 }),
  })
  fc.assert(
    fc.property(place, ({ base, offsets, eventBytes }) => {
      const ways = offsets.map((offset) => pageEnds(base + offset, base + 20_000, eventBytes))
      // Mostly they do with the second page; where a page has hardly more rows than a block it takes the longest.
      const from = Math.max(...ways.map((ends) => ends[64]!))
      const [first, ...others] = ways.map((ends) => ends.filter((end) => end >= from))
      assert.ok(first!.length > 10)
      for (const ends of others) assert.deepEqual(ends, first)
    }),
  )
})

/** Where the pages of a reader end who reads every row after one, all events of one size. */
function pageEnds(after: number, until: number, eventBytes: number): number[] {
  const ends: number[] = []
  let fill = new PageFill(after, BYTES_MAX)
  for (let row = after + 1; row <= until; row++) {
    fill.add(row, eventBytes)
    if (!fill.isFull) continue
    ends.push(row)
    fill = new PageFill(row, BYTES_MAX)
  }
  return ends
}
