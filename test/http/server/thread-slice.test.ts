import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ThreadSlice } from '../../../src/http/server/thread-slice.ts'

/** Does so many parts of a millisecond each, and takes down in which turn. */
async function work(parts: number, turns: number[], now: () => number): Promise<void> {
  const slice = new ThreadSlice()
  for (let part = 0; part < parts; part++) {
    if (slice.isOver) await slice.next()
    turns.push(now())
    for (const startMs = performance.now(); performance.now() < startMs + 1;);
  }
}

test('all who have long work to do share what there is of each turn, and all of it is done', async () => {
  let now = 0
  const perWorker: number[][] = [[], [], []]
  const count = () => {
    now++
    counting = setImmediate(count)
  }
  let counting = setImmediate(count)
  await Promise.all(perWorker.map((turns) => work(20, turns, () => now)))
  clearImmediate(counting)
  assert.deepEqual(
    perWorker.map((turns) => turns.length),
    [20, 20, 20],
  )
  const parts = Map.groupBy(perWorker.flat(), (each) => each)
  assert.ok(Math.max(...parts.values().map((each) => each.length)) <= 8)
})
