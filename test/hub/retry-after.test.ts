import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { CloseReason } from '../../src/hub/encoding.ts'
import { retryAfterMs } from '../../src/hub/retry-after.ts'

const REASONS: readonly CloseReason[] = [
  'shutdown',
  'slow',
  'stalled',
  'revoked',
  'unavailable',
  'internal',
  'timeout',
  'finished',
  'unsubscribed',
]

/** The least and the most that chance can bring. */
function range(reason: CloseReason, streams: number, drainWindowMs = 30_000): [number, number] {
  const at = (chance: number) => retryAfterMs(reason, streams, drainWindowMs, () => chance)
  return [at(0), at(1 - Number.EPSILON)]
}

test('the window after a stop grows with the number of streams, up to the drain window', () => {
  assert.deepEqual(range('shutdown', 0), [1_000, 2_000])
  assert.deepEqual(range('shutdown', 1_000), [1_000, 4_000])
  assert.deepEqual(range('shutdown', 10_000), [1_000, 22_000])
  assert.deepEqual(range('shutdown', 1_000_000), [1_000, 30_000])
  assert.deepEqual(range('shutdown', 1_000_000, 600_000), [1_000, 600_000])
  assert.deepEqual(range('shutdown', 1_000, 1_500), [1_000, 1_500])
  assert.deepEqual(range('shutdown', 1_000, 0), [1_000, 1_000])
})

test('who was slow, or may see nothing any more, is asked for other times, whatever else is open', () => {
  for (const streams of [0, 100_000]) {
    assert.deepEqual(range('slow', streams), [2_000, 6_000])
    assert.deepEqual(range('revoked', streams), [30_000, 60_000])
  }
})

test('what ends all streams spreads them all', () => {
  for (const reason of ['unavailable', 'internal'] as const) {
    assert.deepEqual(range(reason, 1), [5_000, 10_000])
    assert.deepEqual(range(reason, 10_000), [5_000, 26_000])
  }
})

test('a crowd comes back evenly over its window', () => {
  const counts = Array.from({ length: 10 }, () => 0)
  for (let n = 0; n < 10_000; n++)
    counts[Math.floor((retryAfterMs('shutdown', 10_000, 30_000) - 1_000) / 2_100.1)]!++
  // A binomial of 1,000 with a deviation of 30.
  for (const count of counts) assert.ok(count > 700 && count < 1_300, counts.join())
})

test('it is a whole number of ms, as `retry:` of server-sent events must be, whatever chance says', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...REASONS),
      fc.nat(),
      fc.nat(),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (reason, streams, windowMs, chance) => {
        const ms = retryAfterMs(reason, streams, windowMs, () => chance)
        assert.ok(Number.isInteger(ms) && ms >= 1_000 && ms <= Math.max(60_000, windowMs))
      },
    ),
  )
})
