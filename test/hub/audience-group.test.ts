import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AudienceGroup, type Placed } from '../../src/hub/audience-group.ts'
import { TopicIndex } from '../../src/hub/topics.ts'
import { publication } from '../contracts/event-log.ts'

test('a group is found by its topics, knows them, and says when its last audience has gone', () => {
  const index = new TopicIndex<AudienceGroup<Placed>>()
  const filters = [{ topics: ['b', 'a'], privateOnly: true }]
  const group = new AudienceGroup<Placed>('key', (owner) => index.add(filters, owner))
  assert.deepEqual(index.matching(publication('/private/a/b')), [group])
  assert.deepEqual(group.filters[0]!.topics.toSorted(), ['a', 'b'])
  const [one, two, three] = [{ place: -1 }, { place: -1 }, { place: -1 }]
  for (const audience of [one, two, three]) group.add(audience)
  assert.equal(group.remove(one), false)
  assert.deepEqual(new Set(group.audiences), new Set([two, three]))
  assert.equal(group.remove(three), false)
  assert.equal(group.remove(two), true)
})

test('who goes through a group from last to first meets each audience once, though some go then', () => {
  for (const leaving of ['abcd', 'a', 'bd', 'c', '']) {
    const index = new TopicIndex<AudienceGroup<Placed & { name: string }>>()
    const group = new AudienceGroup<Placed & { name: string }>('key', (owner) =>
      index.add([{ topics: [], privateOnly: false }], owner),
    )
    for (const name of 'abcd') group.add({ name, place: -1 })
    const met: string[] = []
    for (let i = group.audiences.length - 1; i >= 0; i--) {
      const audience = group.audiences[i]!
      met.push(audience.name)
      if (leaving.includes(audience.name)) group.remove(audience)
    }
    assert.equal(met.toSorted().join(''), 'abcd')
    assert.equal(group.audiences.length, 4 - leaving.length)
  }
})
