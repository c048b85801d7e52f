import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressBlock } from '../../src/auth/address-block.ts'

test('an IPv4 address is a peer of its own', () => {
  assert.equal(addressBlock('192.0.2.1'), '192.0.2.1')
  assert.notEqual(addressBlock('192.0.2.1'), addressBlock('192.0.2.2'))
})

test('IPv6 addresses with the same first 64 bits are one peer', () => {
  assert.equal(addressBlock('2001:db8:1:2::1'), '2001:db8:1:2::/64')
  assert.equal(addressBlock('2001:db8:1:2:ffff:ffff:ffff:ffff'), '2001:db8:1:2::/64')
  assert.notEqual(addressBlock('2001:db8:1:3::1'), addressBlock('2001:db8:1:2::1'))
})

test('those of an unknown address are one peer', () => {
  assert.equal(addressBlock(null), 'unknown')
})
