import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { Hub } from '../../src/hub/hub.ts'
import { PUBLIC_ONLY, type Rights } from '../../src/hub/rights.ts'
import type { Subscription } from '../../src/hub/subscription.ts'
import { canonicalFilters, type TopicFilter } from '../../src/hub/topics.ts'
import { keyOfWant } from '../../src/hub/wants.ts'
import { MemoryEventLog } from '../../src/log/memory/memory-event-log.ts'
import { publication } from '../contracts/event-log.ts'
import { byteRequest, PLAIN, RecordingSink } from './recording-sink.ts'

/** Of all together, and of one share; 0: as many as are left. */
interface Limits {
  readonly filters: number
  readonly conditions: number
  readonly streams: number
  readonly perShare: {
    readonly filters: number
    readonly conditions: number
    readonly streams: number
  }
}

/** What the test knows of an open stream. */
interface Open {
  readonly share: string
  /** Equal for those that want the same and have never changed it. */
  group: string
  filters: ReadonlyMap<string, TopicFilter>
  readonly conditions: readonly string[]
  readonly subscription: Subscription
  readonly sink: RecordingSink
}

/** Everything is counted anew from what is open, each time. */
class Oracle {
  open: Open[] = []
  readonly #limits: Limits

  constructor(limits: Limits) {
    this.#limits = limits
  }

  ofSubscribe(share: string, group: string, filters: Open['filters'], conditions: string[]) {
    const streams = this.#ofShare(share).length
    const { perShare } = this.#limits
    const streamsLeft = this.#limits.streams - this.open.length
    if (this.#exceeds(perShare.streams, streams, 1, streamsLeft, this.#limits.streams, 1))
      return 'TOO_MANY_STREAMS'
    const isThere = this.open.some((each) => each.group === group)
    const has = this.#ofShare(share).some((each) => each.group === group)
    const created = isThere ? 0 : filters.size
    const refusal = this.#ofFilters(share, has ? 0 : weightOf(filters), created)
    if (refusal !== null) return refusal
    const all = new Set(this.open.flatMap((each) => each.conditions))
    const own = new Set(this.#ofShare(share).flatMap((each) => each.conditions))
    const free = this.#limits.conditions - all.size
    const made = conditions.filter((each) => !all.has(each)).length
    const added = conditions.filter((each) => !own.has(each)).length
    if (made > free) return 'OVERLOADED'
    const exceeds = this.#exceeds(
      perShare.conditions,
      own.size,
      added,
      free,
      this.#limits.conditions,
      made,
    )
    return exceeds ? 'SHARE_EXCEEDED' : null
  }

  ofChange(changing: Open, after: Open['filters']) {
    const { group, filters, share } = changing
    const fresh = [...after.keys()].filter((key) => !filters.has(key))
    if (fresh.length === 0 && group.startsWith('own')) return null
    const alike = this.open.filter((each) => each.group === group)
    const stays = alike.some((each) => each !== changing && each.share === share)
    const added = weightOf(after) - (stays ? 0 : weightOf(filters))
    const created = fresh.length + (alike.length > 1 ? filters.size : 0)
    return this.#ofFilters(share, added, created)
  }

  #ofShare(share: string): Open[] {
    return this.open.filter((each) => each.share === share)
  }

  #ofFilters(share: string, added: number, created: number) {
    const { filters: max, perShare } = this.#limits
    const groups = new Map(this.open.map((each) => [each.group, each.filters]))
    const size = groups.values().reduce((sum, { size: count }) => sum + count, 0)
    if (created > 0 && size + created > max) return 'OVERLOADED'
    const free = max - groups.values().reduce((sum, filters) => sum + weightOf(filters), 0)
    const own = new Map(this.#ofShare(share).map((each) => [each.group, each.filters]))
    const held = own.values().reduce((sum, filters) => sum + weightOf(filters), 0)
    return this.#exceeds(perShare.filters, held, added, free, max, created)
      ? 'SHARE_EXCEEDED'
      : null
  }

  #exceeds(
    perShare: number,
    held: number,
    added: number,
    free: number,
    max: number,
    created: number,
  ) {
    if (added <= 0) return false
    if (perShare > 0) return held + added > perShare
    if (held === 0) return false
    return held + added > (created > 0 ? free : Math.max(free, Math.floor(max / 64)))
  }
}

function topicsOf(filters: Open['filters']): readonly string[] {
  return [...filters.values()].flatMap(({ topics }) => topics)
}

function weightOf(filters: Open['filters']): number {
  return Math.max(filters.size, topicsOf(filters).length)
}

class World implements Disposable {
  readonly oracle: Oracle
  readonly #hub: Hub
  #own = 0

