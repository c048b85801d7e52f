import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withLast } from '../../src/hub/with-last.ts'

test('a list of one is made of an empty one, which stays empty, and grows in place from then on', () => {
  const none: readonly number[] = Object.freeze([])
  const one = withLast(none, 1)
  assert.deepEqual(one, [1])
  assert.equal(withLast(one, 2), one)
  assert.deepEqual(one, [1, 2])
  assert.deepEqual(none, [])
})
