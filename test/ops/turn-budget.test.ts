import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { inLaterTurn, isTurnSpent, whenTurnAllows } from '../../src/ops/turn-budget.ts'

function runFor(ms: number): void {
  for (const endMs = performance.now() + ms; performance.now() < endMs;);
}

test('the budget of a turn is spent by whoever works in it, and the next turn has one of its own', async () => {
  await turn()
  assert.equal(isTurnSpent(), false)
  runFor(10)
  assert.equal(isTurnSpent(), true)
  await turn()
  assert.equal(isTurnSpent(), false)
})

test('slices have their turns in the order in which they were asked for, a few in each', async () => {
  const turnOf: number[] = []
  let now = 0
  const count = () => {
    now++
    counting = setImmediate(count)
  }
  let counting = setImmediate(count)
  const done = Promise.withResolvers<void>()
  const order: number[] = []
  for (let i = 0; i < 30; i++)
    inLaterTurn(() => {
      order.push(i)
      turnOf.push(now)
      runFor(1)
      if (i === 29) done.resolve()
    })
  assert.deepEqual(order, [], 'none at once')
  await done.promise
  clearImmediate(counting)
  assert.deepEqual(order, [...Array(30).keys()])
  const perTurn = Map.groupBy(turnOf, (each) => each)
  assert.ok(Math.max(...perTurn.values().map(({ length }) => length)) <= 6)
})

test('what a slice settles belongs to it: it counts before the next one', async () => {
  const done = Promise.withResolvers<void>()
  const order: string[] = []
  inLaterTurn(() => {
    void Promise.resolve().then(() => order.push('behind the first'))
    process.nextTick(() => order.push('in the next tick'))
  })
  inLaterTurn(() => {
    order.push('the second')
    done.resolve()
  })
  await done.promise
  assert.deepEqual(order, ['in the next tick', 'behind the first', 'the second'])
})

test('work is done at once while the turn allows it, else in order, and before slices', async () => {
  await turn()
  const order: string[] = []
  whenTurnAllows(() => void order.push('at once'))
  assert.deepEqual(order, ['at once'])
  runFor(10)
  const done = Promise.withResolvers<void>()
  inLaterTurn(() => {
    order.push('slice')
    done.resolve()
  })
  for (const n of [1, 2, 3]) whenTurnAllows(() => void order.push(`work ${n}`))
  assert.deepEqual(order, ['at once'])
  await done.promise
  assert.deepEqual(order, ['at once', 'work 1', 'work 2', 'work 3', 'slice'])
})
