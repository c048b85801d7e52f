import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crashRun } from './crash-run.ts'

/** The short form of `npm run test:crash`; another one takes another course. */
const SEED = Number(process.env['CRASH_SEED'] ?? 5)

const LIMITS = { seed: SEED, durationMsMax: 20_000 }

test('after five kills every 202 is kept, once, in order, and no reader missed anything', async (context) => {
  const { faults, gapsTold, kills, history } = await crashRun({
    ...LIMITS,
    kills: 5,
    storage: 'disk',
  })
  context.diagnostic(`${kills} kills, ${history.log.length} events, seed ${SEED}`)
  assert.deepEqual(faults.slice(0, 10), [])
  assert.equal(gapsTold, 0, 'everything is kept, so no gap is due')
  assert.ok(history.log.length > 100 && kills > 0, 'too little happened')
})

test('with events in memory only, a kill is found out', async () => {
  const { faults } = await crashRun({ ...LIMITS, kills: 1, storage: null })
  const rules = new Set(faults.map(({ rule }) => rule))
  assert.ok(rules.has('lost') && rules.has('vanished'))
})
