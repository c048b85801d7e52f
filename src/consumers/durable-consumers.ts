import type { CloseReason } from '../hub/encoding.ts'
import type { EventSink } from '../hub/event-sink.ts'
import type { Cursor, Position, PublishedEvent } from '../hub/event.ts'
import type { Hub } from '../hub/hub.ts'
import type { StateChange, StateStore } from '../hub/state-store.ts'
import type { Subscription } from '../hub/subscription.ts'
import { stackOf } from '../ops/bug-report.ts'
import { beginWork } from '../ops/current-work.ts'
import { printable, type LogLevel } from '../ops/logger.ts'
import { SeldomReport } from '../ops/seldom-report.ts'
import { inLaterTurn, isTurnSpent } from '../ops/turn-budget.ts'
import {
  DurableConsumer,
  isDue,
  type ConsumerDelivery,
  type ConsumerPolicy,
  type ConsumerSubscription,
  type ConsumerSubscriptions,
  type SharedByConsumers,
} from './durable-consumer.ts'
import { FirstOutcomes } from './first-outcomes.ts'
import { inTurns } from './in-turns.ts'
import { everything, pastEvents } from './past-events.ts'

export interface DurableConsumersOptions<S extends ConsumerSubscription> {
  /** Names them in the log, and as subscribers of the hub. */
  readonly kind: string
  readonly hub: Pick<Hub, 'subscribe' | 'resolve' | 'cursorOf' | 'head' | 'beforeOldest'>
  readonly state: StateStore
  /** The space of the state store that holds their places, and nothing else. */
  readonly space: string
  readonly subscriptions: ConsumerSubscriptions<S>
  readonly policy: ConsumerPolicy<S>
  readonly logger: (level: LogLevel, message: string) => void
}

/**
 * Those to whom events are brought: each has its own place in the log, which outlives the process, and gets one delivery at a time,
 * in order. Only those to which something is due have a place stored for them; one place stands for all others. What cannot be
 * delivered because it has left the log is told to the policy as lost. Held by `test/consumers/durable-consumers.test.ts`.
 */
export class DurableConsumers<S extends ConsumerSubscription> implements EventSink {
  readonly queuedBytes = 0
  readonly takenBytes = 0
  /** What became of what was offered last. */
  readonly outcomes: FirstOutcomes
  readonly #options: DurableConsumersOptions<S>
  readonly #shared: SharedByConsumers<S>
  /** Those to which something is due. */
  readonly #busy = new Map<string, DurableConsumer<S>>()
  readonly #bugs: SeldomReport
  /** What storage holds: the places of those that were busy then, and one for all others. */
  #stored: ReadonlyMap<string, Position | null> = new Map()
  #storedForOthers: Position | null = null
  #storing: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | null = null
  #idleTimer: NodeJS.Timeout | null = null
  /** Everything that is published: what the queue of a consumer does not take is read for it alone. `null`: not yet resumed. */
  #feed: Subscription | null = null
  /** Events up to here have been offered to all who want them. */
  #offeredTo: Position
  /** What the feed has brought, and is not yet offered. */
  #offering: Offering | null = null
  #isClosed = false

  constructor(options: DurableConsumersOptions<S>) {
    const { kind, hub, subscriptions, policy, logger } = options
    this.#options = options
    this.#bugs = new SeldomReport(logger, 'error')
    this.#offeredTo = hub.head
    this.outcomes = new FirstOutcomes(hub.head)
    this.#shared = {
      kind,
      hub,
      subscriptions,
      policy,
      queued: 0,
      onMove: () => this.#storeSoon(STORE_MS),
      onIdle: (consumer) => {
        if (this.#busy.get(consumer.name) === consumer) this.#busy.delete(consumer.name)
        this.#storeSoon(STORE_MS)
      },
      tellLost: (name) => this.#tellLost(name),
      onBug: (event, concerned, error) => this.#onBug(event, concerned, error),
      failedReads: new SeldomReport(logger, 'warn'),
    }
  }

