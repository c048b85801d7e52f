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
  const hasEnded = () => isDone
  work.start()
  work.start()
  assert.equal(steps, 0, 'none at once')
  for (; !hasEnded(); turns++) await turn()
  assert.ok(turns >= 10, 'it kept the loop')
  const taken = steps
  await turn()
  await turn()
  assert.equal(steps, taken, 'nothing is left to do')
  isDone = false
  work.start()
  for (; !hasEnded(); turns++) await turn()
  assert.equal(steps, taken + 1)
})
