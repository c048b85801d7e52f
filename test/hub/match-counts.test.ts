import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Position, PublishedEvent } from '../../src/hub/event.ts'
import type { EventSink } from '../../src/hub/event-sink.ts'
import { Hub, type SubscribeRequest } from '../../src/hub/hub.ts'
import { MatchCounts } from '../../src/hub/match-counts.ts'
import { PUBLIC_ONLY } from '../../src/hub/rights.ts'
import { MemoryEventLog } from '../../src/log/memory/memory-event-log.ts'
import { publication } from '../contracts/event-log.ts'
import { PLAIN, RecordingSink } from './recording-sink.ts'

const at = (position: number) => position as Position
const counted = (position: number, all: number, byDoor: Record<string, number> = {}) => ({
  position: at(position),
  all,
  byDoor: new Map(Object.entries(byDoor)),
})

test('what is counted is told by position, of all or of one door', () => {
  const counts = new MatchCounts()
  using awaited = counts.await(at(3))
  for (const each of [counted(4, 2, { x: 1 }), counted(6, 5, { x: 3 }), counted(7, 1)])
    counts.add(each)
  assert.equal(awaited.sum(at(4), at(6)), 7)
  assert.equal(awaited.sum(at(4), at(6), 'x'), 4)
  assert.equal(awaited.sum(at(5), at(5)), 0)
  assert.equal(awaited.sum(at(6), at(7), 'y'), 0)
})

test('counts are kept as long as a publication may ask for them, and no longer', () => {
  const counts = new MatchCounts()
  assert.equal(counts.isAwaited, false)
  const first = counts.await(at(0))
  counts.add(counted(1, 1))
  const second = counts.await(at(1))
  counts.add(counted(2, 1))
  first[Symbol.dispose]()
  assert.deepEqual([counts.isAwaited, counts.size, second.sum(at(2), at(2))], [true, 1, 1])
  second[Symbol.dispose]()
  assert.deepEqual([counts.isAwaited, counts.size], [false, 0])
})

test('a publication that takes very long does not keep counts without end', () => {
  const counts = new MatchCounts(10)
  using awaited = counts.await(at(0))
  for (let n = 1; n <= 1_000; n++) counts.add(counted(n, 1))
  assert.ok(counts.size <= 20)
  assert.equal(awaited.sum(at(1_000), at(1_000)), 1)
})

function openHub({ eventsMax = 1_000 } = {}) {
  const log = new MemoryEventLog({
    eventsMax,
    maxAgeMs: 0,
    bytesMax: 1e9,
    keyWindowMs: 1e6,
    keysMax: 9,
  })
  const options = {
    queueBytesMax: 10,
    stallTimeoutMs: 10_000,
    topicFiltersMax: 100,
    conditionsMax: 10,
    onBug: () => {},
  }
  const hub = new Hub(log, options)
  const base = { wants: [{ path: '/a' }], rights: PUBLIC_ONLY, from: 'head' } as const
  return {
    hub,
    toBytes: (
      sink = new RecordingSink({ highWaterBytes: 1 }),
      request: Partial<SubscribeRequest> = {},
    ) =>
      hub.subscribe({ ...base, to: { encoding: PLAIN, sink, opening: Buffer.of() }, ...request }),
    toEvents: (take: () => boolean, request: Partial<SubscribeRequest> = {}) => {
      const events: EventSink = {
        take,
        queuedBytes: 0,
        takenBytes: 0,
        gap() {},
        end() {},
        destroy() {},
      }
      return hub.subscribe({ ...base, to: { events }, door: 'mine', ...request })
    },
    matched: async (path = '/a', text = '') =>
      (await hub.publish([publication(path, { text })])).matched,
  }
}

test('a publication is told how many subscriptions were due it: live, behind, of each kind', async () => {
  const { hub, toBytes, toEvents, matched } = openHub()
  assert.equal(await matched(), 0)
  for (let n = 0; n < 3; n++) toBytes()
  toEvents(() => true)
  toEvents(() => false)
  toBytes(new RecordingSink({ isReading: false, highWaterBytes: 1 }))
  toBytes(undefined, { wants: [{ path: '/b' }] })
  for (let n = 0; n < 10; n++) assert.equal(await matched(), 6)
  const { receipt, matched: sum } = await hub.publish([publication('/a'), publication('/b')])
  assert.deepEqual([receipt.count, sum], [2, 7])
  assert.equal((await hub.publish([publication('/a')], { countedDoor: 'mine' })).matched, 2)
  assert.equal(await matched('/private/a'), 0)
})

test('who ends because of an event was not given it, but who ends as it has had enough was', async () => {
  const { toBytes, toEvents, matched } = openHub({ eventsMax: 0 })
  toEvents(() => {
    throw new Error('planted')
  })
  toBytes(undefined, { bounds: { eventsMax: 1 } })
  const slow = new RecordingSink({ isReading: false, highWaterBytes: 30 })
  toBytes(slow)
  assert.equal(await matched('/a', 'long enough to fill the queue'), 2)
  assert.equal(slow.ended, null)
  assert.equal(await matched(), 0)
  assert.equal(slow.ended, 'slow')
})

test('who is behind, and has lost a part of what it was due, is not said to get more', async () => {
  const { toEvents, matched } = openHub({ eventsMax: 1 })
  toEvents(() => false, { whenBehind: 'catch-up-with-gaps' })
  for (let n = 0; n < 3; n++) assert.equal(await matched(), 1)
  await matched('/other', 'x'.repeat(5_000_000)) // the ring holds no more than that
  assert.equal(await matched(), 0)
})

test('a publication that was published before has reached nobody again', async () => {
  const { hub, toBytes } = openHub()
  toBytes()
  const once = { key: 'k', fingerprint: 'f' }
  const told = []
  for (let n = 0; n < 2; n++) told.push((await hub.publish([publication('/a')], { once })).matched)
  assert.deepEqual(told, [1, 0])
})

test('counts of events of others do not mix with those of a publication of one’s own', async () => {
  const { hub, toBytes } = openHub()
  toBytes()
  toBytes(undefined, { wants: [{ topics: [], privateOnly: false }] })
  const published = await Promise.all(
    ['/a', '/b', '/a', '/c'].map((path) => hub.publish([publication(path)])),
  )
  assert.deepEqual(
    published.map(({ matched }) => matched),
    [2, 1, 2, 1],
  )
})

test('the events of a round may be the same object: counting goes by position', async () => {
  const { hub, toEvents } = openHub()
  const seen: PublishedEvent[] = []
  toEvents(() => true, {
    to: {
      events: {
        take: (events) => seen.push(...events) > 0,
        queuedBytes: 0,
        takenBytes: 0,
        gap() {},
        end() {},
        destroy() {},
      },
    },
  })
  const same = publication('/a')
  const all = await Promise.all([hub.publish([same]), hub.publish([same, same])])
  assert.deepEqual(
    all.map(({ matched }) => matched),
    [1, 2],
  )
  assert.equal(seen.length, 3)
})
