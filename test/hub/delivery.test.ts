import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import type { CloseReason, Gap, SharedEncoding } from '../../src/hub/encoding.ts'
import type { Position, PublishedEvent } from '../../src/hub/event.ts'
import type { EventSink } from '../../src/hub/event-sink.ts'
import { Hub, type SubscribeRequest } from '../../src/hub/hub.ts'
import { PUBLIC_ONLY, type Rights } from '../../src/hub/rights.ts'
import type { Subscription } from '../../src/hub/subscription.ts'
import { filterMatches } from '../../src/hub/topics.ts'
import { isTopicFilter, keyOfWant, type Want } from '../../src/hub/wants.ts'
import { MemoryEventLog } from '../../src/log/memory/memory-event-log.ts'
import { publication } from '../contracts/event-log.ts'
import { RecordingKernel, RecordingSink } from './recording-sink.ts'

/*
 * What the hub promises of a subscription, whatever its events go to: shared bytes or a sink of events. Both kinds of a sink
 * run through all of it.
 */

/** A subscriber whose peer takes what it gets while it is open. */
interface Peer {
  readonly to: SubscribeRequest['to']
  /** Positions, in the order in which they came. */
  readonly received: readonly number[]
  readonly gaps: readonly string[]
  readonly ended: CloseReason | null
  /** From now on it takes nothing, or everything again. */
  pause(): void
  resume(subscription: Subscription): void
  /** Throws when it comes to that position. */
  throwAt: number
}

class BytePeer implements Peer {
  throwAt = Infinity
  readonly #sink: RecordingSink
  readonly to: SubscribeRequest['to']
  #isPaused = false

