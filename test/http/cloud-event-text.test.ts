import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkCloudEvent } from '../../src/http/cloud-event.ts'
import { cloudEventText } from '../../src/http/cloud-event-text.ts'
import type { Cursor, Position, PublishedEvent } from '../../src/hub/event.ts'

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