  constructor(limits: Limits) {
    this.oracle = new Oracle(limits)
    const { perShare } = limits
    this.#hub = new Hub(new MemoryEventLog({ eventsMax: 0, maxAgeMs: 0, bytesMax: 1e6 }), {
      queueBytesMax: 1e6,
      stallTimeoutMs: 1e6,
      topicFiltersMax: limits.filters,
      conditionsMax: limits.conditions,
      perShare: {
        topicFiltersMax: perShare.filters,
        conditionsMax: perShare.conditions,
        streamsMax: perShare.streams,
        streamsLeft: () => limits.streams - this.#hub.subscriberCount,
      },
    })
  }

  subscribe(share: string, wants: readonly TopicFilter[], conditions: string[], once: boolean) {
    const { key, filters: canonical } = canonicalFilters(wants)
    const filters = byKey(canonical)
    const expected = this.oracle.ofSubscribe(share, key, filters, conditions)
    const sink = new RecordingSink()
    const predicates = conditions.map((name) => ({ key: name, matches: () => true }))
    const subscribe = () =>
      this.#hub.subscribe({
        ...byteRequest({
          wants,
          conditions: predicates,
          rights: PUBLIC_ONLY,
          from: 'head',
          encoding: PLAIN,
          sink,
          opening: new Uint8Array(),
        }),
        share,
        ...(once && { bounds: { eventsMax: 1, untilMs: Infinity } }),
      })
    const subscription = refusedAs(expected, subscribe)
    if (subscription !== null)
      this.oracle.open.push({ share, group: key, filters, conditions, subscription, sink })
  }

  change(open: Open, add: readonly TopicFilter[], drop: readonly TopicFilter[]) {
    const after = new Map(open.filters)
    for (const key of byKey(drop).keys()) after.delete(key)
    for (const [key, filter] of byKey(add)) after.set(key, filter)
    const expected = this.oracle.ofChange(open, after)
    refusedAs(expected, () => open.subscription.changeWants({ add, drop }))
    if (expected !== null) return
    open.filters = after
    if (!open.group.startsWith('own')) open.group = `own ${++this.#own}`
  }

  async publish(path: string) {
    await this.#hub.publish([publication(path)])
  }

  /** What has ended has told its sink by then, and its place in the index is swept. */
  async settle() {
    await turn()
    await turn()
    this.oracle.open = this.oracle.open.filter(({ sink }) => sink.ended === null && !sink.isClosed)
    assert.equal(this.#hub.subscriberCount, this.oracle.open.length)
  }

  [Symbol.dispose]() {
    this.#hub[Symbol.dispose]()
  }
}

function byKey(filters: readonly TopicFilter[]): Map<string, TopicFilter> {
  return new Map(filters.map((filter) => [keyOfWant(filter), filter]))
}

/** What it gives back, or `null` where it has thrown as expected. */
function refusedAs<T>(code: string | null, act: () => T): T | null {
  if (code === null) return act()
  assert.throws(act, { code })
  return null
}

const SHARES = ['user anna', '192.0.2.1', '2001:db8::/64']
const TOPICS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
const SEES_ALL: Rights = { key: 'all', seesNothing: false, maySee: () => true }

const share = fc.constantFrom(...SHARES)
const conditions = fc.uniqueArray(fc.constantFrom('t', 'u', 'v', 'w', 'x', 'y', 'z'), {
  maxLength: 2,
})
/** Mostly one of the first, so that one has several things done to it. */
const which = fc.oneof(fc.nat(2), fc.nat(1_000))

const filtersOf = (topicsMax: number) =>
  fc.uniqueArray(
    fc
      .uniqueArray(fc.constantFrom(...TOPICS), { minLength: 1, maxLength: topicsMax })
      .map((topics) => ({ topics: topics.toSorted(), privateOnly: false })),
    { minLength: 1, maxLength: 3, selector: keyOfWant },
  )

const stepsOf = (wants: fc.Arbitrary<TopicFilter[]>) =>
  fc.array(
    fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          type: fc.constant('subscribe' as const),
          share,
          wants,
          conditions,
          once: fc.boolean(),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          type: fc.constant('change' as const),
          which,
          add: fc.oneof(wants, fc.constant([])),
          drop: fc.oneof(wants, fc.constant([])),
        }),
      },
      fc.record({
        type: fc.constantFrom('close' as const, 'end' as const, 'rights' as const),
        which,
      }),
      fc.record({ type: fc.constant('publish' as const), topic: fc.constantFrom(...TOPICS) }),
    ),
    { minLength: 20, maxLength: 60 },
  )

type Step = ReturnType<typeof stepsOf> extends fc.Arbitrary<(infer S)[]> ? S : never

async function play(world: World, steps: readonly Step[]) {
  for (const step of steps) {
    const { open } = world.oracle
    if (step.type === 'subscribe')
      world.subscribe(step.share, step.wants, step.conditions, step.once)
    else if (step.type === 'publish') await world.publish(`/${step.topic}`)
    else if (open.length > 0) {
      const one = open[step.which % open.length]!
      if (step.type === 'change') world.change(one, step.add, step.drop)
      else if (step.type === 'rights') one.subscription.setRights(SEES_ALL)
      else if (step.type === 'end') one.subscription.end('slow')
      else {
        one.sink.close()
        one.subscription.close()
      }
    }
    await world.settle()
  }
}

/** Nothing of them is charged any more: each share may take all that it may have in the beginning. */
async function closeAll(world: World) {
  for (const { subscription, sink } of world.oracle.open) {
    sink.close()
    subscription.close()
  }
  await world.settle()
  for (const each of SHARES)
    for (const [i, topic] of TOPICS.entries())
      world.subscribe(
        each,
        [{ topics: [`${topic} ${each}`], privateOnly: false }],
        [`${each} ${i}`],
        false,
      )
}

/** Whatever is done, the hub refuses what the oracle does, and no more. */
async function holds(limits: Limits, topicsMax: number): Promise<void> {
  const property = fc.asyncProperty(stepsOf(filtersOf(topicsMax)), async (steps) => {
    using world = new World(limits)
    await play(world, steps)
    await closeAll(world)
  })
  await fc.assert(property, { numRuns: 150 })
}

test('however streams come, change and go, each share may have as many as are left for others', () =>
  holds(
    {
      filters: 14,
      conditions: 6,
      streams: 20,
      perShare: { filters: 0, conditions: 0, streams: 0 },
    },
    1,
  ))

test('however streams come, change and go, each share may have so many as its limits say, also of filters with several topics', () =>
  holds(
    {
      filters: 1_000,
      conditions: 100,
      streams: 1_000,
      perShare: { filters: 7, conditions: 3, streams: 6 },
    },
    3,
  ))