  constructor() {
    const sink = new RecordingSink({ isReading: false, highWaterBytes: 1 })
    this.#sink = sink
    const write = sink.write.bind(sink)
    sink.write = (batch) => {
      const positions = Buffer.from(batch).toString().split('\n').map(Number)
      if (positions.some((position) => position >= this.throwAt)) throw new Error('planted')
      const isTaken = write(batch)
      if (this.#isPaused) return isTaken
      sink.drain()
      return true
    }
    this.to = { encoding: POSITIONS, sink, opening: Buffer.of() }
  }

  get received(): readonly number[] {
    return this.#sink.lines.map(Number).filter((position) => position > 0)
  }

  get gaps(): readonly string[] {
    return this.#sink.lines.flatMap((line) => (line.startsWith('gap ') ? [line.slice(4)] : []))
  }

  get ended(): CloseReason | null {
    return this.#sink.ended
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(subscription: Subscription): void {
    this.#isPaused = false
    if (this.#sink.drain()) subscription.drained()
  }
}

const POSITIONS: SharedEncoding = {
  key: 'positions',
  event: ({ position }) => Buffer.from(`${position}\n`),
  keepAlive: () => Buffer.from('alive\n'),
  gap: ({ reason }) => Buffer.from(`gap ${reason}\n`),
  closing: ({ reason }) => Buffer.from(`closing ${reason}\n`),
}

class EventPeer implements Peer, EventSink {
  throwAt = Infinity
  readonly received: number[] = []
  readonly gaps: string[] = []
  readonly to = { events: this as EventSink }
  ended: CloseReason | null = null
  queuedBytes = 0
  readonly takenBytes = 0
  #isPaused = false
  #isFull = false

  take(events: readonly PublishedEvent[]): boolean {
    assert.ok(!this.#isFull, 'it gets events before it has drained')
    assert.ok(events.length > 0)
    for (const { position } of events) {
      if (position >= this.throwAt) throw new Error('planted')
      this.received.push(position)
    }
    this.#isFull = this.#isPaused
    return !this.#isPaused
  }

  gap({ reason }: Gap): void {
    this.gaps.push(reason)
  }

  end(reason: CloseReason): void {
    this.ended = reason
  }

  destroy(): void {}

  pause(): void {
    this.#isPaused = true
  }

  resume(subscription: Subscription): void {
    this.#isPaused = false
    if (!this.#isFull) return
    this.#isFull = false
    subscription.drained()
  }
}

const seesAll: Rights = { key: 'all', seesNothing: false, maySee: () => true }
const wantsA: readonly Want[] = [{ topics: ['a'], privateOnly: false }]
const START = 0 as Position

function openHub({ eventsMax = 100_000, queueBytesMax = 20 } = {}) {
  const log = new MemoryEventLog({
    eventsMax,
    maxAgeMs: 0,
    bytesMax: 1e9,
    keyWindowMs: 1,
    keysMax: 1,
  })
  const bugs: string[] = []
  const limits = { queueBytesMax, topicFiltersMax: 1_000, conditionsMax: 1_000 }
  const onBug = (doing: string) => void bugs.push(doing)
  const fanOut = new RecordingKernel().fanOut()
  const hub = new Hub(log, { ...limits, stallTimeoutMs: 10_000, onBug }, fanOut)
  return {
    hub,
    bugs,
    publish: (...paths: string[]) => hub.publish(paths.map((path) => publication(path))),
    subscribe: (peer: Peer, request: Partial<SubscribeRequest> = {}) =>
      hub.subscribe({ wants: wantsA, rights: seesAll, from: 'head', to: peer.to, ...request }),
    /** What a ring does not hold. */
    publishGreat: async (count: number) => {
      const text = 'x'.repeat(1_500_000)
      for (let n = 0; n < count; n++) await hub.publish([publication('/a', { text })])
    },
    [Symbol.dispose]: () => hub[Symbol.dispose](),
  }
}

async function turns(count = 60): Promise<void> {
  for (let n = 0; n < count; n++) await turn()
}

const upTo = (last: number, first = 1) =>
  Array.from({ length: last - first + 1 }, (_, n) => n + first)

function deliveryContract(kind: string, open: () => Peer): void {
  test(`${kind}: a replay, what is published meanwhile and what comes live are one sequence`, async () => {
    using opened = openHub()
    for (let n = 0; n < 300; n++) await opened.publish('/a')
    await opened.publishGreat(4)
    const peer = open()
    opened.subscribe(peer, { from: START })
    await opened.publish('/a', '/b', '/a')
    await turns()
    await opened.publish('/a')
    assert.deepEqual(peer.received, [...upTo(305), 307, 308])
  })

  test(`${kind}: whoever takes nothing for a while catches up from the log, and misses nothing`, async () => {
    using opened = openHub()
    const [slow, other] = [open(), open()]
    const subscription = opened.subscribe(slow)
    opened.subscribe(other)
    slow.pause()
    for (let n = 0; n < 20; n++) await opened.publish('/a')
    await opened.publishGreat(4)
    assert.deepEqual(other.received, upTo(24))
    assert.ok(slow.received.length < 24)
    slow.resume(subscription)
    await turns()
    assert.deepEqual(slow.received, upTo(24))
    await opened.publish('/a')
    assert.deepEqual(slow.received, upTo(25))
    assert.deepEqual([slow.gaps, slow.ended], [[], null])
  })

  test(`${kind}: whoever asks for the past is told the gap where the log has dropped a part of it`, async () => {
    using opened = openHub({ eventsMax: 2 })
    for (let n = 0; n < 3; n++) await opened.publish('/a')
    await opened.publishGreat(4)
    const peer = open()
    opened.subscribe(peer, { from: START })
    await turns()
    assert.deepEqual([peer.gaps, peer.received], [['expired'], [6, 7]])
  })

  for (const whenBehind of ['close', 'catch-up', 'catch-up-with-gaps'] as const)
    test(`${kind}: whoever is so slow that the log has dropped the rest, and may ${whenBehind}`, async () => {
      using opened = openHub({ eventsMax: 2 })
      const peer = open()
      const subscription = opened.subscribe(peer, { whenBehind })
      peer.pause()
      for (let n = 0; n < 20; n++) await opened.publish('/a')
      await opened.publishGreat(6)
      peer.resume(subscription)
      await turns()
      const last = peer.received.at(-1)!
      if (whenBehind === 'catch-up-with-gaps') {
        assert.deepEqual([peer.gaps, peer.ended, last], [['expired'], null, 26])
        assert.ok(peer.received.length < 26)
        await opened.publish('/a')
        assert.equal(peer.received.at(-1), 27)
      } else {
        assert.equal(peer.ended, 'slow')
        assert.deepEqual(peer.received, upTo(last))
      }
    })

  test(`${kind}: whoever may not be behind ends as slow, though the log has the rest`, async () => {
    using opened = openHub()
    const peer = open()
    opened.subscribe(peer, { whenBehind: 'close' })
    peer.pause()
    for (let n = 0; n < 20; n++) await opened.publish('/a')
    assert.equal(peer.ended, 'slow')
  })

  test(`${kind}: one that throws ends, and all others get everything`, async () => {
    for (const from of ['head', START] as const) {
      using opened = openHub()
      if (from === START) await opened.publish('/a')
      const peers = upTo(5).map(open)
      peers[2]!.throwAt = 2
      for (const peer of peers) opened.subscribe(peer, { from })
      await turns()
      for (let n = 0; n < 3; n++) await opened.publish('/a')
      await turns()
      const count = from === START ? 4 : 3
      for (const [n, peer] of peers.entries())
        if (n === 2) assert.deepEqual([peer.received, peer.ended], [[1], 'internal'])
        else assert.deepEqual([peer.received, peer.ended], [upTo(count), null])
      assert.equal(opened.hub.subscriberCount, 4)
      assert.equal(opened.bugs.length, 1)
    }
  })

  test(`${kind}: a predicate is asked once about an event, however many want what it says, and only what they may see`, async () => {
    using opened = openHub()
    const asked: string[] = []
    const predicate = () => ({
      key: 'short',
      matches({ path }: PublishedEvent) {
        asked.push(path)
        return path.length === 2
      },
    })
    const peers = upTo(3).map(open)
    for (const peer of peers) opened.subscribe(peer, { wants: [predicate()], rights: PUBLIC_ONLY })
    await opened.publish('/b', '/long', '/private/x', '/c')
    for (const peer of peers) assert.deepEqual(peer.received, [1, 4])
    assert.deepEqual(asked, ['/b', '/long', '/c'])
  })

  test(`${kind}: a predicate that throws ends those who have it, live and behind`, async () => {
    using opened = openHub()
    const wants = [
      {
        key: 'bad',
        matches({ path }: PublishedEvent) {
          if (path === '/bad') throw new Error('planted')
          return true
        },
      },
    ]
    const [live, other, late] = [open(), open(), open()]
    opened.subscribe(live, { wants })
    opened.subscribe(other, { wants: [{ topics: [], privateOnly: false }] })
    await opened.publish('/a', '/bad', '/a')
    await opened.publishGreat(4)
    opened.subscribe(late, { wants, from: START })
    await turns()
    for (const peer of [live, late])
      assert.deepEqual([peer.received, peer.ended], [[1], 'internal'])
    assert.deepEqual([other.received, other.ended], [upTo(7), null])
  })

  test(`${kind}: rights are asked for whatever is not for all, whenever it is due`, async () => {
    using opened = openHub()
    let mayNow = false
    const asked: string[] = []
    const rights: Rights = {
      key: 'changing',
      seesNothing: false,
      maySee({ path }) {
        asked.push(path)
        return mayNow
      },
    }
    const peer = open()
    opened.subscribe(peer, { rights })
    await opened.publish('/a', '/private/a')
    mayNow = true
    await opened.publish('/private/a', '/private/b')
    assert.deepEqual(peer.received, [1, 3])
    assert.ok(asked.every((path) => path === '/private/a'))
  })

  test(`${kind}: bounds end it as finished, and what is due before is there`, async () => {
    using opened = openHub()
    for (let n = 0; n < 3; n++) await opened.publish('/a')
    for (const from of [START, 2 as Position]) {
      const peer = open()
      opened.subscribe(peer, { from, bounds: { eventsMax: 4 } })
      await opened.publish('/a', '/a', '/a')
      await turns()
      assert.deepEqual([peer.received, peer.ended], [upTo(from + 4, from + 1), 'finished'])
    }
  })

  test(`${kind}: whatever is published, changed and taken when, each gets what it wants, once and in order`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 30 }), (operations) =>
        runAgainstModel(open, operations),
      ),
      { numRuns: 50 },
    )
  })
}

