import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crashRun } from '../crash/crash-run.ts'
import { tableOf } from '../crash/table.ts'
import { portionOf } from './portion.ts'

const KILLS = portionOf(200)

/** Nothing is begun after that; 200 kills took 11 minutes on two busy cores, in ms. */
const DURATION_MS_MAX = 2 * 3_600_000

test(`after ${KILLS} kills every 202 is kept, once, in order, and no reader missed anything`, async () => {
  const seed = Date.now() % 1_000_000
  const result = await crashRun({
    kills: KILLS,
    seed,
    storage: 'disk',
    durationMsMax: DURATION_MS_MAX,
  })
  console.log(tableOf(result, { seed, storage: 'disk' }))
  assert.deepEqual(result.faults.slice(0, 10), [])
  assert.equal(result.gapsTold, 0, 'everything is kept, so no gap is due')
  assert.equal(result.kills, KILLS)
})
