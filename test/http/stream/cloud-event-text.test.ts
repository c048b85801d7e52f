import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkCloudEvent } from '../../../src/http/publish/cloud-event.ts'
import { cloudEventText } from '../../../src/http/stream/cloud-event-text.ts'
import type { Cursor, Position, PublishedEvent } from '../../../src/hub/event.ts'

function published(path: string, text: string): PublishedEvent {
  return {
    topics: path.split('/').filter((topic) => topic !== ''),
    isPrivate: false,
    path,
    payload: { type: 'json-object', text },
    position: 1 as Position,
    cursor: 'f02b4908-755f-4455-a215-d1627f190110' as Cursor,
    publishedAtMs: 1_588_132_959_500,
  }
}

test('an event of any path is shown as a CloudEvent that we would take ourselves', () => {
  for (const path of ['/fruits/apples', '', '/grüße/a b', '/%ff/"<>\\^`{|}', '/[x]/😀', '/a?b#c']) {
    const text = checkCloudEvent(cloudEventText(published(path, '{"n": 1.0}')))
    assert.ok(text.endsWith('"data": {"n": 1.0}}'), text)
    assert.equal(JSON.parse(text).pubsubpath, path)
  }
})

test('a CloudEvent is shown as it came, with the cursor and the path beside', () => {
  const came = '{"specversion":"1.0","id":"7","source":"/shop","type":"t","data":{"big":1e400}}'
  const text = checkCloudEvent(cloudEventText(published('/orders', came)))
  assert.ok(text.startsWith(came.slice(0, -1)))
  assert.equal(JSON.parse(text).pubsubcursor, 'f02b4908-755f-4455-a215-d1627f190110')
})

test('what only looks like a CloudEvent becomes the data of one, and whatever is shown is one', () => {
  const looks = { specversion: '1.0', id: '1', source: '/s', type: 't' }
  const text = cloudEventText(published('/a', JSON.stringify({ ...looks, Upper_case: {} })))
  assert.deepEqual(JSON.parse(checkCloudEvent(text)).data, { ...looks, Upper_case: {} })

  const anyValue = fc.oneof(fc.constantFrom('1.0', '/s', 'a b', '', 7, null), fc.jsonValue())
  const anyPayload = fc.record(
    {
      specversion: fc.constantFrom('1.0', '0.3', 1),
      id: anyValue,
      source: anyValue,
      type: anyValue,
      time: anyValue,
      data: anyValue,
      data_base64: anyValue,
      extension: anyValue,
      pubsubcursor: anyValue,
    },
    { requiredKeys: ['specversion', 'id'] },
  )
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), anyPayload, (path, payload) => {
      const shown = cloudEventText(published(path, JSON.stringify(payload)))
      assert.ok(!/[\r\n]/.test(shown))
      checkCloudEvent(shown)
    }),
    { numRuns: 1_000 },
  )
})

test('control characters of a path are escaped, as no attribute may have any', () => {
  const { source, pubsubpath } = JSON.parse(cloudEventText(published('/a\0b\u0085/\r\né', '{}')))
  assert.deepEqual([source, pubsubpath], ['/a%00b%C2%85/%0D%0A%C3%A9', '/a%00b%C2%85/%0D%0Aé'])
})

test('a CloudEvent that another server has shown is told with the cursor and the path of this one', () => {
  const first = cloudEventText(
    published('/first', '{"specversion":"1.0","id":"7","source":"/s","type":"t"}'),
  )
  const again = JSON.parse(checkCloudEvent(cloudEventText(published('/again', first))))
  assert.deepEqual([again.id, again.pubsubpath, again.data], ['7', '/again', undefined])
})

test('attributes whose names are escaped are attributes', () => {
  const came = String.raw`{"\u0073pecversion":"1.0","id":"7","source":"/s","type":"t"}`
  assert.equal(JSON.parse(cloudEventText(published('/a', came))).id, '7')
})
