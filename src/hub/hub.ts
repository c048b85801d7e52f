import { Audience, EventEncoder } from './audience.ts'
import { CatchUp } from './catch-up.ts'
import type { CloseReason, DirectSend, SharedEncoding, Sink } from './encoding.ts'
import { OverloadedError } from './errors.ts'
import type { Cursor, Position, PublishedEvent } from './event.ts'
import type { Publication } from '../publication/publication.ts'
import {
  receiptOf,
  type EventLog,
  type Once,
  type Page,
  type ReadOptions,
  type Receipt,
  type Resolution,
} from './event-log.ts'
import { KeepAliveWheel } from './keep-alive.ts'
import { SharedPredicates, type EventPredicate } from './predicate.ts'
import type { Rights } from './rights.ts'
import { Ring } from './ring.ts'
import { Bounds, type BoundsRequest } from './bounds.ts'
import { Subscription, type Surroundings } from './subscription.ts'
import { canonicalFilters, TopicIndex, type TopicFilter } from './topics.ts'

export interface HubOptions {
  /** Unsent bytes of one subscriber, above which it is behind. */
  readonly queueBytesMax: number
  /** A peer that takes no byte for this long is closed. */
  readonly stallTimeoutMs: number
  /** Topic filters of all audiences together. */
  readonly topicFiltersMax: number
  /** Different conditions of all audiences together. */
  readonly conditionsMax: number
}

/** What a door asks the hub for. */
export interface SubscribeRequest {
  /** Any of these. */
  readonly wants: readonly TopicFilter[]
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
  readonly #index = new TopicIndex<Audience>()
  readonly #audiences = new Map<string, Audience>()
  readonly #encoders = new Map<string, EventEncoder>()
  readonly #subscriptions = new Set<Subscription>()
  readonly #predicates = new SharedPredicates()
  readonly #surroundings: Surroundings & { head: Position }
  readonly #ring: Ring
  readonly #commits: Disposable
  readonly #watchers = new Set<RoundWatcher>()
  readonly #send: DirectSend
  #nextAudienceId = 0
  #isDisposed = false

  constructor(log: EventLog, options: HubOptions, send: DirectSend = sendNothing) {
    this.#log = log
    this.#options = options
    this.#send = send
    this.#ring = new Ring(log.head, RING_BYTES_MAX)
    this.#surroundings = {
      log,
      ring: this.#ring,
      catchUp: new CatchUp(log),
      wheel: new KeepAliveWheel(() => log.cursorOf(this.#surroundings.head)),
      queueBytesMax: options.queueBytesMax,
      stallTimeoutMs: options.stallTimeoutMs,
      head: log.head,
      moveAudience: (from, rights) => {
        const { filters: wants, conditions, encoder } = from
        const { encoding } = encoder
        const audience = this.#enter({ wants, conditions, rights, encoding }, NO_LIMITS)
        this.#exit(from)
        return audience
      },
      release: (subscription) => {
        this.#subscriptions.delete(subscription)
        this.#exit(subscription.audience)
      },
    }
    this.#commits = log.onCommit((events, head) => {
      this.#surroundings.head = head
      this.#deliver(events)
    })
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
    if (once !== undefined) return await this.#log.appendOnce(publications, once)
    return receiptOf(await this.#log.append(publications))
  }

  /** @throws {OverloadedError} too many topic filters or conditions are open. */
  subscribe(request: SubscribeRequest): Subscription {
    const audience = this.#enter(request, this.#options)
    const { sink, opening, holdsOpening = false } = request
    const from = request.from === 'head' ? this.#surroundings.head : request.from
    const bounds = request.bounds === undefined ? null : new Bounds(request.bounds)
    const subscription = new Subscription(this.#surroundings, audience, sink, bounds)
    this.#subscriptions.add(subscription)
    subscription.open({ opening, holdsOpening, from })
    if (this.#isDisposed) subscription.end('shutdown')
    return subscription
  }

  /**
   * For a door that matches by itself and makes other bytes for each of its subscribers: every round, in order, as events,
   * synchronously, before `publish` resolves. Private ones are among them: whoever watches asks `Rights`. Must not throw.
   */
  watch(watcher: RoundWatcher): Disposable {
    this.#watchers.add(watcher)
    return { [Symbol.dispose]: () => void this.#watchers.delete(watcher) }
  }

  /** Pages of the log after a position, as `EventLog.read` gives them: for such a door's own catching up. */
  read(after: Position, options: ReadOptions): AsyncIterable<Page> {
    return this.#log.read(after, options)
  }

  /** What a peer's cursor stands for. */
  resolve(cursor: Cursor): Resolution {
    return this.#log.resolve(cursor)
  }

  /** The position before the first kept event published at or after a time (ms since the Unix epoch). */
  positionAt(timeMs: number): Promise<Position> {
    return this.#log.positionAt(timeMs)
  }

  /** Resolves once everything that was published before has been delivered, or never will be. */
  async settled(): Promise<void> {
    try {
      await this.#log.append([])
    } catch {
      // It cannot take events: none is under way.
    }
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
    this.endAll('shutdown')
  }

  /** Everything one commit of the log brought, in cursor order: one round. */
  #deliver(events: readonly PublishedEvent[]): void {
    this.#ring.push(events)
    const gathered: Audience[] = []
    for (const event of events)
      for (const audience of this.#index.matching(event))
        if (audience.gather(event)) gathered.push(audience)
    for (const audience of gathered) audience.flush() // one buffer, one write per subscriber
    for (const watcher of this.#watchers) watcher(events)
  }

  #enter(
    request: Pick<SubscribeRequest, 'wants' | 'conditions' | 'rights' | 'encoding'>,
    { topicFiltersMax, conditionsMax }: Pick<HubOptions, 'topicFiltersMax' | 'conditionsMax'>,
  ): Audience {
    const { conditions = [], rights, encoding } = request
    const { filters, key: wishes } = canonicalFilters(request.wants)
    const names = conditions.map((condition) => condition.key).toSorted()
    const key = JSON.stringify([encoding.key, rights.key, wishes, ...names])
    let audience = this.#audiences.get(key)
    if (audience === undefined) {
      if (this.#index.size + filters.length > topicFiltersMax)
        throw new OverloadedError(
          `the open streams have ${this.#index.size} topic filters; with ${filters.length} more they would exceed ` +
            `the limit of ${topicFiltersMax} (limits.topic_filters_total)`,
        )
      if (this.#predicates.sizeWith(conditions) > conditionsMax)
        throw new OverloadedError(
          `the open streams have ${this.#predicates.sizeWith([])} different where and without conditions, ` +
            `and the limit is ${conditionsMax} (limits.conditions)`,
        )
      const traits = {
        filters,
        conditions: conditions.map((condition) => this.#predicates.acquire(condition)),
        rights,
        encoder: this.#encoderOf(encoding),
      }
      audience = new Audience(this.#nextAudienceId++, key, traits, this.#send)
      this.#audiences.set(key, audience)
      this.#index.add(audience)
    }
    audience.members++
    return audience
  }

  #exit(audience: Audience): void {
    if (--audience.members > 0) return
    this.#audiences.delete(audience.key)
    this.#index.remove(audience)
    for (const condition of audience.conditions) this.#predicates.release(condition)
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

/** A subscription that is there already keeps its place. */
const NO_LIMITS = { topicFiltersMax: Infinity, conditionsMax: Infinity }

/** The newest events kept for joining, in bytes of payloads, paths and `EVENT_OVERHEAD_BYTES`. */
const RING_BYTES_MAX = 4_194_304
