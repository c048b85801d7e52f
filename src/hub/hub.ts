import { Audience, EventEncoder } from './audience.ts'
import { AudienceGroup } from './audience-group.ts'
import { throwLater, type OnBug } from './bug.ts'
import { CatchUp } from './catch-up.ts'
import { Endings } from './endings.ts'
import type { CloseReason, DirectSend, SharedEncoding, Sink } from './encoding.ts'
import { OverloadedError } from './errors.ts'
import type { Cursor, Position, PublishedEvent } from './event.ts'
import type { Publication } from '../publication/publication.ts'
import type { EventLog, Once, Page, ReadOptions, Receipt, Resolution } from './event-log.ts'
import { KeepAliveWheel } from './keep-alive.ts'
import { SharedPredicates, type EventPredicate } from './predicate.ts'
import type { Rights } from './rights.ts'
import { Ring } from './ring.ts'
import { Rounds } from './rounds.ts'
import { Bounds, type BoundsRequest } from './bounds.ts'
import { shortKey } from './short-key.ts'
import { SlicedWork } from './sliced-work.ts'
import { Subscription, type Surroundings } from './subscription.ts'
import { canonicalFilters, TopicIndex, type CanonicalFilters, type TopicFilter } from './topics.ts'
import { beginWork } from '../ops/current-work.ts'

export interface HubOptions {
  /** Unsent bytes of one subscriber, above which it is behind. */
  readonly queueBytesMax: number
  /** A peer that takes no byte for this long is closed. */
  readonly stallTimeoutMs: number
  /** Topic filters of all audiences together, those with the same ones counted once. */
  readonly topicFiltersMax: number
  /** Different conditions of all audiences together. */
  readonly conditionsMax: number
  /** Silence before a keep-alive, in ms. Absent: that of PyPubSub. */
  readonly keepAliveMs?: number | undefined
  /**
   * Told of what has thrown, and what was being done: whose stream that was, ends as `internal`, and nobody else is affected.
   * Must not throw. Without it the process ends by an uncaught exception, a moment later.
   */
  readonly onBug?: OnBug
}

/** What a door asks the hub for. */
export interface SubscribeRequest {
  /** Any of these. Whoever has thousands makes them canonical before, in a turn of its own. */
  readonly wants: readonly TopicFilter[] | CanonicalFilters
  /** All of these, too. */
  readonly conditions?: readonly EventPredicate[]
  readonly rights: Rights
  /** Everything after this position, then live. */
  readonly from: Position | 'head'
  readonly encoding: SharedEncoding
  readonly sink: Sink
  /** Goes to the sink before everything else, once it is sure that there will be a stream: an HTTP head, a gap. */
  readonly opening: Uint8Array
  /** Nothing is sent before the first event, the opening neither. */
  readonly holdsOpening?: boolean
  /** Where it ends by itself, as `finished`. */
  readonly bounds?: BoundsRequest
}

export type RoundWatcher = (events: readonly PublishedEvent[]) => void

/** The centre: takes publications to the log, and what the log has committed to those who want it. */
export class Hub implements Disposable {
  readonly #log: EventLog
  readonly #options: HubOptions
  readonly #index = new TopicIndex<AudienceGroup<Audience>>()
  readonly #groups = new Map<string, AudienceGroup<Audience>>()
  readonly #audiences = new Map<string, Audience>()
  readonly #sweeping = new SlicedWork(() => this.#index.sweep(SWEPT_AT_ONCE))
  readonly #encoders = new Map<string, EventEncoder>()
  readonly #subscriptions = new Set<Subscription>()
  readonly #predicates = new SharedPredicates()
  readonly #surroundings: Surroundings & { head: Position }
  readonly #ring: Ring
  readonly #rounds: Rounds
  readonly #commits: Disposable
  readonly #watchers = new Set<RoundWatcher>()
  readonly #send: DirectSend
  #nextAudienceId = 0
  #isDisposed = false

