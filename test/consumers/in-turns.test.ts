import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { inTurns } from '../../src/consumers/in-turns.ts'

test('work is done step by step, the event loop turns meanwhile, and what it comes to is known at the end', async () => {
  let turns = 0
  let isOver = false
  const givenUpMs = performance.now() + 5_000
  // It is done once the loop has turned ten times: work that kept the loop would never get there.
  const isEarly = () => turns < 10 && performance.now() < givenUpMs
  function* work(): Generator<void, string> {
    while (isEarly()) yield
    return 'done'
  }
  const result = inTurns(work()).finally(() => (isOver = true))
  const hasEnded = () => isOver
  for (; !hasEnded(); turns++) await turn()
  assert.equal(await result, 'done')
  assert.ok(turns >= 10, 'it kept the loop')
})

test('what throws is told to whoever waits', async () => {
  await assert.rejects(inTurns(throwing()), /planted/)
})

function* throwing(): Generator<void, void> {
  yield
  throw new Error('planted')
}
