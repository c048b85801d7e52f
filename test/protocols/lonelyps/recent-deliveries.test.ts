import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import type { Cursor, Position, PublishedEvent } from '../../../src/hub/event.ts'
import { RecentDeliveries } from '../../../src/protocols/lonelyps/recent-deliveries.ts'
import { publication } from '../../contracts/event-log.ts'

function published(position: number, text = ''): PublishedEvent {
  const placed = { position: position as Position, cursor: `${position}` as Cursor }
  return { ...publication('/a/b', { text }), ...placed, publishedAtMs: position }
}

test('what comes from the log again shares what was made of the event before', () => {
  const deliveries = new RecentDeliveries()
  const delivery = deliveries.of(published(1, 'x'))
  assert.equal(deliveries.of(published(1, 'x')), delivery)
  assert.notEqual(deliveries.of(published(2, 'x')), delivery)
  assert.equal(Buffer.from(delivery.topic).toString(), 'a/b')
  assert.deepEqual(delivery.sha512, hash('sha512', delivery.message, 'buffer'))
})

test('only the newest are kept, however great, and all others are made again', () => {
  const deliveries = new RecentDeliveries()
  const first = deliveries.of(published(1))
  const great = deliveries.of(published(2, 'x'.repeat(5_000_000)))
  assert.equal(deliveries.of(published(2)), great)
  assert.notEqual(deliveries.of(published(1)), first)
  assert.notEqual(deliveries.of(published(2)), great)
})
