import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compileGlob } from '../../../src/protocols/lonelyps/glob.ts'
import { interestKey, Interests, type Interest } from '../../../src/protocols/lonelyps/interests.ts'
import { topicOf } from '../../../src/protocols/lonelyps/topic.ts'

const topic = fc.constantFrom(
  ...['a', 'ab', 'a/b', '*', '', '\xff'].map((text) => Buffer.from(text, 'latin1')),
)
const interest: fc.Arbitrary<Interest> = fc.oneof(
  topic.map((bytes) => ({ type: 'exact', topic: bytes }) as const),
  fc.constantFrom('*', 'a*', 'a?', '**', '').map((glob) => ({ type: 'glob', glob }) as const),
)
const change = fc.record({
  interest,
  owner: fc.constantFrom('alice', 'bob'),
  isAdded: fc.boolean(),
})

test('whoever came and went before, exactly those are found whose interest matches', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40, size: 'max' }), topic, (changes, bytes) => {
      const interests = new Interests<string>()
      const held = new Map<string, { interest: Interest; owner: string }>()
      for (const { isAdded, ...each } of changes) {
        const key = `${interestKey(each.interest)} ${each.owner}`
        if (isAdded) {
          interests.add(each.interest, each.owner)
          held.set(key, each)
        } else {
          interests.remove(each.interest, each.owner)
          held.delete(key)
        }
      }
      const asked = topicOf(bytes)
      const expected = [...held.values()].filter(({ interest: wish }) =>
        wish.type === 'exact'
          ? wish.topic.equals(bytes)
          : asked.text !== null && compileGlob(wish.glob)(asked.text),
      )
      assert.deepEqual(
        [...interests.matching(asked)].flatMap((owners) => [...(owners ?? [])]).toSorted(),
        expected.map(({ owner }) => owner).toSorted(),
      )
      const wishes = new Map(
        [...held.values()].map((each) => [interestKey(each.interest), each.interest]),
      )
      for (const each of wishes.values()) assert.ok(interests.has(each))
      const globs = [...wishes.values()].filter(({ type }) => type === 'glob')
      assert.equal(interests.globCount, globs.length)
    }),
  )
})

test('keys are equal for equal interests only, whatever the bytes of a topic', () => {
  fc.assert(
    fc.property(interest, interest, (one, other) => {
      const isEqual = JSON.stringify(one) === JSON.stringify(other)
      assert.equal(interestKey(one) === interestKey(other), isEqual)
    }),
  )
})
