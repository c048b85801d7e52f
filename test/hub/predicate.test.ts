import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
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

for (const [where, wants] of [
  ['a condition', []],
  ['a wish', [new CountingPredicate('never', () => false)]],
] as const)
  test(`a replay is filtered by ${where} in turns, each of which asks about no more than some ms allow`, async () => {
    using hub = new Hub(
      new MemoryEventLog({ eventsMax: 1_000, maxAgeMs: 0, bytesMax: 1e9 }),
      OPTIONS,
    )
    await hub.publish(Array.from({ length: 400 }, (_, n) => publication('/a', { n })))
    let nowMs = 1_000
    const method = mock.method(performance, 'now', () => nowMs)
    try {
      const dear = new CountingPredicate('dear', () => {
        nowMs += 0.4
        return true
      })
      const sink = new RecordingSink()
      hub.subscribe(
        byteRequest({
          wants: wants.length === 0 ? [{ topics: [], privateOnly: false }] : [...wants, dear],
          conditions: wants.length === 0 ? [dear] : [],
          rights: PUBLIC_ONLY,
          from: hub.beforeOldest,
          encoding: PLAIN,
          sink,
          opening: new Uint8Array(),
        }),
      )
      const askedInTurns: number[] = []
      const isComplete = () => sink.lines.some((line) => line.includes('"n":399'))
      for (let before = 0; !isComplete(); before = dear.asked) {
        assert.ok(askedInTurns.length < 2_000, 'it does not come')
        await turn()
        askedInTurns.push(dear.asked - before)
      }
      assert.ok(Math.max(...askedInTurns) <= 8, askedInTurns.join())
      const numbers = sink.lines.flatMap((line) => /"n": ?(\d+)/.exec(line)?.[1] ?? [])
      assert.deepEqual(
        numbers,
        Array.from({ length: 400 }, (_, n) => `${n}`),
      )
    } finally {
      method.mock.restore()
    }
  })