  /** Each of them goes on where it was when the process ended. */
  async resume(): Promise<void> {
    const { state, space, subscriptions, hub } = this.#options
    const places = new Map<string, Cursor>()
    for await (const { key, value } of state.entries(space))
      places.set(key, Buffer.from(value).toString('latin1') as Cursor)
    const ofOthers = places.get(OTHERS)
    places.delete(OTHERS)
    this.#stored = new Map([...places.keys()].map((name) => [name, null]))
    const others = new Set([...subscriptions.consumers].filter((name) => !places.has(name)))
    for (const [name, place] of places) {
      if (!subscriptions.hasAny(name)) continue
      const from = this.#startFrom(place, [name])
      if (from < this.#offeredTo) this.#consumer(name, from).readTo(this.#offeredTo)
    }
    const from = ofOthers === undefined ? hub.beforeOldest : this.#startFrom(ofOthers, others)
    await this.#replay(from, others)
    if (this.#isClosed) return
    this.#feed = this.#follow()
    await this.#store()
  }

  /** Called by the hub. What cannot be offered in this turn is offered in later ones, before more is taken. */
  take(events: readonly PublishedEvent[]): boolean {
    this.#offering = this.#offerAll(events)
    return this.#goOn(this.#offering)
  }

  /** Tells those that are at the place of all others; one that is behind reads by itself, and is told there. */
  gap(): void {
    void inTurns(this.#forEach((subscription) => this.#tellIfLost(subscription)))
  }

  end(reason: CloseReason): void {
    if (reason === 'shutdown' || this.#isClosed) return
    // The reason is a bug, which the hub has told.
    this.#offering = null
    this.#feed = this.#follow()
  }

  destroy(): void {
    this.end('internal')
  }

  /** The subscriptions of a consumer have changed. */
  changed(name: string): void {
    if (this.#options.subscriptions.hasAny(name)) return
    this.#busy.get(name)?.end()
    this.#busy.delete(name)
    this.#storeSoon(STORE_MS)
  }

  /** Nothing more is delivered; the places are stored. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#offering = null
    this.#feed?.close()
    for (const consumer of this.#busy.values()) consumer.end()
    for (const timer of [this.#timer, this.#idleTimer]) if (timer !== null) clearTimeout(timer)
    this.outcomes.close()
    await this.#storing
    await this.#store()
  }

  #follow(): Subscription {
    const { hub, kind } = this.#options
    return hub.subscribe({ ...everything(kind), from: this.#offeredTo, to: { events: this } })
  }

  /** As far as this turn allows; `true`: all of it. */
  #goOn(offering: Offering): boolean {
    do if (offering.next().done === true) return true
    while (!isTurnSpent())
    inLaterTurn(() => {
      if (this.#offering === offering && this.#goOn(offering)) this.#feed?.drained()
    })
    return false
  }

  *#offerAll(events: readonly PublishedEvent[]): Offering {
    for (const event of events) {
      let counts: Promise<number>[] = []
      try {
        if (this.#options.subscriptions.size > 0) counts = yield* this.#offer(event)
      } catch (error) {
        this.#fail(event, error)
      }
      this.#offeredTo = event.position
      this.outcomes.add(event.position, counts)
    }
  }

  /** For each consumer that wants the event, how many have got it. */
  *#offer(event: PublishedEvent): Generator<void, Promise<number>[]> {
    const { policy } = this.#options
    beginWork('event for consumers, to', event.path)
    this.#idleTimer ??= setTimeout(() => {
      this.#idleTimer = null
      this.#storeSoon(0)
    }, STORE_IDLE_MS).unref()
    const counts: Promise<number>[] = []
    const due = yield* this.#dueOf(event)
    let looked = 0
    for (const [name, deliveries] of due) {
      if (deliveries.some(({ subscription }) => policy.maySee(subscription, event)))
        counts.push(this.#consumer(name, before(event)).offer(deliveries))
      if (++looked % LOOKED_AT_ONCE === 0) yield
    }
    return counts
  }

  /** The deliveries that are due, by consumer. One that has subscribed since the event was published is not among them. */
  *#dueOf(event: PublishedEvent): Generator<void, ReadonlyMap<string, ConsumerDelivery<S>[]>> {
    const { hub, subscriptions } = this.#options
    const due = new Map<string, ConsumerDelivery<S>[]>()
    let looked = 0
    for (const subscription of subscriptions.matching(event)) {
      if (subscription === null) {
        yield
        continue
      }
      if (isDue(hub, subscription, event)) {
        const name = subscriptions.consumerOf(subscription)
        const deliveries = due.get(name)
        if (deliveries === undefined) due.set(name, [{ subscription, event }])
        else deliveries.push({ subscription, event })
      }
      if (++looked % LOOKED_AT_ONCE === 0) yield
    }
    return due
  }

  /** A bug: who wanted the event is not known. */
  #fail(event: PublishedEvent, error: unknown): void {
    this.#tellBug(event, 'could not be offered to anybody', error)
    void inTurns(this.#forEach((subscription) => this.#tellOfBug(subscription)))
  }

  #onBug(event: PublishedEvent, concerned: readonly S[], error: unknown): void {
    this.#tellBug(event, 'could not be brought to one of them', error)
    for (const subscription of concerned) this.#tellOfBug(subscription)
  }

  #tellBug({ path }: PublishedEvent, what: string, error: unknown): void {
    const { kind } = this.#options
    this.#bugs.add(`${kind}: an event of ${printable(path)} ${what}: ${stackOf(error)}`, what)
  }

