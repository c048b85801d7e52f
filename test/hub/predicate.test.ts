import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PublishedEvent } from '../../src/hub/event.ts'
import { Hub } from '../../src/hub/hub.ts'
import type { EventPredicate } from '../../src/hub/predicate.ts'
import { PUBLIC_ONLY } from '../../src/hub/rights.ts'
import { MemoryEventLog } from '../../src/log/memory/memory-event-log.ts'
import { publication } from '../contracts/event-log.ts'
import { byteRequest, PLAIN, RecordingSink } from './recording-sink.ts'

/** Counts how often it is asked. */
class CountingPredicate implements EventPredicate {
  asked = 0
  readonly key: string
  readonly #matches: (event: PublishedEvent) => boolean

  constructor(key: string, matches: (event: PublishedEvent) => boolean) {
    this.key = key
    this.#matches = matches
  }

  matches(event: PublishedEvent): boolean {
    this.asked++
    return this.#matches(event)
  }
}

const OPTIONS = {
  queueBytesMax: 1e6,
  stallTimeoutMs: 1e6,
  topicFiltersMax: 1_000,
  conditionsMax: 2,
}

function subscribeTo(hub: Hub, topic: string, ...conditions: readonly EventPredicate[]) {
  const sink = new RecordingSink()
  const subscription = hub.subscribe(
    byteRequest({
      wants: [{ topics: topic === '' ? [] : [topic], privateOnly: false }],
      conditions,
      rights: PUBLIC_ONLY,
      from: 'head',
      encoding: PLAIN,
      sink,
      opening: new Uint8Array(),
    }),
  )
  return { sink, subscription }
}

test('a condition is evaluated once per event, however many audiences have it, and not without one', async () => {
  using hub = new Hub(new MemoryEventLog({ eventsMax: 0, maxAgeMs: 0, bytesMax: 1e9 }), OPTIONS)
  const first = new CountingPredicate('odd', ({ payload }) => /[13579]\}/.test(payload.text))
  const alike = new CountingPredicate('odd', () => assert.fail('the first is asked'))
  const everything = subscribeTo(hub, '')
  const some = [subscribeTo(hub, 'a', first), subscribeTo(hub, 'b', alike)]
  await hub.publish([1, 2, 3].map((n) => publication('/a/b', { n })))
  await hub.publish([publication('/c', { n: 5 })])
  assert.equal(first.asked, 3)
  assert.equal(everything.sink.lines.length, 4)
  for (const { sink } of some) assert.deepEqual(sink.lines, ['/a/b {"n":1}', '/a/b {"n":3}'])
})

function named(key: string): EventPredicate {
  return new CountingPredicate(key, () => true)
}

test('who has gone leaves no condition behind, and those of all together are limited', async () => {
  using hub = new Hub(new MemoryEventLog({ eventsMax: 0, maxAgeMs: 0, bytesMax: 1e9 }), OPTIONS)
  const open = [subscribeTo(hub, 'a', named('x')), subscribeTo(hub, 'a', named('y'))]
  assert.throws(() => subscribeTo(hub, 'a', named('z')), { code: 'OVERLOADED' })
  subscribeTo(hub, 'b', named('y'))
  open[0]!.subscription.close()
  subscribeTo(hub, 'a', named('z'))
})