const anyWant: fc.Arbitrary<Want> = fc.constantFrom<Want>(
  { topics: ['a'], privateOnly: false },
  { topics: ['a', 'b'], privateOnly: false },
  { path: '/a/b' },
  { path: '/c' },
  { key: 'ends in b', matches: ({ path }) => path.endsWith('b') },
  { key: 'any', matches: () => true },
)
const anyPath = fc.constantFrom('/a', '/b', '/a/b', '/b/a', '/c', '/private/c')
const which = fc.nat(3)
const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('publish' as const),
      paths: fc.array(anyPath, { minLength: 1, maxLength: 5 }),
      isGreat: fc.constantFrom(false, false, false, true),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('subscribe' as const),
      wants: fc.array(anyWant, { maxLength: 3 }),
      back: fc.constantFrom(0, 0, 5),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('change' as const),
      which,
      add: fc.array(anyWant, { maxLength: 2 }),
      drop: fc.array(anyWant, { maxLength: 2 }),
    }),
  },
  fc.record({ type: fc.constant('rights' as const), which, isAll: fc.boolean() }),
  fc.record({ type: fc.constantFrom('pause' as const, 'resume' as const), which }),
  fc.record({ type: fc.constant('turns' as const), count: fc.constantFrom(1, 5) }),
)
type Operation = typeof operation extends fc.Arbitrary<infer O> ? O : never