  /** The bug may be one of the policy: then the log has said already that something is lost. */
  #tellOfBug(subscription: S): void {
    try {
      this.#options.policy.lost(subscription)
    } catch {}
  }

  /** There may be very many. */
  *#forEach(tell: (subscription: S) => void): Generator<void, void> {
    const { subscriptions } = this.#options
    let looked = 0
    for (const name of subscriptions.consumers)
      for (const subscription of subscriptions.of(name)) {
        tell(subscription)
        if (++looked % LOOKED_AT_ONCE === 0) yield
      }
  }

  #consumer(name: string, at: Position): DurableConsumer<S> {
    let consumer = this.#busy.get(name)
    if (consumer === undefined)
      this.#busy.set(name, (consumer = new DurableConsumer(name, at, this.#shared)))
    return consumer
  }

  /** What a stored place comes to. What the log has lost since is told. */
  #startFrom(cursor: Cursor, names: Iterable<string>): Position {
    const { hub } = this.#options
    const place = hub.resolve(cursor)
    if (place.type === 'found') return place.at
    for (const name of names) this.#tellLost(name)
    return place.type === 'expired' ? hub.beforeOldest : this.#offeredTo
  }

  /** In one go for all: each would read the same. */
  async #replay(from: Position, names: Set<string>): Promise<void> {
    const { hub, kind } = this.#options
    const to = this.#offeredTo
    if (names.size === 0 || from >= to) return
    for await (const { events, hasGap } of pastEvents(hub, kind, from, to)) {
      if (hasGap) for (const name of names) this.#tellLost(name)
      for (const event of events) {
        if (this.#isClosed) return
        for (const [name, deliveries] of await inTurns(this.#dueOf(event))) {
          if (!names.has(name)) continue
          const consumer = this.#consumer(name, before(event))
          void consumer.offer(deliveries)
          if (!consumer.isBehind) continue
          consumer.readTo(to)
          names.delete(name)
        }
      }
    }
  }

  /** Only to those that were there before what the log still has. */
  #tellLost(name: string): void {
    for (const subscription of this.#options.subscriptions.of(name)) this.#tellIfLost(subscription)
  }

  #tellIfLost(subscription: S): void {
    const { hub, policy } = this.#options
    if (hub.resolve(subscription.since).type !== 'found') policy.lost(subscription)
  }

  #storeSoon(ms: number): void {
    if (this.#isClosed) return
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.#storing = this.#storing.then(() => this.#store())
    }, ms).unref()
  }

  async #store(): Promise<void> {
    if (this.#feed === null) return
    const { hub, state } = this.#options
    const ofOthers = this.#offeredTo
    const places = new Map([...this.#busy].map(([name, { place }]) => [name, place]))
    const changes: StateChange[] = []
    for (const [name, place] of places)
      if (this.#stored.get(name) !== place) changes.push(this.#placed(name, hub.cursorOf(place)))
    for (const name of this.#stored.keys())
      if (!places.has(name)) changes.push(this.#placed(name, null))
    if (ofOthers !== this.#storedForOthers)
      changes.push(this.#placed(OTHERS, hub.cursorOf(ofOthers)))
    if (changes.length === 0) return
    try {
      await state.apply(changes)
      this.#stored = places
      this.#storedForOthers = ofOthers
    } catch {
      // The log says itself what is wrong with its disk. Until then a crash would bring some events again.
      this.#storeSoon(AGAIN_MS)
    }
  }

  #placed(name: string, cursor: Cursor | null): StateChange {
    const value = cursor === null ? null : Buffer.from(cursor, 'latin1')
    return { space: this.#options.space, key: name, value }
  }
}

/** Stops where it may be interrupted. */
type Offering = Generator<void, void>

function before({ position }: PublishedEvent): Position {
  return (position - 1) as Position
}

/** The name of all that have no place of their own. */
const OTHERS = ''

/** Subscriptions between two looks at the clock: some 0.1 ms. */
const LOOKED_AT_ONCE = 64

/** A place is stored so much later, in ms: what was delivered in between comes again after a crash. */
const STORE_MS = 200

/** The place of all others is stored so much later, in ms, if nothing is due to anybody: it is what has to be read after a crash. */
const STORE_IDLE_MS = 5_000

/** After a failure of the storage, in ms. */
const AGAIN_MS = 1_000
