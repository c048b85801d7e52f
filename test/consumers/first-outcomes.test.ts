import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FirstOutcomes } from '../../src/consumers/first-outcomes.ts'
import type { Position } from '../../src/hub/event.ts'

const at = (n: number) => n as Position

test('an outcome is there once its event was offered, however late that is', async () => {
  const outcomes = new FirstOutcomes(at(4))
  using _awaiting = outcomes.await()
  const counts = outcomes.of(at(6))
  outcomes.add(at(5), [Promise.resolve(1)])
  outcomes.add(at(6), [Promise.resolve(2), Promise.resolve(3)])
  assert.deepEqual(await Promise.all(await counts), [2, 3])
  assert.deepEqual(await Promise.all(await outcomes.of(at(5))), [1])
})

test('an event that nobody wants, and one from before, have reached nobody', async () => {
  const outcomes = new FirstOutcomes(at(4))
  using _awaiting = outcomes.await()
  const counts = outcomes.of(at(5))
  outcomes.add(at(5), [])
  assert.deepEqual(await counts, [])
  assert.deepEqual(await outcomes.of(at(4)), [])
})

test('nothing is kept while nobody waits', async () => {
  const outcomes = new FirstOutcomes(at(0))
  outcomes.add(at(1), [Promise.resolve(1)])
  {
    using _awaiting = outcomes.await()
    outcomes.add(at(2), [Promise.resolve(2)])
  }
  using _again = outcomes.await()
  assert.deepEqual(await outcomes.of(at(1)), [])
  assert.deepEqual(await outcomes.of(at(2)), [])
})

test('of very many the oldest are forgotten', async () => {
  const outcomes = new FirstOutcomes(at(0))
  using _awaiting = outcomes.await()
  for (let n = 1; n <= 10_001; n++) outcomes.add(at(n), [Promise.resolve(n)])
  assert.deepEqual(await outcomes.of(at(1)), [])
  assert.deepEqual(await Promise.all(await outcomes.of(at(2))), [2])
})

test('who waits when it ends is told of nobody', async () => {
  const outcomes = new FirstOutcomes(at(0))
  using _awaiting = outcomes.await()
  const counts = outcomes.of(at(1))
  outcomes.close()
  assert.deepEqual(await counts, [])
})
