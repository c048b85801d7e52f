import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  StoredQuotas,
  type CountedSubscription,
} from '../../../src/protocols/lonelyps/stored-quotas.ts'

const LIMITS = {
  subscriptionsMax: 1_000,
  bytesMax: 10_000,
  globsMax: 100,
  subscriptionsPerAddressMax: 5,
  bytesPerAddressMax: 100,
  globsPerAddressMax: 2,
}
const PLENTY = { rows: 1_000, bytes: 10_000, globs: 100 }

const subscription: fc.Arbitrary<CountedSubscription> = fc.record({
  share: fc.constantFrom('a', 'b', undefined),
  bytes: fc.nat(60),
  glob: fc.constantFrom(null, 'x*', 'y*', 'z*'),
})

/** Counted anew from all that is there. */
function fits(held: readonly CountedSubscription[], share: string | undefined): boolean {
  const own = held.filter((each) => each.share === share)
  return (
    share === undefined ||
    (own.length <= LIMITS.subscriptionsPerAddressMax &&
      own.reduce((sum, { bytes }) => sum + bytes, 0) <= LIMITS.bytesPerAddressMax &&
      new Set(own.flatMap(({ glob }) => glob ?? [])).size <= LIMITS.globsPerAddressMax)
  )
}

test('however subscriptions come, replace others and go, each share has so many, so many bytes and so many globs', () => {
  const step = fc.record({ one: subscription, gives: fc.option(fc.nat(9)), ends: fc.nat(9) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const quotas = new StoredQuotas(LIMITS)
      const held: CountedSubscription[] = []
      for (const { one, gives, ends } of steps) {
        // Of a replaced one only the globs still count when it is asked, as it is there until the other is stored.
        const gone = gives === null ? [] : held.slice(gives, gives + 1)
        const change = { put: [one], gone, created: PLENTY, free: PLENTY }
        const after = [...held.filter((each) => !gone.includes(each)), one]
        const globsKept = [...held, one].map((each) => ({ ...each, bytes: 0 }))
        const isFit =
          fits(after, one.share) &&
          new Set(globsKept.flatMap(({ share, glob }) => (share === one.share ? (glob ?? []) : [])))
            .size <= (one.share === undefined ? Infinity : LIMITS.globsPerAddressMax)
        if (!isFit) {
          assert.throws(() => quotas.admit(one.share, change), { code: 'SHARE_EXCEEDED' })
          const released = held.splice(ends, 1)
          for (const each of released) quotas.release(each)
          continue
        }
        quotas.admit(one.share, change)
        quotas.charge(one)
        for (const each of gone) {
          held.splice(held.indexOf(each), 1)
          quotas.release(each)
        }
        held.push(one)
      }
    }),
    { numRuns: 300 },
  )
})
