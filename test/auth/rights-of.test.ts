import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { PUBLIC_ONLY } from '../../src/hub/rights.ts'
import { privateViewOf, rightsOf } from '../../src/auth/rights-of.ts'
import { privateEvent } from '../contracts/authenticator.ts'

test('a private event is visible when all topics of some segment are on it', () => {
  const rights = rightsOf([['fruits', 'apples'], ['tools']])
  assert.ok(rights.maySee(privateEvent('apples', 'red', 'fruits')))
  assert.ok(rights.maySee(privateEvent('tools')))
  assert.ok(!rights.maySee(privateEvent('fruits')))
  assert.ok(!rights.maySee(privateEvent()))
  assert.equal(rights.seesNothing, false)
})

test('a segment without topics sees every private event', () => {
  assert.ok(rightsOf([['fruits'], []]).maySee(privateEvent()))
  assert.equal(rightsOf([['fruits'], []]).key, rightsOf([[]]).key)
})

test('no segments see none', () => {
  assert.equal(rightsOf([]), PUBLIC_ONLY)
})

test('equal rights have equal keys, however the segments are written', () => {
  const { key } = rightsOf([['a', 'b'], ['c']])
  assert.equal(rightsOf([['c'], ['b', 'a', 'b'], ['c', 'd'], ['c']]).key, key)
})

test('other rights have other keys, whatever is in the topics', () => {
  const keys = [
    [['a', 'b']],
    [['a'], ['b']],
    [['a,b']],
    [['a","b']],
    [['a"],["b']],
    [[]],
    [['']],
  ].map((segments) => rightsOf(segments).key)
  assert.equal(new Set([...keys, PUBLIC_ONLY.key]).size, keys.length + 1)
})

test('rights with equal keys see the same, and pruning changes nothing', () => {
  const topics = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 4 })
  fc.assert(
    fc.property(fc.array(topics, { maxLength: 5 }), topics, (segments, eventTopics) => {
      const rights = rightsOf(segments)
      const sees = segments.some((segment) => segment.every((topic) => eventTopics.includes(topic)))
      assert.equal(rights.maySee(privateEvent(...eventTopics)), sees)
      assert.equal(rights.key, rightsOf(segments.toReversed().map((s) => s.toReversed())).key)
    }),
  )
})

test('what is told of private events with some topics is what the rights let see of them', () => {
  const topics: fc.Arbitrary<string[]> = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), {
    maxLength: 4,
  })
  fc.assert(
    fc.property(fc.array(topics, { maxLength: 5 }), topics, topics, (segments, wanted, others) => {
      const rights = rightsOf(segments)
      const named = segments.map((segment, n) => [`segment ${n}`, segment] as const)
      const view = privateViewOf(named, wanted)
      const isSeen = rights.maySee(privateEvent(...wanted, ...others))
      if (view.sees === 'all') assert.ok(isSeen)
      if (view.sees === 'none') assert.ok(!isSeen)
      if (view.sees !== 'some') return
      assert.ok(!rights.maySee(privateEvent(...wanted)))
      const isOneThere = view.by.some(({ missing }) =>
        missing.every((topic) => others.includes(topic)),
      )
      assert.equal(isSeen, isOneThere)
    }),
  )
})
