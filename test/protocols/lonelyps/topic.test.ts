import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { topicOf, topicOfPath } from '../../../src/protocols/lonelyps/topic.ts'

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.string({ unit: 'grapheme' }).map((text) => Buffer.from(text)),
  fc
    .constantFrom('-/lonelyps/topic/', '-/lonelyps/topic/YQ', '/', '//a/')
    .map((text) => Buffer.from(text)),
)

test('whatever bytes a topic has, its path leads back to them', () => {
  fc.assert(
    fc.property(bytes, (given) => {
      const topic = topicOf(given)
      const again = topicOfPath(topic.path)
      assert.deepEqual(again, topic)
      assert.deepEqual(Buffer.from(again.bytes), Buffer.from(given))
    }),
  )
})

test('different topics have different paths', () => {
  fc.assert(
    fc.property(bytes, bytes, (one, other) => {
      const isEqual = Buffer.compare(one, other) === 0
      assert.equal(topicOf(one).path === topicOf(other).path, isEqual)
    }),
  )
})

test('a topic of text is a path that can be published to over HTTP, and any other is none', () => {
  assert.equal(topicOf(Buffer.from('fruits/apples')).path, '/fruits/apples')
  assert.ok(topicOf(Buffer.from([0xff])).path.startsWith('/-/'))
  assert.equal(topicOf(Buffer.from([0xff])).text, null)
  assert.ok(topicOf(Buffer.from('-/lonelyps/topic/YQ')).path.startsWith('/-/lonelyps/topic/'))
})

test('a topic keeps its bytes, whatever becomes of those that it was made of', () => {
  const given = Buffer.from('a')
  const topic = topicOf(given)
  given[0] = 0
  assert.equal(topic.bytes.toString(), 'a')
})

test('a path that is longer than a topic can be is matched by no glob', () => {
  assert.equal(topicOfPath(`/${'a'.repeat(65_535)}`).text?.length, 65_535)
  assert.equal(topicOfPath(`/${'a'.repeat(65_536)}`).text, null)
  assert.equal(topicOfPath(`/${'é'.repeat(32_768)}`).text, null)
})
