import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AudienceGroup } from '../../src/hub/audience-group.ts'
import { TopicIndex } from '../../src/hub/topics.ts'
import { publication } from '../contracts/event-log.ts'

test('a group is found by its topics, knows them, and says when its last audience has gone', () => {
  const index = new TopicIndex<AudienceGroup<string>>()
  const filters = [{ topics: ['b', 'a'], privateOnly: true }]
  const group = new AudienceGroup<string>('key', (owner) => index.add(filters, owner))
  assert.deepEqual(index.matching(publication('/private/a/b')), [group])
  assert.deepEqual(group.filters[0]!.topics.toSorted(), ['a', 'b'])
  for (const audience of ['one', 'two', 'three']) group.add(audience)
  assert.equal(group.remove('one'), false)
  assert.deepEqual(new Set(group.audiences), new Set(['two', 'three']))
  assert.equal(group.remove('three'), false)
  assert.equal(group.remove('two'), true)
})