interface Model {
  readonly peer: Peer
  readonly subscription: Subscription
  readonly from: number
  /** Of each wish: when it was wanted. */
  readonly spans: { readonly key: string; want: Want; since: number; until: number }[]
  /** It has always been able to see everything. */
  seesAll: boolean
}

async function runAgainstModel(open: () => Peer, operations: readonly Operation[]): Promise<void> {
  using opened = openHub()
  const { hub } = opened
  const published: PublishedEvent[] = []
  const models: Model[] = []
  const text = 'x'.repeat(3_000_000)
  for (const step of operations) {
    const model = 'which' in step ? models[step.which] : undefined
    if (step.type === 'publish') {
      const batch = step.paths.map((path) => publication(path, step.isGreat ? { text } : {}))
      for (const each of batch)
        published.push({ ...each, position: (published.length + 1) as Position } as PublishedEvent)
      await hub.publish(batch)
    } else if (step.type === 'subscribe') {
      const peer = open()
      const from = Math.max(0, hub.head - step.back)
      const { wants } = step
      const subscription = opened.subscribe(peer, { wants, from: from as Position })
      const spans = wants.map((want) => ({
        key: keyOfWant(want),
        want,
        since: -1,
        until: Infinity,
      }))
      models.push({ peer, subscription, from, spans, seesAll: true })
    } else if (step.type === 'turns') await turns(step.count)
    else if (model === undefined) continue
    else if (step.type === 'pause') model.peer.pause()
    else if (step.type === 'resume') model.peer.resume(model.subscription)
    else if (step.type === 'rights') {
      model.subscription.setRights(step.isAll ? seesAll : PUBLIC_ONLY)
      model.seesAll &&= step.isAll
    } else if (step.type === 'change') {
      model.subscription.changeWants(step)
      const isHeld = (key: string) =>
        model.spans.some((span) => span.key === key && span.until === Infinity)
      for (const key of step.drop.map(keyOfWant))
        for (const span of model.spans)
          if (span.key === key) span.until = Math.min(span.until, hub.head)
      for (const want of step.add)
        if (!isHeld(keyOfWant(want)))
          model.spans.push({ key: keyOfWant(want), want, since: hub.head, until: Infinity })
    }
  }
  for (const { peer, subscription } of models) peer.resume(subscription)
  await turns(200)
  for (const { peer, from, spans, seesAll: sawAll } of models) {
    const { received } = peer
    assert.equal(peer.ended, null)
    assert.ok(
      received.every((position, n) => n === 0 || position > received[n - 1]!),
      'order',
    )
    for (const event of published) {
      const isWanted = (isHeld: (span: Model['spans'][number]) => boolean) =>
        event.position > from &&
        spans.some(
          (span) => isHeld(span) && event.position > span.since && isWantedBy(span.want, event),
        )
      const mustCome = isWanted((span) => span.until === Infinity) && (sawAll || !event.isPrivate)
      const mayCome = isWanted((span) => event.position <= span.until)
      const has = received.includes(event.position)
      assert.ok(!mustCome || has, `${event.position} is missing`)
      assert.ok(mayCome || !has, `${event.position} was not wanted`)
    }
  }
}

function isWantedBy(want: Want, event: PublishedEvent): boolean {
  if (isTopicFilter(want)) return filterMatches(want, event)
  return 'path' in want ? want.path === event.path : want.matches(event)
}

deliveryContract('shared bytes', () => new BytePeer())
deliveryContract('events', () => new EventPeer())
