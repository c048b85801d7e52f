import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shareOf } from '../../src/auth/share-of.ts'

test('a user is one share however the name is spelled and wherever it comes from, and no address is', () => {
  assert.equal(shareOf('Alice', '192.0.2.1'), shareOf(' alice', '2001:db8::1'))
  assert.notEqual(shareOf('alice', '192.0.2.1'), shareOf('bob', '192.0.2.1'))
  assert.notEqual(shareOf('192.0.2.1', '192.0.2.1'), shareOf(null, '192.0.2.1'))
})

test('whoever has proven no name is its address, of IPv6 its first half, and all unknown ones are one', () => {
  assert.notEqual(shareOf(null, '192.0.2.1'), shareOf(null, '192.0.2.2'))
  assert.equal(shareOf(null, '2001:db8::1'), shareOf(null, '2001:db8::ffff:1'))
  assert.notEqual(shareOf(null, '2001:db8::1'), shareOf(null, '2001:db8:0:1::1'))
  assert.equal(shareOf(null, null), shareOf(null, null))
})
