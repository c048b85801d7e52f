import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { publishedTopics } from '../../src/publication/published-topics.ts'

test('each segment of a path is a topic, in its order and as often as it stands there', () => {
  const segment = fc.string({ unit: fc.constantFrom('a', 'b', ',', ' ', 'é') })
  fc.assert(
    fc.property(fc.array(segment), fc.boolean(), (segments, isPrivate) => {
      const path = `/${[...(isPrivate ? ['private'] : []), ...segments].join('/')}`
      const topics = segments.filter((each) => each !== '')
      assert.deepEqual(publishedTopics(path, 1_000), {
        segments: isPrivate ? ['private', ...topics] : topics,
        topics,
        isPrivate,
      })
    }),
  )
})

test('only the first segment makes an event private, and only once', () => {
  assert.deepEqual(publishedTopics('//private/private/a', 9).topics, ['private', 'a'])
  assert.equal(publishedTopics('/a/private', 9).isPrivate, false)
  assert.equal(publishedTopics('/Private/a', 9).isPrivate, false)
  assert.deepEqual(publishedTopics('/private', 9).topics, [])
})

test('more topics than allowed are refused with the limit, and private is none of them', () => {
  assert.equal(publishedTopics('/private/a/b', 2).topics.length, 2)
  assert.throws(() => publishedTopics('/a/b/c', 2), {
    code: 'LIMIT_EXCEEDED',
    message: 'the path has 3 topics, the limit is 2 (limits.topics)',
  })
})
