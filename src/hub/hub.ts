import { Audience, EventEncoder, type CountDue, type Round } from './audience.ts'
import { ChangingGroup, SharedGroup, type AudienceGroup } from './audience-group.ts'
import { throwLater, type OnBug } from './bug.ts'
import { Bounds, type BoundsRequest } from './bounds.ts'
import { ByteSubscription, type SharedBytes } from './byte-subscription.ts'
import { CatchUp } from './catch-up.ts'
import type { CloseReason, SharedEncoding } from './encoding.ts'
import { Endings } from './endings.ts'
import {
  LogUnavailableError,
  OutcomeUnknownError,
  OverloadedError,
  TooManyStreamsError,
} from './errors.ts'
import type { Cursor, Position, PublishedEvent } from './event.ts'
import type { EventLog, Once, Receipt, Resolution } from './event-log.ts'
import type { EventSink } from './event-sink.ts'
import { EventSubscription } from './event-subscription.ts'
import { NO_FAN_OUT, type FanOut } from './fan-out.ts'
import { KeepAliveWheel } from './keep-alive.ts'
import { MatchCounts, RoundCount } from './match-counts.ts'
import { SharedPredicates, type EventPredicate } from './predicate.ts'
import { PublicPlaces } from './public-places.ts'
import { Quota } from './quota.ts'
import type { Rights } from './rights.ts'
import { retryAfterMs } from './retry-after.ts'
import { Ring } from './ring.ts'
import { Rounds } from './rounds.ts'
import { shortKey } from './short-key.ts'
import { SlicedWork } from './sliced-work.ts'
import type { HubInternals, Subscription, WhenBehind } from './subscription.ts'
import type { Share } from './used-by-shares.ts'
import {
  canonicalWants,
  countFilters,
  filtersOfChange,
  isPrivateOnly,
  isTopicFilter,
  keyOfWant,
  sumOf,
  weightOf,
  type FilterCount,
  type Wants,
  type WantsChange,
} from './wants.ts'
import { WantIndex } from './want-index.ts'
import { beginWork } from '../ops/current-work.ts'
import type { Publication } from '../publication/publication.ts'

export interface HubOptions {
  /** Unsent bytes of one subscriber, above which it is behind. */
  readonly queueBytesMax: number
  /** A peer that takes no byte for this long is closed. */
  readonly stallTimeoutMs: number
  /** Topic filters of all audiences together, those with the same ones counted once. */
  readonly topicFiltersMax: number
  /** Different conditions of all audiences together. */
  readonly conditionsMax: number
  /** What one share may hold. */
  readonly perShare?: ShareLimits
  /** Window in which all who were ended by one cause are asked to come back at most, in ms. Absent: 0, all as soon as can be. */
  readonly drainWindowMs?: number
  /** Silence before a keep-alive, in ms. Absent: that of PyPubSub. */
  readonly keepAliveMs?: number | undefined
  /**
   * Told of what has thrown, and what was being done: whose stream that was, ends as `internal`, and nobody else is affected.
   * Must not throw. Without it the process ends by an uncaught exception, a moment later.
   */
  readonly onBug?: OnBug
}

/** What one user or address may hold of what is limited for all. 0: as many as are left free for all others (`Quota`). */
interface ShareLimits {
  readonly topicFiltersMax: number
  readonly conditionsMax: number
  readonly streamsMax: number
  /** How many more streams there can be. */
  readonly streamsLeft: () => number
}

const NO_SHARE_LIMITS: ShareLimits = {
  topicFiltersMax: 0,
  conditionsMax: 0,
  streamsMax: 0,
  streamsLeft: () => Infinity,
}

