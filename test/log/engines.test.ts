import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Position, PublishedEvent } from '../../src/hub/event.ts'
import type { Publication } from '../../src/publication/publication.ts'
import type { EventLog } from '../../src/hub/event-log.ts'
import type { TopicFilter } from '../../src/hub/topics.ts'
import { MemoryEventLog } from '../../src/log/memory/memory-event-log.ts'
import { StoreFolder } from './sqlite/store-folder.ts'
import { appendTo } from './append-to.ts'

/** Enough events for several lots of the topic index, of which the last is not written yet. */
const EVENTS = 24_000
const EVENTS_MAX = 20_000
const MAX_AGE_MS = 10_000

/** Some of them on every event, some on every tenth, thousandth or on none. */
const TOPICS: readonly (readonly [topic: string, share: number])[] = [
  ['all', 1],
  ['half', 2],
  ['tenth', 10],
  ['thousandth', 1_000],
  ['once', EVENTS - 500],
  ['never', Infinity],
  ['é', 100],
  ['a\0b', 300],
  ['"', 30],
  ['all', 3], // a topic may be on an event twice
]

test(
  'memory and sqlite answer every filter alike, from every place',
  { timeout: 300_000 },
  async () => {
    using folder = new StoreFolder()
    const limits = { eventsMax: EVENTS_MAX, maxAgeMs: MAX_AGE_MS, bytesMax: 1e12 }
    await using memory = new MemoryEventLog({ ...limits, clock: folder.clock })
    await using store = await folder.open({ ...limits, durability: 'os' })
    const sqlite = store.log
    const pairs = new Map<Position, Position>()
    const publishBoth = async (batch: readonly Publication[]) => {
      const [ours, theirs] = await Promise.all([appendTo(memory, batch), appendTo(sqlite, batch)])
      ours.forEach((event, i) => pairs.set(event.position, theirs[i]!.position))
    }
    for (let n = 0; n < EVENTS; n += 400) {
      await publishBoth(Array.from({ length: 400 }, (_, i) => publicationOf(n + i)))
      folder.clock.pass(100)
    }

    const filter: fc.Arbitrary<TopicFilter> = fc.record({
      topics: fc.uniqueArray(fc.constantFrom(...TOPICS.map(([topic]) => topic)), { maxLength: 3 }),
      privateOnly: fc.boolean(),
    })
    const wish = fc.record({
      filters: fc.option(fc.array(filter, { minLength: 1, maxLength: 3 }), { nil: undefined }),
      after: fc.nat(EVENTS),
      until: fc.option(fc.nat(EVENTS), { nil: undefined }),
      pageBytes: fc.constantFrom(1_000, 65_536),
      passMs: fc.constantFrom(0, 0, 100, 1_000),
      published: fc.constantFrom(0, 1, 300),
    })
    let next = EVENTS
    await fc.assert(
      fc.asyncProperty(wish, async ({ filters, after, until, pageBytes, passMs, published }) => {
        folder.clock.pass(passMs)
        if (published > 0)
          await publishBoth(Array.from({ length: published }, () => publicationOf(next++)))
        const ask = async (log: EventLog, place: (position: number) => Position) =>
          plain(log, {
            after: place(after),
            pageBytes,
            ...(filters && { filters }),
            ...(until !== undefined && { until: place(until) }),
          })
        const expected = await ask(memory, (position) => position as Position)
        const actual = await ask(
          sqlite,
          (position) => pairs.get(position as Position) ?? (0 as Position),
        )
        assert.deepEqual(actual, expected)
        const time = folder.clock.wallMs() - after / 4
        const [ours, theirs] = await Promise.all([memory.positionAt(time), sqlite.positionAt(time)])
        assert.equal(sqlite.head - theirs, memory.head - ours)
        assert.equal(sqlite.head - sqlite.status.oldest, memory.head - memory.status.oldest)
      }),
      { numRuns: 100 },
    )
    assert.deepEqual(folder.told, [])
  },
)

/** What was read, without what differs from store to store. */
async function plain(log: EventLog, wanted: Wanted): Promise<unknown> {
  const { after, ...options } = wanted
  const events: PublishedEvent[] = []
  const gaps: string[] = []
  for await (const page of log.read(after, options)) {
    if (page.gap !== null) gaps.push(page.gap)
    events.push(...page.events)
  }
  const shown = events.map(({ topics, isPrivate, path, payload, publishedAtMs }) => ({
    topics,
    isPrivate,
    path,
    payload,
    publishedAtMs,
  }))
  return { shown, gaps }
}

interface Wanted {
  readonly after: Position
  readonly until?: Position
  readonly filters?: readonly TopicFilter[]
  readonly pageBytes: number
}

function publicationOf(n: number): Publication {
  return {
    topics: TOPICS.flatMap(([topic, share]) => (n % share === 0 ? [topic] : [])),
    isPrivate: n % 70 === 0,
    path: `/${n}`,
    payload: { type: 'json-object', text: `{"n":${n},"text":"${'é'.repeat(n % 40)}"}` },
  }
}
