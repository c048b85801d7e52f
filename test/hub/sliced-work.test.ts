import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { SlicedWork } from '../../src/hub/sliced-work.ts'

test('work that takes long lets the event loop turn meanwhile, is done to its end, and again when there is more', async () => {
  let steps = 0
  let turns = 0
  let isDone = false
  const givenUpMs = performance.now() + 5_000
  // It is done once the loop has turned ten times: work that kept the loop would never get there.
  const work = new SlicedWork(() => {
    steps++
    isDone = turns >= 10 || performance.now() > givenUpMs
    return !isDone
  })
  work.start()
  work.start()
  assert.equal(steps, 0, 'none at once')
  for (; !isDone; turns++) await turn()
  assert.ok(turns >= 10, 'it kept the loop')
  const before = steps
  await turn()
  await turn()
  assert.equal(steps, before, 'nothing is left to do')
  work.start()
  while (steps === before) await turn()
  assert.equal(steps, before + 1)
})
