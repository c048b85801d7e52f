import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyOfEntitled, visiblePackets } from '../../../src/protocols/jetblack/entitlements.ts'
import type { Packet } from '../../../src/protocols/jetblack/messages.ts'

function packet(...entitlements: readonly number[]): Packet {
  return { entitlements: entitlements.length === 0 ? null : entitlements, data: null }
}

test('whoever needs entitlements sees the packets all of whose entitlements are held, and none that names none', () => {
  const all = [packet(), packet(1), packet(1, 3), packet(2), packet(-5)]
  assert.deepEqual(visiblePackets(all, new Set([1, 3])), [packet(1), packet(1, 3)])
  assert.deepEqual(visiblePackets(all, new Set([-5])), [packet(-5)])
  assert.deepEqual(visiblePackets(all, new Set()), [])
  assert.deepEqual(visiblePackets(all, null), all)
  assert.equal(visiblePackets(null, new Set([1])), null)
})

test('equal entitlements have equal keys, and others have not', () => {
  assert.equal(keyOfEntitled(new Set([3, 1])), keyOfEntitled(new Set([1, 3])))
  const keys = [null, new Set<number>(), new Set([1]), new Set([1, 3]), new Set([13])].map(
    keyOfEntitled,
  )
  assert.equal(new Set(keys).size, keys.length)
})
