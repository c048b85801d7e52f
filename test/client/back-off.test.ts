import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BackOff } from '../../src/client/back-off.ts'

test('waits grow up to the most, begin anew when it works, and are never the same for a crowd', () => {
  const crowd = Array.from({ length: 200 }, () => new BackOff(100, 1_000))
  const first = crowd.map((each) => each.next())
  assert.ok(Math.max(...first) <= 100)
  assert.ok(new Set(first).size > 100)
  let last: number[] = []
  for (let n = 0; n < 10; n++) last = crowd.map((each) => each.next())
  assert.ok(Math.max(...last) <= 1_000 && Math.max(...last) > 500)
  for (const each of crowd) each.reset()
  assert.ok(Math.max(...crowd.map((each) => each.next())) <= 100)
})

test('what the other side asks for is the least, but not for ever', () => {
  const backOff = new BackOff(100, 1_000)
  assert.ok(backOff.next(5_000) >= 5_000)
  assert.ok(backOff.next(1e12) < 700_000)
})

test('a crowd that was asked for the same time comes back over half of that again', () => {
  for (const askedMs of [1_000, 5_000, 20_000]) {
    const waits = Array.from({ length: 200 }, () => new BackOff(1, 30_000).next(askedMs) - askedMs)
    assert.ok(Math.min(...waits) < askedMs / 8 && Math.max(...waits) > (askedMs / 8) * 3)
  }
})
