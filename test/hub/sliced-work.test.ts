import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { SlicedWork } from '../../src/hub/sliced-work.ts'

test('work is done to its end, in several turns of the event loop where it is long, and again when there is more', async () => {
  let left = 200
  let turns = 0
  const work = new SlicedWork(() => {
    for (const endMs = performance.now() + 0.1; performance.now() < endMs;);
    return --left > 0
  })
  work.start()
  work.start()
  const isDone = () => left === 0
  for (; !isDone(); turns++) await turn()
  assert.ok(turns > 5, `in ${turns} turns`)
  left = 1
  work.start()
  await turn()
  assert.equal(left, 0)
})
