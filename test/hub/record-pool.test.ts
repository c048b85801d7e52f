import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RecordPool } from '../../src/hub/record-pool.ts'

test('records are their own, zero when they are taken, whatever was freed before', () => {
  const action = fc.record({ takes: fc.boolean(), count: fc.nat({ max: 9_000 }), at: fc.nat() })
  fc.assert(
    fc.property(fc.array(action, { maxLength: 12 }), (actions) => {
      const pool = new RecordPool(3)
      const taken: number[] = []
      for (const { takes, count, at } of actions)
        for (let n = 0; n < count; n++)
          if (takes) {
            const record = pool.take()
            for (const field of [0, 1, 2]) {
              assert.equal(pool.get(record, field), 0)
              pool.set(record, field, record * 3 + field)
            }
            taken.push(record)
          } else if (taken.length > 0) {
            const which = (at + n) % taken.length
            const record = taken[which]!
            taken[which] = taken.at(-1)!
            taken.pop()
            assert.equal(pool.get(record, 1), record * 3 + 1)
            pool.free(record)
          }
      assert.equal(pool.size, taken.length)
      assert.equal(new Set(taken).size, taken.length)
      for (const record of taken)
        for (const field of [0, 1, 2]) assert.equal(pool.get(record, field), record * 3 + field)
    }),
    { numRuns: 30 },
  )
})