/** What a door asks the hub for. */
export interface SubscribeRequest {
  /** Any of these. Whoever has thousands of topic filters makes them canonical before, in a turn of its own. */
  readonly wants: Wants
  /** All of these, too. */
  readonly conditions?: readonly EventPredicate[]
  readonly rights: Rights
  /** Everything after this position, then live. */
  readonly from: Position | 'head'
  /** Bytes that are shared with all who are due the same, or events for a door that makes other bytes for each subscriber. */
  readonly to: SharedBytes | { readonly events: EventSink }
  /** Absent: `catch-up`. */
  readonly whenBehind?: WhenBehind
  /** Where it ends by itself, as `finished`. */
  readonly bounds?: BoundsRequest
  /** Whose it is: subscriptions are counted for each door. */
  readonly door?: string
  /**
   * Who shall not have more of the hub than others: a user, or an address (its block, `addressBlock`). Shares take turns while
   * they are behind, and each holds a part only of topic filters, conditions and streams. Absent: it has turns of its own, and
   * is not limited.
   */
  readonly share?: string
}

export interface PublishOptions {
  readonly once?: Once | undefined
  /** Only this door's subscriptions are counted in `matched`. Absent: all. */
  readonly countedDoor?: string
}

type Seeing = Pick<Rights, 'seesNothing'>

const EVERYTHING: Seeing = { seesNothing: false }

/** What has become of a publication. */
export interface Published {
  readonly receipt: Receipt
  /**
   * How many subscriptions of this process were due it, and have been given it or will be: those that are behind count unless some
   * of what they have not been given is gone. Of several publications the sum. 0 where `once` has been seen before.
   */
  readonly matched: number
}

/** The centre: takes publications to the log, and what the log has committed to those who want it. */
export class Hub implements Disposable {
  readonly #log: EventLog
  readonly #options: HubOptions
  readonly #index = new WantIndex<AudienceGroup<Audience>>()
  /** The groups of those who want the same, by what they want. */
  readonly #groups = new Map<string, AudienceGroup<Audience>>()
  readonly #audiences = new Map<string, Audience>()
  /** Many come at a time who want the same, as after a restart: they need not look for it. */
  #lastEntered: Audience | null = null
  readonly #sweeping = new SlicedWork(() => this.#index.sweep(SWEPT_AT_ONCE))
  /** Of the encodings of all audiences. */
  readonly #encoders = new Map<string, UsedEncoder>()
  readonly #subscriptions = new Set<Subscription>()
  readonly #byDoor = new Map<string, number>()
  readonly #predicates: SharedPredicates
  readonly #filterQuota: Quota
  /** What all groups weigh. */
  #filterWeight = 0
  readonly #streamQuota: Quota
  readonly #streamsLeft: () => number
  readonly #matches = new MatchCounts()
  readonly #internals: HubInternals & { head: Position }
  readonly #ring: Ring
  readonly #publicPlaces: PublicPlaces
  readonly #rounds: Rounds
  readonly #commits: Disposable
  readonly #fanOut: FanOut
  /** The event that is next, while predicates are being asked about it. */
  #asking: { readonly event: PublishedEvent; readonly questions: Generator<void, void> } | null =
    null
  /** They have brought predicates of which nothing was asked about that event. */
  readonly #heldBack: Subscription[] = []
  #nextAudienceId = 0
  #nextGroupId = 0
  #isClosing = false
  #isDisposed = false

