import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { startOf } from '../../../src/http/stream/resume.ts'
import type { OnGap } from '../../../src/http/stream/stream-query.ts'
import type { Cursor, Position } from '../../../src/hub/event.ts'
import { Hub } from '../../../src/hub/hub.ts'
import { PUBLIC_ONLY } from '../../../src/hub/rights.ts'
import { MemoryEventLog } from '../../../src/log/memory/memory-event-log.ts'
import { publication } from '../../contracts/event-log.ts'
import { PLAIN, RecordingSink } from '../../hub/recording-sink.ts'
import { MovableClock } from '../../log/movable-clock.ts'

/*
 * Whoever sees no private event cannot tell whether there are any: everything is done twice, once without the private events, and
 * what is answered and written is the same, write by write.
 */

type Step =
  | { readonly do: 'publish'; readonly path: string; readonly privateBytes: number }
  /** As a HEAD or a keep-alive tells it. */
  | { readonly do: 'take cursor' }
  | { readonly do: 'wait'; readonly ms: number }
  | {
      readonly do: 'listen'
      readonly topics: readonly string[]
      readonly privateOnly: boolean
      /** Which of the cursors that are known; `null`: everything is asked for. */
      readonly cursor: number | null
      readonly onGap: OnGap | null
      readonly count: number | null
    }

class World {
  readonly #clock = new MovableClock()
  readonly #log: MemoryEventLog
  readonly #hub: Hub
  readonly #hasPrivate: boolean
  readonly #cursors: Cursor[] = []

  constructor(eventsMax: number, hasPrivate: boolean) {
    this.#hasPrivate = hasPrivate
    this.#log = new MemoryEventLog({ eventsMax, maxAgeMs: 100, bytesMax: 1e9, clock: this.#clock })
    this.#hub = new Hub(this.#log, {
      queueBytesMax: 1e9,
      stallTimeoutMs: 1e9,
      topicFiltersMax: 100,
      conditionsMax: 100,
    })
    this.#cursors.push(this.#hub.cursorOf(this.#hub.head))
  }

  async take(step: Step): Promise<unknown> {
    if (step.do === 'take cursor') this.#cursors.push(this.#hub.cursorOf(this.#hub.head))
    else if (step.do === 'wait') this.#clock.pass(step.ms)
    else if (step.do === 'listen') return this.#listen(step)
    else {
      const text = step.path.startsWith('/private/') ? 'x'.repeat(step.privateBytes) : 'public'
      const published = publication(step.path, { text })
      if (published.isPrivate && !this.#hasPrivate) return null
      const { receipt } = await this.#hub.publish([published])
      if (!published.isPrivate) this.#cursors.push(receipt.last)
    }
    return null
  }

  async #listen(wish: Step & { do: 'listen' }): Promise<unknown> {
    const { topics, privateOnly, onGap, count } = wish
    const cursor = wish.cursor === null ? null : this.#cursors[wish.cursor % this.#cursors.length]!
    const query = { cursor, sinceMs: cursor === null ? -Infinity : null, onGap }
    let start
    try {
      start = await startOf(query, this.#hub, PUBLIC_ONLY)
    } catch (error) {
      return (error as Error).message
    }
    const sink = new RecordingSink()
    const writes: string[] = []
    const write = sink.write.bind(sink)
    sink.write = (batch) => {
      writes.push(Buffer.from(batch).toString())
      return write(batch)
    }
    const subscription = this.#hub.subscribe({
      wants: [{ topics, privateOnly }],
      rights: PUBLIC_ONLY,
      from: start.from,
      to: { encoding: PLAIN, sink, opening: Buffer.from(`opened ${start.gap?.reason}\n`) },
      ...(count !== null && { bounds: { eventsMax: count, untilMs: Infinity } }),
    })
    await sink.until(() => sink.ended !== null || writes.some((each) => each.includes('alive\n')))
    await turn()
    subscription.close()
    return writes
  }
}

const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      path: fc.constantFrom('/a', '/b', '/private/a', '/private/b', '/private/c'),
      // One of the large ones fills a page of the log.
      privateBytes: fc.constantFrom(0, 10, 200_000),
    }),
  },
  fc.constant({ do: 'take cursor' as const }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 80 }) }),
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('listen' as const),
      topics: fc.subarray(['a', 'b'], { maxLength: 1 }),
      privateOnly: fc.boolean(),
      cursor: fc.option(fc.nat(100)),
      onGap: fc.constantFrom<OnGap | null>('fail', 'oldest', 'live', null),
      count: fc.option(fc.constantFrom(1, 2)),
    }),
  },
)

test('who sees no private event gets the same answers and writes as if there were none', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(0, 1e6),
      fc.array(STEP, { minLength: 5, maxLength: 40 }),
      async (eventsMax, steps) => {
        const worlds = [new World(eventsMax, true), new World(eventsMax, false)]
        for (const step of steps) {
          const [withPrivate, without] = await Promise.all(worlds.map((world) => world.take(step)))
          assert.deepEqual(withPrivate, without, JSON.stringify(step))
        }
      },
    ),
    { numRuns: 200 },
  )
})

test('who asks for private topics without rights is at the head at once, whatever is kept', async () => {
  const log = new MemoryEventLog({ eventsMax: 100, maxAgeMs: 0, bytesMax: 1e9 })
  await log.append([publication('/a'), publication('/private/a')])
  const hub = new Hub(log, {
    queueBytesMax: 1e9,
    stallTimeoutMs: 1e9,
    topicFiltersMax: 100,
    conditionsMax: 100,
  })
  const sink = new RecordingSink()
  const { from } = await startOf(
    { cursor: null, sinceMs: -Infinity, onGap: null },
    hub,
    PUBLIC_ONLY,
  )
  assert.notEqual(from, hub.head)
  const subscription = hub.subscribe({
    wants: [{ topics: ['a'], privateOnly: true }],
    rights: PUBLIC_ONLY,
    from,
    to: { encoding: PLAIN, sink, opening: Buffer.of() },
  })
  assert.deepEqual([sink.allLines, sink.writes], [['alive'], 1])
  subscription.close()
})

test('a place before private events that are dropped is no gap, and one before public events is', async () => {
  const log = new MemoryEventLog({ eventsMax: 2, maxAgeMs: 0, bytesMax: 1e9 })
  const hub = new Hub(log, {
    queueBytesMax: 1e9,
    stallTimeoutMs: 1e9,
    topicFiltersMax: 100,
    conditionsMax: 100,
  })
  const large = { text: 'x'.repeat(200_000) }
  for (const path of ['/a', '/private/a', '/private/a', '/b'])
    await hub.publish([publication(path, path === '/b' ? {} : large)])
  for (const [from, lines] of [
    [0, ['gap expired', '/b {}']],
    [1, ['/b {}']],
    [2, ['/b {}']],
  ] as const) {
    const sink = new RecordingSink()
    const subscription = hub.subscribe({
      wants: [{ topics: [], privateOnly: false }],
      rights: PUBLIC_ONLY,
      from: from as Position,
      to: { encoding: PLAIN, sink, opening: Buffer.of() },
    })
    await sink.until((all) => all.includes('alive'))
    assert.deepEqual(sink.lines, lines, String(from))
    subscription.close()
  }
})
