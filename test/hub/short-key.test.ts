import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shortKey } from '../../src/hub/short-key.ts'

test('a key stays as it is while it is short, and is never long', () => {
  assert.equal(shortKey('["a"]'), '["a"]')
  const long = Array.from({ length: 4_000 }, (_, n) => `["topic-${n}"]`).join()
  assert.ok(shortKey(long).length < 100)
  assert.equal(shortKey(long), shortKey(long.split(',').join()))
  assert.notEqual(shortKey(long), shortKey(`${long},x`))
})
