import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { PublishedEvent } from '../../src/hub/event.ts'
import { without } from '../../src/where/without.ts'

const topics = fc.array(fc.constantFrom('a', 'b', 'c', 'constructor', '"', ','), { maxLength: 4 })

test('an event with any of the topics is left out, every other is not', () => {
  fc.assert(
    fc.property(topics, topics, (unwanted, published) => {
      const event = { topics: published } as unknown as PublishedEvent
      const isLeftOut = published.some((topic) => unwanted.includes(topic))
      assert.equal(without(unwanted).matches(event), !isLeftOut)
    }),
  )
})

test('keys are equal for equal topics only', () => {
  fc.assert(
    fc.property(topics, topics, (one, other) => {
      const isEqual = JSON.stringify(one) === JSON.stringify(other)
      assert.equal(without(one).key === without(other).key, isEqual)
    }),
  )
})