  constructor(log: EventLog, options: HubOptions, send: DirectSend = sendNothing) {
    const { onBug = throwLater } = options
    this.#log = log
    this.#options = options
    this.#send = send
    this.#ring = new Ring(log.head, RING_BYTES_MAX)
    this.#surroundings = {
      log,
      ring: this.#ring,
      catchUp: new CatchUp(log, () => this.#surroundings.head, onBug),
      endings: new Endings(),
      onBug,
      wheel: new KeepAliveWheel(() => log.cursorOf(this.#surroundings.head), options.keepAliveMs),
      queueBytesMax: options.queueBytesMax,
      stallTimeoutMs: options.stallTimeoutMs,
      head: log.head,
      moveAudience: (from, rights) => {
        const { group, conditions, encoder } = from
        const { encoding } = encoder
        const audience = this.#enter(group, { conditions, rights, encoding }, Infinity)
        this.#exit(from)
        return audience
      },
      release: (subscription) => {
        this.#subscriptions.delete(subscription)
        this.#exit(subscription.audience)
      },
    }
    this.#rounds = new Rounds((events) => this.#deliver(events))
    this.#commits = log.onCommit((events) => this.#rounds.add(events))
  }

  /** Open subscriptions. */
  get subscriberCount(): number {
    return this.#subscriptions.size
  }

  /**
   * All or none, at least one. Resolves once the log holds them, after they were handed to every live subscriber.
   * @throws {LogUnavailableError | IdempotencyKeyReusedError} nothing was published.
   * @throws {OutcomeUnknownError} perhaps all of it was published, perhaps nothing.
   */
  async publish(publications: readonly Publication[], once?: Once): Promise<Receipt> {
    using _priority = this.#surroundings.catchUp.yieldToPublication()
    const receipt = await this.#log.append(publications, { once })
    if (!this.#rounds.isIdle) await this.#rounds.settled()
    return receipt
  }

  /** @throws {OverloadedError} too many topic filters or conditions are open. */
  subscribe(request: SubscribeRequest): Subscription {
    const audience = this.#audienceOf(request)
    const { sink, opening, holdsOpening = false } = request
    const { head } = this.#surroundings
    const from = request.from === 'head' ? head : (Math.min(request.from, head) as Position)
    const bounds = request.bounds === undefined ? null : new Bounds(request.bounds)
    const subscription = new Subscription(this.#surroundings, audience, sink, bounds)
    this.#subscriptions.add(subscription)
    try {
      subscription.open({ opening, holdsOpening, from })
    } catch (error) {
      subscription.close()
      throw error
    }
    if (this.#isDisposed) subscription.end('shutdown')
    return subscription
  }

  /**
   * For a door that matches by itself and makes other bytes for each of its subscribers: every round, in order, as events,
   * synchronously, before `publish` resolves. Private ones are among them: whoever watches asks `Rights`. What it throws is
   * told, and affects nobody else; but it gets no round twice, so it has to end what it cannot serve.
   */
  watch(watcher: RoundWatcher): Disposable {
    this.#watchers.add(watcher)
    return { [Symbol.dispose]: () => void this.#watchers.delete(watcher) }
  }

  /** Pages of the log after a position, as `EventLog.read` gives them: for such a door's own catching up. */
  read(after: Position, options: ReadOptions): AsyncIterable<Page> {
    return this.#log.read(after, { until: this.#surroundings.head, ...options })
  }

  /** What a peer's cursor stands for. */
  resolve(cursor: Cursor): Resolution {
    return this.#log.resolve(cursor)
  }

  /** The position before the first kept event published at or after a time (ms since the Unix epoch). */
  async positionAt(timeMs: number): Promise<Position> {
    const position = await this.#log.positionAt(timeMs)
    return Math.min(position, this.#surroundings.head) as Position
  }

  /** The time of the log so long ago: what published times are compared with. */
  timeAgo(ms: number): number {
    return this.#log.timeAgo(ms)
  }

  /** Resolves once everything that was published before has been delivered, or never will be. */
  async settled(): Promise<void> {
    await this.#log.flushed()
    await this.#rounds.settled()
  }

  /** A cursor to be shown without its event. */
  cursorOf(position: Position): Cursor {
    return this.#log.cursorOf(position)
  }

  /** Position of the oldest event that can be replayed. */
  get oldestKept(): Position {
    return this.#log.status.oldest
  }

  /** Where a replay of everything begins. */
  get beforeOldest(): Position {
    return (this.#log.status.oldest - 1) as Position
  }

  get head(): Position {
    return this.#surroundings.head
  }

  /** Tells every subscriber and closes it. */
  endAll(reason: CloseReason): void {
    for (const subscription of this.#subscriptions) subscription.end(reason)
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true
    this.#commits[Symbol.dispose]()
    this.#rounds[Symbol.dispose]()
    this.endAll('shutdown')
  }

  /** One round, in cursor order: all that a commit of the log brought, or a part of it. */
  #deliver(events: readonly PublishedEvent[]): void {
    beginWork('fan-out of events:', events.length)
    const before = this.#surroundings.head
    this.#surroundings.head = events.at(-1)!.position
    const gathered: Audience[] = []
    try {
      this.#ring.push(events)
      for (const event of events)
        for (const { audiences } of this.#index.matching(event))
          for (let i = audiences.length - 1; i >= 0; i--)
            this.#gather(audiences[i]!, event, gathered)
      for (const audience of gathered) audience.flush() // one buffer, one write per subscriber
    } catch (error) {
      this.#failRound(before, gathered, error)
    }
    for (const watcher of this.#watchers) this.#tell(watcher, events)
  }

  /** A predicate, rights or an encoding that throws: whether the event is due here is not known, and cannot be told later. */
  #gather(audience: Audience, event: PublishedEvent, gathered: Audience[]): void {
    try {
      if (audience.gather(event)) gathered.push(audience)
    } catch (error) {
      this.#surroundings.onBug('delivering a round', error)
      audience.fail(event)
    }
  }

  #tell(watcher: RoundWatcher, events: readonly PublishedEvent[]): void {
    try {
      watcher(events)
    } catch (error) {
      this.#surroundings.onBug('watching a round', error)
    }
  }

  /** By what is not foreseen here. Who has got what of it is not known, so all who are live may come back for all of it. */
  #failRound(before: Position, gathered: readonly Audience[], error: unknown): void {
    this.#surroundings.onBug('delivering a round', error)
    for (const audience of gathered) audience.discard()
    for (const subscription of this.#subscriptions)
      if (!subscription.isBehind) subscription.endAt(before, 'internal')
  }

  /** @throws {OverloadedError} */
  #audienceOf(request: SubscribeRequest): Audience {
    const group = this.#groupOf(request.wants)
    try {
      return this.#enter(group, request, this.#options.conditionsMax)
    } finally {
      if (group.audiences.length === 0) this.#forget(group)
    }
  }

  /** @throws {OverloadedError} */
  #groupOf(wants: SubscribeRequest['wants']): AudienceGroup<Audience> {
    const { filters, key } = 'key' in wants ? wants : canonicalFilters(wants)
    let group = this.#groups.get(key)
    if (group !== undefined) return group
    this.#refuseTooMany(filters)
    group = new AudienceGroup(key, (owner) => this.#index.add(filters, owner))
    this.#groups.set(key, group)
    return group
  }

  /** @throws {OverloadedError} */
  #refuseTooMany(filters: readonly TopicFilter[]): void {
    const { topicFiltersMax } = this.#options
    const topics = filters.reduce((sum, filter) => sum + 2 * filter.topics.length, 0)
    this.#index.sweep(topics) // who comes back at once finds the place that it has left
    const { size, steps } = this.#index
    if (size + filters.length > topicFiltersMax)
      throw new OverloadedError(
        `the open streams have ${size} topic filters; with ${filters.length} more they would exceed ` +
          `the limit of ${topicFiltersMax} (limits.topic_filters_total)`,
      )
    const stepsMax = topicFiltersMax * STEPS_PER_FILTER
    if (steps + topics > Math.max(stepsMax, topics))
      throw new OverloadedError(
        `the topic filters of the open streams have too many topics: the limit is ${stepsMax} that they do not share, ` +
          `${STEPS_PER_FILTER} for each of ${topicFiltersMax} filters (limits.topic_filters_total)`,
      )
  }

  /** @throws {OverloadedError} */
  #enter(
    group: AudienceGroup<Audience>,
    request: Pick<SubscribeRequest, 'conditions' | 'rights' | 'encoding'>,
    conditionsMax: number,
  ): Audience {
    const { conditions = [], rights, encoding } = request
    const names = conditions.map((condition) => condition.key).toSorted()
    const key = shortKey(JSON.stringify([encoding.key, rights.key, group.key, ...names]))
    let audience = this.#audiences.get(key)
    if (audience === undefined) {
      if (this.#predicates.sizeWith(conditions) > conditionsMax)
        throw new OverloadedError(
          `the open streams have ${this.#predicates.sizeWith([])} different where and without conditions, ` +
            `and the limit is ${conditionsMax} (limits.conditions)`,
        )
      const traits = {
        group,
        conditions: conditions.map((condition) => this.#predicates.acquire(condition)),
        rights,
        encoder: this.#encoderOf(encoding),
      }
      audience = new Audience(this.#nextAudienceId++, key, traits, this.#send)
      this.#audiences.set(key, audience)
      group.add(audience)
    }
    audience.members++
    return audience
  }

  #exit(audience: Audience): void {
    if (--audience.members > 0) return
    this.#audiences.delete(audience.key)
    if (audience.group.remove(audience)) this.#forget(audience.group)
    for (const condition of audience.conditions) this.#predicates.release(condition)
  }

  /** Nobody of it is found from now on; what it takes of the index goes bit by bit. */
  #forget(group: AudienceGroup<Audience>): void {
    this.#groups.delete(group.key)
    this.#index.remove(group.entry)
    this.#sweeping.start()
  }

  /** Forms are few and fixed, so they stay. */
  #encoderOf(encoding: SharedEncoding): EventEncoder {
    let encoder = this.#encoders.get(encoding.key)
    if (encoder === undefined)
      this.#encoders.set(encoding.key, (encoder = new EventEncoder(encoding)))
    return encoder
  }
}

/** Everything goes through the sinks then. */
const sendNothing: DirectSend = () => -1

/** Steps of the index between two looks at the clock: some 50 µs. */
const SWEPT_AT_ONCE = 512

/**
 * How many steps of the index, of about 100 bytes each, a filter may have on average: those with three topics or more may
 * be fewer, unless they have topics in common.
 */
const STEPS_PER_FILTER = 2

/** The newest events kept for joining, in bytes of payloads, paths and `EVENT_OVERHEAD_BYTES`. */
const RING_BYTES_MAX = 4_194_304
