import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  canonicalFilters,
  filterMatches,
  TopicIndex,
  type TopicFilter,
} from '../../src/hub/topics.ts'
import { publication } from '../contracts/event-log.ts'

const topic = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'private')
const filter = fc.record({
  topics: fc.uniqueArray(topic, { maxLength: 4 }),
  privateOnly: fc.boolean(),
})
const event = fc
  .tuple(fc.boolean(), fc.array(topic, { maxLength: 6 }))
  .map(([isPrivate, topics]) => publication(`${isPrivate ? '/private' : ''}/${topics.join('/')}`))

function owner(filters: readonly TopicFilter[]) {
  return { filters, foundIn: 0 }
}

test('the index finds exactly those who have a matching filter, once each, whoever came and went before', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.array(filter, { maxLength: 4 }), fc.boolean()), { maxLength: 30 }),
      fc.array(event, { maxLength: 10 }),
      (given, events) => {
        const index = new TopicIndex<ReturnType<typeof owner>>()
        const owners = given.map(([filters, stays]) => ({ stays, owner: owner(filters) }))
        for (const each of owners) index.add(each.owner)
        for (const each of owners) if (!each.stays) index.remove(each.owner)
        const left = owners.filter((each) => each.stays).map((each) => each.owner)
        assert.equal(
          index.size,
          left.reduce((sum, each) => sum + each.filters.length, 0),
        )
        for (const published of events) {
          const found = index.matching(published)
          assert.equal(new Set(found).size, found.length)
          const expected = left.filter((each) =>
            each.filters.some((one) => filterMatches(one, published)),
          )
          assert.deepEqual(new Set(found), new Set(expected))
        }
      },
    ),
  )
})

test('canonical filters want the same, and equal wishes have equal keys', () => {
  fc.assert(
    fc.property(fc.array(filter, { minLength: 1, maxLength: 5 }), event, (filters, published) => {
      const canonical = canonicalFilters(filters)
      const wants = (all: readonly TopicFilter[]) =>
        all.some((one) => filterMatches(one, published))
      assert.equal(wants(canonical.filters), wants(filters))
      const shuffled = filters
        .toReversed()
        .map((one) => ({ ...one, topics: one.topics.toReversed() }))
      assert.equal(canonicalFilters([...shuffled, ...filters]).key, canonical.key)
    }),
  )
})

test('different wishes have different keys', () => {
  const filters = [
    [{ topics: ['a', 'b'], privateOnly: false }],
    [{ topics: ['a', 'b'], privateOnly: true }],
    [
      { topics: ['a'], privateOnly: false },
      { topics: ['b'], privateOnly: false },
    ],
    [{ topics: ['a,b'], privateOnly: false }],
    [{ topics: ['a","b'], privateOnly: false }],
    [{ topics: [], privateOnly: false }],
    [{ topics: [], privateOnly: true }],
    [{ topics: ['*'], privateOnly: false }],
  ]
  assert.equal(new Set(filters.map((one) => canonicalFilters(one).key)).size, filters.length)
})
