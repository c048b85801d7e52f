import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { filterMatches } from '../../../src/hub/topics.ts'
import { keysOfEvent, keysOfFilter } from '../../../src/log/sqlite/topic-keys.ts'

const topic = fc.oneof(fc.constantFrom('a', 'b', 'c', 'é', 'a\0b'), fc.string())
const events = fc.record({ topics: fc.array(topic), isPrivate: fc.boolean() })
const filters = fc.record({
  topics: fc.uniqueArray(topic, { maxLength: 3 }),
  privateOnly: fc.boolean(),
})

test('an event is found under each key of a filter that it matches', () => {
  fc.assert(
    fc.property(events, filters, (event, filter) => {
      fc.pre(filterMatches(filter, event))
      const keys = keysOfEvent(event.topics, event.isPrivate)
      for (const key of keysOfFilter(filter)) assert.ok(keys.has(key))
    }),
  )
})

test('only a filter that wants every event has no key to look under', () => {
  fc.assert(
    fc.property(filters, (filter) => {
      const wantsAll = filter.topics.length === 0 && !filter.privateOnly
      assert.equal(keysOfFilter(filter).size === 0, wantsAll)
    }),
  )
})

test('no topic shares the key of private events', () => {
  const [privateKey] = keysOfEvent([], true)
  fc.assert(fc.property(topic, (name) => assert.ok(!keysOfEvent([name], false).has(privateKey!))))
})

test('different topics have different keys, nearly always', () => {
  const topics = Array.from({ length: 2_000 }, (_, n) => `topic-${n}`)
  assert.equal(keysOfEvent(topics, false).size, topics.length)
})
