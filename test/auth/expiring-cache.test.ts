import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import fc from 'fast-check'
import { ExpiringCache } from '../../src/auth/expiring-cache.ts'

test('a value is there for its time while it is among the newest, and no longer', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd')
  const operation = fc.oneof(
    fc.record({ set: key, keptMs: fc.constantFrom(0, 10, 1_000) }),
    fc.record({ get: key }),
    fc.record({ passMs: fc.constantFrom(1, 9, 500) }),
  )
  let nowMs = 0
  const clock = mock.method(performance, 'now', () => nowMs)
  try {
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 40, size: 'max' }),
        fc.integer({ min: 1, max: 3 }),
        (operations, entriesMax) => {
          const cache = new ExpiringCache<number>(entriesMax)
          let kept: { key: string; value: number; untilMs: number }[] = []
          for (const [value, each] of operations.entries()) {
            if ('passMs' in each) nowMs += each.passMs
            else if ('set' in each) {
              cache.set(each.set, value, each.keptMs)
              kept = kept.filter((entry) => entry.key !== each.set)
              kept.push({ key: each.set, value, untilMs: nowMs + each.keptMs })
              kept = kept.slice(-entriesMax)
            } else {
              const entry = kept.find((known) => known.key === each.get)
              const isLive = entry !== undefined && entry.untilMs > nowMs
              if (!isLive) kept = kept.filter((known) => known !== entry)
              assert.equal(cache.get(each.get), isLive ? entry.value : undefined)
            }
          }
        },
      ),
    )
  } finally {
    clock.mock.restore()
  }
})