  constructor(log: EventLog, options: HubOptions, fanOut: FanOut = NO_FAN_OUT) {
    const { onBug = throwLater } = options
    this.#log = log
    this.#options = options
    this.#fanOut = fanOut
    const { topicFiltersMax, conditionsMax, perShare = NO_SHARE_LIMITS } = options
    this.#predicates = new SharedPredicates(conditionsMax, perShare.conditionsMax)
    this.#filterQuota = filterQuota(topicFiltersMax, perShare.topicFiltersMax)
    this.#streamQuota = streamQuota(perShare.streamsMax)
    this.#streamsLeft = perShare.streamsLeft
    this.#ring = new Ring(log.head, RING_BYTES_MAX)
    this.#publicPlaces = new PublicPlaces(log.head)
    this.#internals = {
      log,
      ring: this.#ring,
      catchUp: new CatchUp(log, () => this.#internals.head, onBug),
      endings: new Endings(),
      onBug,
      wheel: new KeepAliveWheel(() => log.cursorOf(this.#internals.head), options.keepAliveMs),
      queueBytesMax: options.queueBytesMax,
      stallTimeoutMs: options.stallTimeoutMs,
      head: log.head,
      retryAfterMs: (reason) => this.retryAfterMs(reason),
      holdsBack: (subscription) => this.#holdsBack(subscription),
      keepsRest: (after, rights) => this.#keepsRest(after, rights),
      withRights: ({ audience, share }, rights) => this.#move(audience, { rights }, share),
      withEncoding: ({ audience, share }, encoding) => this.#move(audience, { encoding }, share),
      withWants: ({ audience, share }, change) => this.#change(audience, change, share),
      release: (subscription) => {
        const { audience, share } = subscription
        this.#subscriptions.delete(subscription)
        this.#count(audience.door, -1)
        this.#streamQuota.charge(share, -1)
        this.#exit(audience, share)
      },
    }
    this.#rounds = new Rounds((events) => this.#deliver(events))
    this.#commits = log.onCommit((events) => {
      if (this.#publicPlaces.add(events)) this.#publicPlaces.forgetBefore(this.oldestKept)
      this.#rounds.add(events)
    })
  }

  /** Open subscriptions. */
  get subscriberCount(): number {
    return this.#subscriptions.size
  }

  /** How many of them are of one door. */
  subscribersOf(door: string): number {
    return this.#byDoor.get(door) ?? 0
  }

  /**
   * All or none, at least one. Resolves once the log holds them, after they were handed to every live subscriber.
   * @throws {LogUnavailableError | IdempotencyKeyReusedError} nothing was published.
   * @throws {OutcomeUnknownError} perhaps all of it was published, perhaps nothing.
   */
  async publish(
    publications: readonly Publication[],
    { once, countedDoor }: PublishOptions = {},
  ): Promise<Published> {
    using counts = this.#matches.await(this.head, countedDoor)
    const receipt = await this.store(publications, once)
    const { firstPosition, lastPosition } = receipt
    return { receipt, matched: counts.sum(firstPosition, lastPosition, countedDoor) }
  }

  /** The same for a door that tells nobody what was reached, which takes time to count. @throws as `publish`. */
  async store(publications: readonly Publication[], once?: Once): Promise<Receipt> {
    // Nobody would be there to see it, and without a log on disk it would be gone with its 202.
    if (this.#isClosing) throw new LogUnavailableError('the server is stopping')
    this.#refuseTooMuch()
    using _priority = this.#internals.catchUp.yieldToPublication()
    const receipt = await this.#log.append(publications, once === undefined ? undefined : { once })
    if (!this.#rounds.isIdle && !(await this.#rounds.settled()))
      throw new OutcomeUnknownError(
        'the server has stopped before everybody had it: it is there again after a restart where events are kept on disk',
      )
    return receipt
  }

  /** @throws {OverloadedError} */
  #refuseTooMuch(): void {
    if (this.#rounds.waitingBytes > UNDELIVERED_BYTES_MAX)
      throw new OverloadedError(
        `more than ${UNDELIVERED_BYTES_MAX} bytes of events wait to be delivered, as the globs and expressions of the open ` +
          'streams take longer than events come',
      )
  }

  /**
   * @throws {OverloadedError} too many topic filters or conditions are open.
   * @throws {ShareExceededError | TooManyStreamsError} its share has too many of them, or of streams.
   */
  subscribe(request: SubscribeRequest & { readonly to: SharedBytes }): ByteSubscription
  subscribe(request: SubscribeRequest): Subscription
  subscribe(request: SubscribeRequest): Subscription {
    const { to, whenBehind = 'catch-up', door, share } = request
    this.#admitStream(share)
    const audience = this.#audienceOf(request)
    const from = this.#startOf(request)
    const bounds = request.bounds === undefined ? null : new Bounds(request.bounds)
    const manner = { share, bounds, whenBehind }
    const subscription =
      'events' in to
        ? new EventSubscription(this.#internals, audience, to.events, manner)
        : new ByteSubscription(this.#internals, audience, to, manner)
    this.#subscriptions.add(subscription)
    this.#count(door, 1)
    this.#streamQuota.charge(share, 1)
    try {
      subscription.begin(from)
    } catch (error) {
      subscription.close()
      throw error
    }
    if (this.#isDisposed) subscription.end('shutdown')
    return subscription
  }

  /** What a peer's cursor stands for, to whoever has these rights: what it can never see makes no difference. */
  resolve(cursor: Cursor, rights: Seeing = EVERYTHING): Resolution {
    const resolution = this.#log.resolve(cursor)
    if (resolution.type !== 'expired' || !this.#keepsRest(resolution.at, rights)) return resolution
    return { type: 'found', at: Math.max(resolution.at, this.beforeOldest) as Position }
  }

  /** Whether the event at a place is still kept, or is the newest, of those that may be seen with these rights. */
  keepsEventAt(position: Position, { seesNothing }: Seeing): boolean {
    const { oldestKept, head } = this
    if (!seesNothing || position === head) return position >= oldestKept || position === head
    const places = this.#publicPlaces
    return position >= places.oldestFrom(oldestKept) || position >= places.newest
  }

  /** The position before the first kept event published at or after a time (ms since the Unix epoch). */
  async positionAt(timeMs: number): Promise<Position> {
    const position = await this.#log.positionAt(timeMs)
    return Math.min(position, this.#internals.head) as Position
  }

  /** The time of the log so long ago: what published times are compared with. */
  timeAgo(ms: number): number {
    return this.#log.timeAgo(ms)
  }

  /**
   * `then` is called with the newest kept event of exactly this path; `null`: there is none. What is subscribed to within that call
   * goes on right behind it: nothing is missed between them, and nothing comes twice.
   * @throws {LogUnavailableError} the log cannot be read; `then` was not called.
   */
  async withNewest<T>(path: string, then: (event: PublishedEvent | null) => T): Promise<T> {
    for (;;) {
      const { head } = this
      const stored = await this.#log.lastOf(path)
      // What has been delivered meanwhile is newer; what has been stored, and is not delivered yet, comes to whoever subscribes now.
      const later = this.#ring.after(head, Infinity)
      const newest = later?.findLast((event) => event.path === path) ?? stored
      if (later !== null && (newest === null || newest.position <= this.head)) return then(newest)
      if (!this.#rounds.isIdle && !(await this.#rounds.settled()))
        throw new LogUnavailableError('the server is stopping')
    }
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
    return this.#internals.head
  }

  /** How long a subscriber that is ended now for a reason is asked to stay away; another time each time. */
  retryAfterMs(reason: CloseReason): number {
    return retryAfterMs(reason, this.subscriberCount, this.#options.drainWindowMs ?? 0)
  }

  /** Tells every subscriber and closes it. */
  endAll(reason: CloseReason): void {
    for (const subscription of this.#subscriptions) subscription.end(reason)
  }

  /** Why nobody should be sent here now, in words for whoever runs it; empty: there is no reason. It costs nothing to ask. */
  get unreadiness(): readonly string[] {
    const reasons = []
    if (!this.#log.status.writable)
      reasons.push('nothing can be stored now: the log of the server says why')
    if (this.#isClosing) reasons.push('the server stops')
    return reasons
  }

  /** Takes no publications any more. Resolves once those that it has taken were handed to everybody. */
  async drain(): Promise<void> {
    this.#isClosing = true
    await this.settled()
  }

  [Symbol.dispose](): void {
    this.#isClosing = true
    this.#isDisposed = true
    this.#commits[Symbol.dispose]()
    this.#rounds[Symbol.dispose]()
    this.endAll('shutdown')
  }

  /**
   * One round, in cursor order: all that a commit of the log brought, or a part of it. How many of the events it has delivered,
   * from the first on: the rest is for a later turn, as more predicates are to be asked about it than this one has time for.
   */
  #deliver(events: readonly PublishedEvent[]): number {
    const isAsked = this.#predicates.size > 0 || this.#index.predicateCount > 0
    const untilMs = isAsked ? performance.now() + ASK_MS : Infinity
    if (isAsked && !this.#askAhead(events[0]!, untilMs)) return 0
    beginWork('fan-out of events:', events.length)
    const before = this.#internals.head
    const isCounted = this.#matches.isAwaited
    const gathered: Audience[] = []
    const round = { events, isCounted }
    let count = 0
    const heldBack = this.#heldBack.splice(0)
    try {
      if (!isAsked) this.#moveHead(events)
      for (const event of events) {
        if (isAsked) {
          if (count > 0 && !this.#askAhead(event, untilMs)) break
          this.#moveHead([event])
        }
        count++
        for (const { audiences } of this.#index.matching(event, (group, error) =>
          this.#failGroup(group, event, error),
        ))
          for (let i = audiences.length - 1; i >= 0; i--)
            this.#gather(audiences[i]!, event, round, gathered)
      }
      for (const audience of gathered) audience.flush() // one buffer, one write per subscriber
      this.#endRound(count === events.length ? events : events.slice(0, count), gathered, isCounted)
      return count
    } catch (error) {
      this.#moveHead(events.slice(isAsked ? count : events.length))
      this.#failRound(before, gathered, error)
      return events.length
    } finally {
      for (const subscription of heldBack) subscription.goOn()
    }
  }

  #moveHead(events: readonly PublishedEvent[]): void {
    if (events.length === 0) return
    this.#internals.head = events.at(-1)!.position
    this.#ring.push(events)
  }

  /**
   * Asks whatever decides who gets an event, one after the other, so that it need not be done in one turn; then it is known when
   * the round asks. `true`: all was asked.
   */
  #askAhead(event: PublishedEvent, untilMs: number): boolean {
    if (this.#asking?.event !== event) this.#asking = { event, questions: this.#questions(event) }
    beginWork('predicates about an event of', event.path)
    try {
      for (;;) {
        if (this.#asking.questions.next().done === true) {
          this.#asking = null
          return true
        }
        if (performance.now() >= untilMs) return false
      }
    } catch {
      this.#asking = null // it is asked again in the round, where it is known whose it is
      return true
    }
  }

  *#questions(event: PublishedEvent): Generator<void, void> {
    for (const group of this.#index.ask(event)) {
      if (group === null) yield
      else
        // They may go meanwhile.
        for (const audience of group.audiences.slice())
          if (audience.conditions.length > 0) yield* audience.ask(event)
    }
  }

  /** A predicate, rights or an encoding that throws: whether the event is due here is not known, and cannot be told later. */
  #gather(audience: Audience, event: PublishedEvent, round: Round, to: Audience[]): void {
    try {
      if (audience.gather(event, round)) to.push(audience)
    } catch (error) {
      this.#internals.onBug('delivering a round', error)
      audience.fail(event)
    }
  }

  #failGroup({ audiences }: AudienceGroup<Audience>, event: PublishedEvent, error: unknown): void {
    this.#internals.onBug('matching an event', error)
    for (let i = audiences.length - 1; i >= 0; i--) audiences[i]!.fail(event)
  }

  #endRound(
    events: readonly PublishedEvent[],
    gathered: readonly Audience[],
    isCounted: boolean,
  ): void {
    if (!isCounted) {
      for (const audience of gathered) audience.endRound(null)
      return
    }
    const counts = events.map(({ position }) => new RoundCount(position))
    const first = events[0]!.position
    const add: CountDue = ({ position }, subscriptions, door) => {
      // Mostly no position is left out within a round.
      const near = counts[position - first]
      const isIt = near?.position === position
      const count = isIt ? near : counts.find((each) => each.position === position)
      const isAsked = door !== undefined && this.#matches.asksFor(door)
      count!.add(subscriptions, isAsked ? door : null)
    }
    for (const audience of gathered) audience.endRound(add)
    for (const count of counts) if (count.all > 0) this.#matches.add(count)
  }

  /**
   * Whoever comes with predicates, or changes them, while others are being asked about an event gets it from behind: in the round it
   * would be asked all at once.
   */
  #holdsBack(subscription: Subscription): boolean {
    const { conditions, group } = subscription.audience
    if (this.#asking === null || (conditions.length === 0 && group.predicates.size === 0))
      return false
    this.#heldBack.push(subscription)
    return true
  }

  /** Ends a round that met what is not foreseen here. Who has got what of it is not known, so all who are live may come back for all of it. */
  #failRound(before: Position, gathered: readonly Audience[], error: unknown): void {
    this.#internals.onBug('delivering a round', error)
    for (const audience of gathered) audience.discard()
    for (const subscription of this.#subscriptions)
      if (!subscription.isBehind) subscription.endAt(before, 'internal')
  }

  /** For whoever is due nothing up to the head that is there: so nobody can tell whether something private is behind a place. */
  #startOf({ wants, rights, from }: SubscribeRequest): Position {
    const { head } = this.#internals
    if (from === 'head') return head
    const isDueNothing =
      rights.seesNothing &&
      (isPrivateOnly(wants) || this.#publicPlaces.newestBefore(head + 1) <= from)
    return isDueNothing ? head : (Math.min(from, head) as Position)
  }

  /** All events after a position are still in the log that may be seen with these rights. */
  #keepsRest(after: Position, { seesNothing }: Seeing): boolean {
    const { oldestKept } = this
    if (after >= oldestKept - 1) return true
    return seesNothing && after >= this.#publicPlaces.newestBefore(oldestKept)
  }

  /** @throws {TooManyStreamsError} */
  #admitStream(share: Share): void {
    if (share === undefined) return
    this.#streamQuota.admit(share, { added: 1, created: 1, free: this.#streamsLeft() })
  }

  /** @throws {OverloadedError | ShareExceededError} */
  #audienceOf(request: SubscribeRequest): Audience {
    const { conditions = [], rights, to, door, share } = request
    const group = this.#groupOf(request.wants, share)
    try {
      const encoding = 'encoding' in to ? to.encoding : null
      this.#predicates.admit(conditions, share)
      return this.#enter(group, { conditions, rights, encoding, door }, share)
    } finally {
      if (group.audiences.length === 0) this.#forget(group)
    }
  }

  /** @throws {OverloadedError | ShareExceededError} */
  #groupOf(given: Wants, share: Share): AudienceGroup<Audience> {
    const canonical = canonicalWants(given)
    let group = this.#groups.get(canonical.key)
    if (group !== undefined) {
      if (group.usesBy(share) === 0) this.#admitFilters(share, group.filterWeight, NO_FILTERS)
      return group
    }
    const created = countFilters(canonical.wants)
    this.#admitFilters(share, weightOf(created), created)
    group = new SharedGroup(canonical, this.#index)
    this.#filterWeight += group.filterWeight
    this.#groups.set(canonical.key, group)
    return group
  }

  /**
   * `added`: by weight, so much more for the share. `created`: so much more for the index.
   * @throws {OverloadedError | ShareExceededError}
   */
  #admitFilters(share: Share, added: number, created: FilterCount): void {
    if (created.filters > 0) this.#refuseTooMany(created)
    const free = this.#options.topicFiltersMax - this.#filterWeight
    this.#filterQuota.admit(share, { added, created: created.filters, free })
  }

  /** @throws {OverloadedError} */
  #refuseTooMany(created: FilterCount): void {
    const { topicFiltersMax } = this.#options
    const topics = 2 * created.topics
    this.#index.sweep(topics) // who comes back at once finds the place that it has left
    const { size, steps } = this.#index
    if (size + created.filters > topicFiltersMax)
      throw new OverloadedError(
        `the open streams have ${size} topic filters; with ${created.filters} more they would exceed ` +
          `the limit of ${topicFiltersMax} (limits.topic_filters_total)`,
      )
    const stepsMax = topicFiltersMax * STEPS_PER_FILTER
    if (steps + topics > Math.max(stepsMax, topics))
      throw new OverloadedError(
        `the topic filters of the open streams have too many topics: the limit is ${stepsMax} that they do not share, ` +
          `${STEPS_PER_FILTER} for each of ${topicFiltersMax} filters (limits.topic_filters_total)`,
      )
  }

  /** One more subscription, which was admitted. */
  #enter(
    group: AudienceGroup<Audience>,
    {
      conditions,
      rights,
      encoding,
      door,
    }: {
      readonly conditions: readonly EventPredicate[]
      readonly rights: Rights
      readonly encoding: SharedEncoding | null
      readonly door: string | undefined
    },
    share: Share,
  ): Audience {
    const last = this.#lastEntered
    if (
      conditions.length === 0 &&
      last?.group === group &&
      last.conditions.length === 0 &&
      last.rights.key === rights.key &&
      last.encoder?.encoding === encoding &&
      last.door === door
    ) {
      if (group.addUse(share)) this.#filterQuota.charge(share, group.filterWeight)
      last.members++
      return last
    }
    const names = conditions.map((condition) => condition.key).toSorted()
    const form = [encoding?.key ?? null, door ?? null]
    const key = shortKey(JSON.stringify([form, rights.key, group.key, ...names]))
    const acquired = conditions.map((condition) => this.#predicates.acquire(condition, share))
    if (group.addUse(share)) this.#filterQuota.charge(share, group.filterWeight)
    let audience = this.#audiences.get(key)
    if (audience === undefined) {
      const encoder = encoding === null ? null : this.#encoderOf(encoding)
      const traits = { group, conditions: acquired, rights, encoder, door }
      audience = new Audience(this.#nextAudienceId++, key, traits, this.#fanOut)
      if (conditions.length > 0) audience.since = this.#asking?.event.position ?? -1
      this.#audiences.set(key, audience)
      group.add(audience)
    }
    audience.members++
    this.#lastEntered = audience
    return audience
  }

  #exit(audience: Audience, share: Share): void {
    const { group, conditions } = audience
    for (const condition of conditions) this.#predicates.release(condition, share)
    if (group.removeUse(share)) this.#filterQuota.charge(share, -group.filterWeight)
    if (--audience.members > 0) return
    this.#audiences.delete(audience.key)
    if (audience.encoder !== null) this.#release(audience.encoder)
    if (this.#lastEntered === audience) this.#lastEntered = null
    if (group.remove(audience)) this.#forget(group)
  }

  /** To the audience that differs in these, which may be made for it. */
  #move(
    from: Audience,
    {
      group = from.group,
      rights = from.rights,
      encoding,
    }: {
      readonly group?: AudienceGroup<Audience>
      readonly rights?: Rights
      readonly encoding?: SharedEncoding
    },
    share: Share,
  ): Audience {
    const { conditions, encoder, door } = from
    const traits = { conditions, rights, encoding: encoding ?? encoder?.encoding ?? null, door }
    const audience = this.#enter(group, traits, share)
    this.#exit(from, share)
    return audience
  }

  /**
   * Whoever changes its wants has them for itself from then on: to look for others who want the same would take too long.
   * @throws {OverloadedError | ShareExceededError} nothing has changed.
   */
  #change(from: Audience, change: WantsChange, share: Share): Audience {
    this.#admitChange(from, change, share)
    if (from.group instanceof ChangingGroup) {
      const before = from.group.filterWeight
      if (from.group.change(change, this.head)) this.#sweeping.start()
      this.#filterWeight += from.group.filterWeight - before
      this.#filterQuota.charge(share, from.group.filterWeight - before)
      return from
    }
    const group = new ChangingGroup(`own ${this.#nextGroupId++}`, from.group.wants, this.#index)
    if (group.change(change, this.head)) this.#sweeping.start()
    this.#filterWeight += group.filterWeight
    return this.#move(from, { group }, share)
  }

  /** @throws {OverloadedError | ShareExceededError} */
  #admitChange({ group, members }: Audience, change: WantsChange, share: Share): void {
    if (group instanceof ChangingGroup) {
      if (!change.add?.some(isTopicFilter)) return
      const { added, dropped } = filtersOfChange((key) => group.has(key), change)
      const after = sumOf(sumOf(group.filterCount, dropped, -1), added)
      return this.#admitFilters(share, weightOf(after) - group.filterWeight, added)
    }
    const { wants } = group
    const before = countFilters(wants)
    const keys = new Set(wants.map(keyOfWant))
    const { added, dropped } = filtersOfChange((key) => keys.has(key), change)
    const after = sumOf(sumOf(before, dropped, -1), added)
    const givenUp = group.usesBy(share) === 1 ? group.filterWeight : 0
    // What others want, too, the index has twice then.
    const isAlone = members === 1 && group.audiences.length === 1
    this.#admitFilters(share, weightOf(after) - givenUp, isAlone ? added : sumOf(before, added))
  }

  /** Nobody of it is found from now on; what it takes of the index goes bit by bit. */
  #forget(group: AudienceGroup<Audience>): void {
    this.#groups.delete(group.key)
    this.#filterWeight -= group.filterWeight
    if (group.leaveIndex()) this.#sweeping.start()
  }

  #count(door: string | undefined, change: 1 | -1): void {
    if (door !== undefined) this.#byDoor.set(door, this.subscribersOf(door) + change)
  }

