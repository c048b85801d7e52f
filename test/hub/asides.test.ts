import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Asides } from '../../src/hub/asides.ts'
import type { Position } from '../../src/hub/event.ts'

test('what was told at a place is taken before the event behind it, once and in order', () => {
  const asides = new Asides()
  assert.ok(asides.isEmpty)
  for (const [place, text] of [
    [1, 'a'],
    [1, 'b'],
    [3, 'cc'],
  ] as const)
    asides.add(place as Position, Buffer.from(text))
  const before = (place: number) => asides.takeBefore(place as Position).map(String)
  assert.equal(asides.bytes, 4)
  assert.deepEqual(before(1), [])
  assert.deepEqual(before(3), ['a', 'b'])
  assert.equal(asides.bytes, 2)
  assert.deepEqual(before(3), [])
  assert.ok(!asides.isEmpty)
  assert.deepEqual(before(9), ['cc'])
  assert.ok(asides.isEmpty)
  asides.add(9 as Position, Buffer.from('d'))
  assert.deepEqual(before(10), ['d'])
})
