import type { Cursor, Position, PublishedEvent } from '../hub/event.ts'
import type { Hub } from '../hub/hub.ts'
import type { SeldomReport } from '../ops/seldom-report.ts'
import { inTurns } from './in-turns.ts'
import { pastEvents } from './past-events.ts'

export interface ConsumerSubscription {
  /** Events behind this place are due. */
  readonly since: Cursor
}

/** Which subscriptions there are. They may change at any time. */
export interface ConsumerSubscriptions<S extends ConsumerSubscription> {
  readonly size: number
  /** Their names, such as URLs; none is empty. */
  readonly consumers: Iterable<string>
  consumerOf(subscription: S): string
  hasAny(consumer: string): boolean
  of(consumer: string): readonly S[]
  /**
   * Those that want an event, in the order in which one consumer is to get it for them. `null`: one was asked that does not want it;
   * as that may take some ms, it may be interrupted there, and subscriptions may change meanwhile.
   */
  matching(event: PublishedEvent): Iterable<S | null>
  /** Those of one consumer, however many others match. */
  matchingOf(consumer: string, event: PublishedEvent): Iterable<S | null>
  /** What that subscription is now. `null`: it has ended. */
  current(subscription: S): S | null
}

/** An event for one subscription. */
export interface ConsumerDelivery<S> {
  readonly subscription: S
  readonly event: PublishedEvent
}

/** `count`: how many have got it, as the consumer says. */
export type DeliveryOutcome =
  | { readonly type: 'delivered'; readonly count: number }
  | { readonly type: 'failed' }

export interface ConsumerPolicy<S extends ConsumerSubscription> {
  /** Tries once; its time counts from when it is tried, not from when it began to wait for its turn. One that rejects is a bug. */
  readonly deliver: (delivery: ConsumerDelivery<S>) => Promise<DeliveryOutcome>
  /**
   * How long to wait, in ms, until what has failed is tried again; all that is behind it waits as well. `null`: it is given up.
   * `failures`: at least 1. `forMs`: since the first try ended.
   */
  readonly retryAfterMs: (failures: number, forMs: number) => number | null
  /** One was given up. */
  readonly gaveUp: (delivery: ConsumerDelivery<S>) => void
  /** What a subscription was due has left the log before it could be delivered. */
  readonly lost: (subscription: S) => void
  /** Whether an event is to be shown to who has the subscription. */
  readonly maySee: (subscription: S, event: PublishedEvent) => boolean
}

/** What all consumers of one kind have in common. */
export interface SharedByConsumers<S extends ConsumerSubscription> {
  /** Names them in the log, and as subscribers of the hub. */
  readonly kind: string
  readonly hub: Pick<Hub, 'subscribe' | 'resolve'>
  readonly subscriptions: ConsumerSubscriptions<S>
  readonly policy: ConsumerPolicy<S>
  /** Deliveries in all queues. */
  queued: number
  readonly onMove: () => void
  /** Nothing is due to it any more; another one is made when something is. */
  readonly onIdle: (consumer: DurableConsumer<S>) => void
  /** Something that was due to it has left the log. */
  readonly tellLost: (consumer: string) => void
  /** A bug: an event could not be brought to these subscriptions, which may have lost it. Never throws. */
  readonly onBug: (event: PublishedEvent, subscriptions: readonly S[], error: unknown) => void
  readonly failedReads: SeldomReport
}

/** One consumer to which something is due: it gets one delivery at a time, in the order of the log. */
export class DurableConsumer<S extends ConsumerSubscription> {
  readonly name: string
  readonly #shared: SharedByConsumers<S>
  #queue: Queued<S>[] = []
  #queuedBytes = 0
  /** Everything up to here is over. */
  #done: Position
  /** Everything up to here is over or in the queue. */
  #queuedTo: Position
  /** Up to here it reads from the log what the queue did not take. `null`: it is not behind. */
  #behindTo: Position | null = null
  #isRunning = false
  readonly #ending = new AbortController()

  constructor(name: string, at: Position, shared: SharedByConsumers<S>) {
    this.name = name
    this.#shared = shared
    this.#done = this.#queuedTo = at
  }

  get place(): Position {
    return this.#done
  }

  get isBehind(): boolean {
    return this.#behindTo !== null
  }

