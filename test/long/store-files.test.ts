import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { PublishedEvent } from '../../src/hub/event.ts'
import { HARMFUL, HARMLESS, PlacedStore } from '../log/sqlite/file-operations.ts'
import { readAll, type OpenedStore } from '../log/sqlite/store-folder.ts'
import { portionOf } from './portion.ts'

const RUNS = portionOf(150)

test(`in ${RUNS} runs of random hands on the files among publications, what got a 202 is there after a restart, or its loss was told`, async () => {
  using filled = await PlacedStore.fill()
  const hand = fc.constantFrom(...Object.keys(HARMFUL), ...Object.keys(HARMLESS))
  const step = fc.record({ before: fc.nat(3), hand, during: fc.nat(8) })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 4 }), async (steps) => {
      using place = filled.copy()
      const { folder } = place
      let store = await folder.open()
      try {
        for (const { before, hand: name, during } of steps) {
          for (let n = 0; n < before; n++) await place.publish(store.log)
          if (before > 0) place.copyLog()
          // Those may come before, while or after it.
          const publishing = Array.from({ length: during }, () => place.publish(store.log))
          const settled = Promise.allSettled(publishing)
          const stood = place.state()
          place.shell(`${HARMFUL[name] ?? HARMLESS[name]} || true`)
          const isHarmed = name in HARMFUL && place.state() !== stood
          for (const result of await settled)
            if (result.status === 'rejected')
              assert.match(result.reason.code, /^(LOG_UNAVAILABLE|OUTCOME_UNKNOWN)$/)
          if (isHarmed)
            await assert.rejects(place.publish(store.log), { code: /UNAVAILABLE|UNKNOWN/ })
          const isTold = folder.told.some((line) => line.includes('events cannot be stored: '))
          await store[Symbol.asyncDispose]()
          // What is taken away below must not be the store itself.
          place.shell('[ "$(readlink $S)" != elsewhere ] || { rm $S && mv $P/elsewhere $S; }')
          store = await folder.open()
          const lost = await missing(place.acknowledged, store)
          assert.ok(lost === 0 || isTold, `${lost} are lost without a word after ${name}`)
          // From now on it is about what is there.
          place.acknowledged.splice(0, Infinity, ...(await readAll(store.log)))
          folder.told.length = 0
          place.shell('rm -rf $P/away $P/elsewhere $P/copy $P/links; [ -d $O ] || cp -rL $S $O')
        }
      } finally {
        await store[Symbol.asyncDispose]()
      }
    }),
    { numRuns: RUNS },
  )
})

async function missing(all: readonly PublishedEvent[], { log }: OpenedStore): Promise<number> {
  const there = new Set((await readAll(log)).map(({ cursor }) => cursor))
  return all.filter(({ cursor }) => !there.has(cursor)).length
}