  /** For one more audience. */
  #encoderOf(encoding: SharedEncoding): EventEncoder {
    let used = this.#encoders.get(encoding.key)
    if (used === undefined)
      this.#encoders.set(
        encoding.key,
        (used = { encoder: new EventEncoder(encoding), audiences: 0 }),
      )
    used.audiences++
    return used.encoder
  }

  #release({ encoding }: EventEncoder): void {
    const used = this.#encoders.get(encoding.key)!
    if (--used.audiences === 0) this.#encoders.delete(encoding.key)
  }
}

interface UsedEncoder {
  readonly encoder: EventEncoder
  audiences: number
}

const NO_FILTERS: FilterCount = { filters: 0, topics: 0 }

function filterQuota(max: number, perShareMax: number): Quota {
  const names = {
    things: 'topic filters, or topics in them where those are more',
    max: 'limits.topic_filters_total',
    perShareMax: 'limits.topic_filters_per_address',
  }
  return new Quota({ max, perShareMax, names })
}

/** The limit of all is that of connections. */
function streamQuota(perShareMax: number): Quota {
  const names = {
    things: 'streams open',
    max: 'limits.connections',
    perShareMax: 'limits.streams_per_address',
  }
  return new Quota({ max: Infinity, perShareMax, names, TooMany: TooManyStreamsError })
}

/** Events that are stored and wait for predicates to be asked about those before them, in bytes as the log counts them. */
const UNDELIVERED_BYTES_MAX = 67_108_864

/** How long predicates may keep the main thread, in ms, until others have their turn; one that was asked is finished. */
const ASK_MS = 2

/** Steps of the index between two looks at the clock: some 50 µs. */
const SWEPT_AT_ONCE = 512

/**
 * How many steps of the index, of about 100 bytes each, a filter may have on average: those with three topics or more may
 * be fewer, unless they have topics in common.
 */
const STEPS_PER_FILTER = 2

/** The newest events kept for joining, in bytes of payloads, paths and `EVENT_OVERHEAD_BYTES`. */
const RING_BYTES_MAX = 4_194_304
