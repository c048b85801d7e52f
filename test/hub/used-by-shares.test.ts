import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { UsedByShares, type Share } from '../../src/hub/used-by-shares.ts'

class Thing extends UsedByShares {}

test('first and last uses are told for each share, in whatever order shares come and go', () => {
  const share: fc.Arbitrary<Share> = fc.constantFrom('a', 'b', 'c', undefined)
  const step = fc.record({ share, isUse: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const thing = new Thing()
      const uses = new Map<Share, number>()
      for (const { share: of, isUse } of steps) {
        const before = uses.get(of) ?? 0
        if (isUse) assert.equal(thing.addUse(of), before === 0)
        else if (before === 0) continue
        else assert.equal(thing.removeUse(of), before === 1)
        uses.set(of, isUse ? before + 1 : before - 1)
        for (const each of ['a', 'b', 'c', undefined])
          assert.equal(thing.usesBy(each), uses.get(each) ?? 0)
        assert.equal(
          thing.isUsed,
          uses.values().some((count) => count > 0),
        )
      }
    }),
  )
})
