import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Queue } from '../../src/hub/queue.ts'

test('what was put in comes out in the same order, however many there are and whenever they come', () => {
  const queue = new Queue<number>()
  let [put, taken] = [0, 0]
  for (const [puts, takes] of [
    [1, 2],
    [9_000, 5_000],
    [3, 4_000],
    [20_000, 19_003],
    [0, 2_000],
  ]) {
    for (let n = 0; n < puts!; n++) queue.push(put++)
    for (let n = 0; n < takes!; n++) assert.equal(queue.shift(), taken < put ? taken++ : undefined)
  }
  assert.equal(taken, put)
  assert.equal(queue.shift(), undefined)
})