  /** Reads what there is up to a place before it takes anything else. */
  readTo(position: Position): void {
    if (position <= this.#queuedTo) return
    this.#behindTo = position
    this.#run()
  }

  /**
   * All deliveries of one event; events come in order. Resolves, when each was tried once, with how many have got it: what waits
   * to be tried again, and what is behind, does not count.
   */
  offer(deliveries: readonly ConsumerDelivery<S>[]): Promise<number> {
    const { event } = deliveries[0]!
    if (this.#isEnded || event.position <= this.#queuedTo) return NOBODY
    const bytes = event.payload.text.length
    const isFull =
      this.#queue.length >= QUEUE_MAX ||
      (this.#queue.length > 0 &&
        (this.#queuedBytes + bytes > QUEUE_BYTES_MAX || this.#shared.queued >= QUEUED_MAX))
    if (isFull || this.#behindTo !== null) {
      this.#behindTo = event.position
      return NOBODY
    }
    this.#queuedTo = event.position
    this.#queuedBytes += bytes
    this.#shared.queued += deliveries.length
    const { promise, resolve } = Promise.withResolvers<number>()
    this.#queue.push({ deliveries, bytes, tell: resolve })
    this.#run()
    return promise
  }

  end(): void {
    this.#ending.abort()
    for (const { deliveries, tell } of this.#queue.splice(0)) {
      this.#shared.queued -= deliveries.length
      tell(0)
    }
  }

  get #isEnded(): boolean {
    return this.#ending.signal.aborted
  }

  #run(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    void this.#work()
  }

  async #work(): Promise<void> {
    for (;;) {
      const next = this.#queue.shift()
      if (next !== undefined) {
        this.#queuedBytes -= next.bytes
        this.#shared.queued -= next.deliveries.length
        await this.#deliver(next.deliveries, next.tell)
        continue
      }
      if (this.#isEnded) return
      if (this.#behindTo === null) {
        this.#isRunning = false
        return this.#shared.onIdle(this)
      }
      try {
        await this.#catchUp(this.#behindTo)
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        const { failedReads, kind } = this.#shared
        failedReads.add(`${kind}: the log cannot be read for one that is behind: ${reason}`)
        await this.#pause(AGAIN_MS)
      }
    }
  }

  /** From the log up to where the queue begins again. */
  async #catchUp(to: Position): Promise<void> {
    const { hub, kind } = this.#shared
    for await (const { events, reached, hasGap } of pastEvents(hub, kind, this.#queuedTo, to)) {
      // While it was delivering, the log may have dropped what comes next.
      if (hasGap) this.#shared.tellLost(this.name)
      for (const event of events) {
        if (this.#isEnded) return
        const due = await this.#allDueOf(event)
        if (due.length > 0) await this.#deliver(due, () => {})
      }
      if (this.#isEnded) return
      this.#queuedTo = this.#done = reached
    }
    // What was offered meanwhile is further on.
    if (this.#behindTo === to) this.#behindTo = null
  }

  /** What throws here concerns this event: to read it again and again would keep back all that is behind it. */
  async #allDueOf(event: PublishedEvent): Promise<readonly ConsumerDelivery<S>[]> {
    try {
      return await inTurns(this.#dueOf(event))
    } catch (error) {
      this.#shared.onBug(event, this.#shared.subscriptions.of(this.name), error)
      return []
    }
  }

  *#dueOf(event: PublishedEvent): Generator<void, ConsumerDelivery<S>[]> {
    const { subscriptions, hub } = this.#shared
    const due: ConsumerDelivery<S>[] = []
    for (const subscription of subscriptions.matchingOf(this.name, event)) {
      if (subscription !== null && isDue(hub, subscription, event))
        due.push({ subscription, event })
      yield
    }
    return due
  }

  /** `tell`: called with how many have got it at their first try; further calls say nothing new. */
  async #deliver(
    deliveries: readonly ConsumerDelivery<S>[],
    tell: (count: number) => void,
  ): Promise<void> {
    let count = 0
    for (const { subscription, event } of deliveries)
      try {
        count += await this.#tryUntilOver(subscription, event, () => tell(count))
      } catch (error) {
        this.#shared.onBug(event, [subscription], error)
      }
    tell(count)
    if (this.#isEnded) return
    this.#done = deliveries[0]!.event.position
    this.#shared.onMove()
  }

  /** To who still wants it, and may still see it, at each try. */
  async #tryUntilOver(subscription: S, event: PublishedEvent, onWait: () => void): Promise<number> {
    const { subscriptions, policy } = this.#shared
    let sinceMs: number | null = null
    for (let failures = 1; !this.#isEnded; failures++) {
      const now = subscriptions.current(subscription)
      if (now === null || !policy.maySee(now, event)) return 0
      const delivery = { subscription: now, event }
      const outcome = await policy.deliver(delivery)
      if (outcome.type === 'delivered') return outcome.count
      if (this.#isEnded) return 0
      const nowMs = performance.now()
      sinceMs ??= nowMs
      const waitMs = policy.retryAfterMs(failures, nowMs - sinceMs)
      if (waitMs === null) {
        policy.gaveUp(delivery)
        return 0
      }
      onWait()
      await this.#pause(waitMs)
    }
    return 0
  }

  /** Ends early with the consumer. */
  async #pause(ms: number): Promise<void> {
    const { signal } = this.#ending
    if (signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, ms).unref()
    const stop = () => resolve()
    signal.addEventListener('abort', stop)
    await promise
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
  }
}

interface Queued<S> {
  readonly deliveries: readonly ConsumerDelivery<S>[]
  readonly bytes: number
  readonly tell: (count: number) => void
}

/** Whether the subscription was there when the event was published. */
export function isDue(
  hub: Pick<Hub, 'resolve'>,
  { since }: ConsumerSubscription,
  event: PublishedEvent,
): boolean {
  const place = hub.resolve(since)
  return place.type !== 'found' || event.position > place.at
}

const NOBODY = Promise.resolve(0)

/** Events that wait for one consumer; beyond them it is behind, and reads the rest from the log. */
const QUEUE_MAX = 1_000

const QUEUE_BYTES_MAX = 4 * 1024 * 1024

/** Deliveries that wait for all of them, some 80 MB; beyond them whoever has more than one waiting is behind. */
const QUEUED_MAX = 200_000

/** After the log could not be read, in ms. */
const AGAIN_MS = 1_000
