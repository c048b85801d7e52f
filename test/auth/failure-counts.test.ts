import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FailureCounts } from '../../src/auth/failure-counts.ts'
import { MovedClock } from './moved-clock.ts'

const FORGOTTEN_AFTER_MS = 900_000

test('a key has failed as often as it was added', () => {
  const counts = new FailureCounts(new MovedClock())
  assert.equal(counts.get('a'), undefined)
  for (let n = 0; n < 3; n++) counts.add('a')
  counts.add('b')
  assert.equal(counts.get('a')?.failures, 3)
  counts.clear('a')
  assert.equal(counts.get('a'), undefined)
  assert.equal(counts.get('b')?.failures, 1)
})

test('a key that has not failed for a while is forgotten, also if nobody asks for it', async () => {
  const clock = new MovedClock()
  const counts = new FailureCounts(clock)
  counts.add('a')
  counts.add('b')
  await clock.move(FORGOTTEN_AFTER_MS - 1)
  counts.add('b')
  await clock.move(1)
  assert.equal(counts.get('a'), undefined)
  assert.equal(counts.get('b')?.failures, 2)
  await clock.move(FORGOTTEN_AFTER_MS)
  counts.add('c')
  counts.clear('c')
  assert.ok(counts.isEmpty)
})

test('of too many keys the one that failed longest ago is forgotten', () => {
  const counts = new FailureCounts(new MovedClock())
  counts.add('first')
  counts.add('second')
  counts.add('first')
  for (let n = 0; n < 19_999; n++) counts.add(`other ${n}`)
  assert.equal(counts.get('first')?.failures, 2)
  assert.equal(counts.get('second'), undefined)
})
