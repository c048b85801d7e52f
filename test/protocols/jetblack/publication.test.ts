import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Cursor, Position, PublishedEvent } from '../../../src/hub/event.ts'
import { payloadFromStored, storedPayload } from '../../../src/publication/payload.ts'
import type { Publication } from '../../../src/publication/publication.ts'
import type { Packet } from '../../../src/protocols/jetblack/messages.ts'
import { eventOf, publicationOf } from '../../../src/protocols/jetblack/publication.ts'

const LIMITS = { topicsMax: 100, jsonDepthMax: 50 }

function eventFrom(publication: Publication): PublishedEvent {
  return {
    ...publication,
    payload: payloadFromStored(storedPayload(publication.payload)),
    position: 1 as Position,
    cursor: '' as Cursor,
    publishedAtMs: 0,
  }
}

function packet(text: string | null, entitlements: readonly number[] | null = null): Packet {
  return { entitlements, data: text === null ? null : Buffer.from(text) }
}

const FROM = { user: 'tom', host: '10.0.0.1', publisher: 'ab'.repeat(16) }

/** What HTTP shows of it. */
function shown(packets: readonly Packet[] | null): string {
  const data = { feed: 'LSE', topic: 'VOD', mark: false, packets }
  return publicationOf({ ...data, ...FROM }, LIMITS).payload.text
}

test('HTTP is shown a packet as the object that it is, as text or as base64, and several as a list', () => {
  assert.equal(shown([packet('{"n": 1.50}')]), '{"n": 1.50}')
  assert.equal(shown([packet('hello')]), '{"data":"hello"}')
  assert.equal(shown([{ entitlements: null, data: Buffer.of(0xff) }]), '{"data_base64":"/w=="}')
  assert.equal(shown(null), '{"data": null}')
  assert.equal(shown([packet('{"a": 1}'), packet('b')]), '{"packets": [{"a": 1}, {"data":"b"}]}')
  assert.equal(shown([packet('{"pubsub_path": 1}')]), '{"data":"{\\"pubsub_path\\": 1}"}')
})

test('feed and topic are the published path, whatever slashes they have, and a private feed is a private path', () => {
  for (const [feed, topic, path, isPrivate] of [
    ['a', 'b/c', '/a/b/c', false],
    ['a/b', 'c', '/a/b/c', false],
    ['a', '', '/a', false],
    ['private', 'fruits', '/private/fruits', true],
  ] as const) {
    const data = { feed, topic, mark: true, packets: null }
    const publication = publicationOf({ ...data, ...FROM }, LIMITS)
    assert.deepEqual([publication.path, publication.isPrivate], [path, isPrivate])
    const { feed: again, topic: topicAgain } = eventOf(eventFrom(publication))
    assert.deepEqual([again, topicAgain], [feed, topic])
  }
})

test('whoever subscribes gets exactly what was published, from the log too', () => {
  const text = fc.oneof(
    fc.constantFrom('{"a": 1}', '{"a": "\\ud83d"}', '{ }', 'text', '{"pubsub_cursor": 2}', '{"a":'),
    fc.string({ maxLength: 30 }),
  )
  const data = fc.oneof(
    text.map((each) => (each === '' ? null : Uint8Array.from(Buffer.from(each)))),
    fc.uint8Array({ minLength: 1, maxLength: 30 }),
    fc.constant(null),
  )
  const entitlements = fc.oneof(
    fc.constant(null),
    fc.uniqueArray(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), {
      minLength: 1,
      maxLength: 4,
    }),
  )
  const packets = fc.oneof(
    fc.constant(null),
    fc.array(fc.record({ entitlements, data }, { noNullPrototype: true }), {
      minLength: 1,
      maxLength: 5,
    }),
  )
  const mark = fc.oneof(fc.boolean(), fc.string({ maxLength: 20 }))
  const feed = fc.string({ minLength: 1, maxLength: 10 })
  fc.assert(
    fc.property(feed, fc.string({ maxLength: 10 }), mark, packets, (name, topic, kind, all) => {
      const published = { feed: name, topic, mark: kind, packets: all, ...FROM }
      const publication = publicationOf(published, LIMITS)
      const event = eventOf(eventFrom(publication))
      const plain = event.packets?.map((each) => ({
        ...each,
        data: each.data === null ? null : Uint8Array.from(each.data),
      }))
      assert.deepEqual({ ...event, packets: plain ?? null }, published)
    }),
    { numRuns: 1_000 },
  )
})

test('an event of another door is one packet with the JSON text that was published', () => {
  const event = eventFrom({
    topics: ['a', 'b', 'c'],
    isPrivate: false,
    path: '/a/b/c',
    payload: { type: 'json-object', text: '{"n": 1.50}' },
  })
  const { packets, ...rest } = eventOf(event)
  assert.deepEqual(rest, {
    publisher: null,
    user: 'nobody',
    host: 'localhost',
    feed: 'a',
    topic: 'b/c',
    mark: 'application/json',
  })
  assert.equal(Buffer.from(packets![0]!.data!).toString(), '{"n": 1.50}')
})

test('as many packets as a message may have, with entitlements of their own, come back', () => {
  const packets = Array.from({ length: 65_535 }, (_, n) => packet(`${n}`, [n, n + 1e6, -7]))
  const published = { feed: 'a', topic: 'b', mark: false, packets, ...FROM }
  const event = eventOf(eventFrom(publicationOf(published, LIMITS)))
  assert.equal(event.packets!.length, packets.length)
  for (const [n, { entitlements, data }] of event.packets!.entries()) {
    assert.deepEqual(entitlements, [n, n + 1e6, -7])
    assert.equal(Buffer.from(data!).toString(), `${n}`)
  }
})
