import type { Cursor, Position, PublishedEvent } from '../../hub/event.ts'
import type { CloseReason } from '../../hub/encoding.ts'
import type { EventSink } from '../../hub/event-sink.ts'
import type { Hub } from '../../hub/hub.ts'
import type { Subscription } from '../../hub/subscription.ts'
import type { StateChange, StateStore } from '../../hub/state-store.ts'
import type { LogLevel } from '../../ops/logger.ts'
import { SeldomReport } from '../../ops/seldom-report.ts'
import { OfferedWebhooks } from './offered-webhooks.ts'
import { EVERYTHING, pastEvents } from './past-events.ts'
import type { StoredSubscription, StoredSubscriptions } from './stored-subscriptions.ts'
import { topicOfPath, type Topic } from './topic.ts'

/** An event for one subscription. */
export interface WebhookDelivery {
  readonly row: StoredSubscription
  readonly event: PublishedEvent
  readonly topic: Topic
}

export interface ReceiversOptions {
  readonly hub: Pick<Hub, 'subscribe' | 'resolve' | 'cursorOf' | 'head' | 'beforeOldest'>
  readonly state: StateStore
  readonly rows: StoredSubscriptions
  /** Sends one; resolves, once it is over, with how many have got it. Never rejects. */
  readonly deliver: (delivery: WebhookDelivery) => Promise<number>
  /** What a subscription was due has left the log before it could be sent. */
  readonly lost: (row: StoredSubscription) => void
  /** Whether an event is to be shown to who has the row. */
  readonly maySee: (row: StoredSubscription, event: PublishedEvent) => boolean
  readonly log: (level: LogLevel, message: string) => void
}

/** Those who get their events as requests: a queue for each url, each with its own place in the log. */
export class Receivers implements EventSink {
  readonly queuedBytes = 0
  readonly takenBytes = 0
  /** What becomes of what was offered last. */
  readonly offered = new OfferedWebhooks()
  readonly #options: ReceiversOptions
  readonly #shared: Shared
  /** Of the urls to which something is due; all others are at the head. */
  readonly #byUrl = new Map<string, Receiver>()
  /** What storage holds: the places of the urls that were busy then, and the head of that moment for all others. */
  #stored: ReadonlyMap<string, Position | null> = new Map()
  #storedHead: Position | null = null
  #storing: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | null = null
  #idleTimer: NodeJS.Timeout | null = null
  #hasResumed = false
  /** Everything that is published, at the head: what a url has not got by then is read for it alone. */
  #feed: Subscription
  /** The head when it was closed. */
  #closedAt: Position | null = null

  constructor(options: ReceiversOptions) {
    this.#options = options
    this.#shared = {
      options,
      queued: 0,
      onMove: () => this.#storeSoon(STORE_MS),
      onIdle: (receiver) => {
        if (this.#byUrl.get(receiver.url) === receiver) this.#byUrl.delete(receiver.url)
        this.#storeSoon(STORE_MS)
      },
      tellLost: (url) => this.#tellLost(url),
      failedReads: new SeldomReport(options.log, 'warn'),
    }
    this.#feed = this.#subscribe()
  }

  /** Goes on where every url was when the process ended. Nothing is offered before it resolves. */
  async resume(): Promise<void> {
    const { state, rows, hub } = this.#options
    const places = new Map<string, Cursor>()
    for await (const { key, value } of state.entries(SPACE))
      places.set(key, Buffer.from(value).toString('latin1') as Cursor)
    const idleAt = places.get(IDLE)
    places.delete(IDLE)
    this.#stored = new Map([...places.keys()].map((url) => [url, null]))
    const others = new Set([...rows.urls].filter((url) => !places.has(url)))
    for (const [url, place] of places) {
      if (!rows.hasAny(url)) continue
      const from = this.#startFrom(place, [url])
      if (from < hub.head) this.#receiver(url, from).catchUp()
    }
    // In one go for all: each would read the same.
    await this.#replay(
      idleAt === undefined ? hub.beforeOldest : this.#startFrom(idleAt, others),
      others,
    )
    this.#hasResumed = true
    await this.#store()
  }

  /** By the hub. Nobody waits for a receiver here, so it is never too much. */
  take(events: readonly PublishedEvent[]): boolean {
    if (this.#options.rows.size === 0) return true
    for (const event of events) this.offered.add(event.position, this.#offer(event))
    return true
  }

  /** Of a reading that is never behind; what a receiver misses of its own is told where it is read. */
  gap(): void {}

  end(reason: CloseReason): void {
    if (reason === 'shutdown' || this.#closedAt !== null) return
    // By a bug, which the hub has told: of what was being offered then, some may not have been.
    this.#feed = this.#subscribe()
  }

  destroy(): void {
    this.end('internal')
  }

  #subscribe(): Subscription {
    return this.#options.hub.subscribe({ ...EVERYTHING, from: 'head', to: { events: this } })
  }

  /** Resolve, for each url that wants the event, with how many have got it. */
  #offer(event: PublishedEvent): Promise<number>[] {
    const { rows, maySee } = this.#options
    const topic = topicOfPath(event.path)
    this.#idleTimer ??= setTimeout(() => {
      this.#idleTimer = null
      this.#storeSoon(0)
    }, STORE_IDLE_MS).unref()
    const offered: Promise<number>[] = []
    for (const [url, deliveries] of byUrl(event, topic, rows.matching(topic)))
      if (deliveries.some(({ row }) => maySee(row, event)))
        offered.push(this.#receiver(url, before(event)).offer(deliveries))
    return offered
  }

  /** The rows of a url have changed. */
  changed(url: string): void {
    if (this.#options.rows.hasAny(url)) return
    this.#byUrl.get(url)?.end()
    this.#byUrl.delete(url)
    this.#storeSoon(STORE_MS)
  }

  /** Nothing more is sent; the places are stored. */
  async close(): Promise<void> {
    this.#closedAt = this.#options.hub.head
    this.#feed.close()
    for (const receiver of this.#byUrl.values()) receiver.end()
    for (const timer of [this.#timer, this.#idleTimer]) if (timer !== null) clearTimeout(timer)
    await this.#storing
    await this.#store()
  }

  #receiver(url: string, at: Position): Receiver {
    let receiver = this.#byUrl.get(url)
    if (receiver === undefined)
      this.#byUrl.set(url, (receiver = new Receiver(url, at, this.#shared)))
    return receiver
  }

  /** What a stored place comes to. What the log has lost since is told. */
  #startFrom(cursor: Cursor, urls: Iterable<string>): Position {
    const { hub } = this.#options
    const place = hub.resolve(cursor)
    if (place.type === 'found') return place.at
    for (const url of urls) this.#tellLost(url)
    return place.type === 'expired' ? hub.beforeOldest : hub.head
  }

  async #replay(from: Position, urls: Set<string>): Promise<void> {
    const { hub, rows } = this.#options
    if (urls.size === 0) return
    for await (const { events, hasGap } of pastEvents(hub, from)) {
      if (hasGap) for (const url of urls) this.#tellLost(url)
      for (const event of events) {
        const topic = topicOfPath(event.path)
        for (const [url, deliveries] of byUrl(event, topic, rows.matching(topic))) {
          const due = deliveries.filter(({ row }) => isSince(hub, row, event))
          if (due.length === 0 || !urls.has(url)) continue
          const receiver = this.#receiver(url, before(event))
          void receiver.offer(due)
          if (receiver.isBehind) urls.delete(url) // it reads the rest itself
        }
      }
    }
  }

  /** Only to those that were there before what the log still has. */
  #tellLost(url: string): void {
    const { rows, hub, lost } = this.#options
    for (const row of rows.of(url)) if (hub.resolve(row.since).type !== 'found') lost(row)
  }

  #storeSoon(ms: number): void {
    if (this.#closedAt !== null) return
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.#storing = this.#storing.then(() => this.#store())
    }, ms).unref()
  }

  async #store(): Promise<void> {
    if (!this.#hasResumed) return
    const { hub, state } = this.#options
    const head = this.#closedAt ?? hub.head
    const places = new Map([...this.#byUrl].map(([url, { place }]) => [url, place]))
    const changes: StateChange[] = []
    for (const [url, place] of places)
      if (this.#stored.get(url) !== place) changes.push(placed(url, hub.cursorOf(place)))
    for (const url of this.#stored.keys()) if (!places.has(url)) changes.push(placed(url, null))
    if (head !== this.#storedHead) changes.push(placed(IDLE, hub.cursorOf(head)))
    if (changes.length === 0) return
    try {
      await state.apply(changes)
      this.#stored = places
      this.#storedHead = head
    } catch {
      // The log says itself what is wrong with its disk. Until then a crash would bring some events again.
      this.#storeSoon(AGAIN_MS)
    }
  }
}

/** What receivers have in common. */
interface Shared {
  readonly options: ReceiversOptions
  /** Deliveries in all queues. */
  queued: number
  readonly onMove: () => void
  /** It is over; another one is made when something is due again. */
  readonly onIdle: (receiver: Receiver) => void
  readonly tellLost: (url: string) => void
  readonly failedReads: SeldomReport
}

/** One url to which something is due, in order. */
class Receiver {
  readonly url: string
  readonly #shared: Shared
  #queue: Queued[] = []
  #queuedBytes = 0
  /** Everything up to here is over. */
  #done: Position
  /** Everything up to here is over or in the queue; what is behind is read from the log when the queue is empty. */
  #queuedTo: Position
  #isBehind = false
  #isRunning = false
  #isEnded = false

  constructor(url: string, at: Position, shared: Shared) {
    this.url = url
    this.#shared = shared
    this.#done = this.#queuedTo = at
  }

  get place(): Position {
    return this.#done
  }

  get isBehind(): boolean {
    return this.#isBehind
  }

  catchUp(): void {
    this.#isBehind = true
    this.#run()
  }

  offer(deliveries: readonly WebhookDelivery[]): Promise<number> {
    if (this.#isEnded || this.#isBehind) return NOBODY
    const { event } = deliveries[0]!
    const bytes = event.payload.text.length
    const isFull =
      this.#queue.length >= QUEUE_MAX ||
      (this.#queue.length > 0 &&
        (this.#queuedBytes + bytes > QUEUE_BYTES_MAX || this.#shared.queued >= QUEUED_MAX))
    if (isFull) {
      this.#isBehind = true
      return NOBODY
    }
    this.#queuedTo = event.position
    this.#queuedBytes += bytes
    this.#shared.queued += deliveries.length
    const { promise, resolve } = Promise.withResolvers<number>()
    this.#queue.push({ deliveries, bytes, resolve })
    this.#run()
    return promise
  }

  end(): void {
    this.#isEnded = true
    for (const { deliveries, resolve } of this.#queue.splice(0)) {
      this.#shared.queued -= deliveries.length
      resolve(0)
    }
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
        next.resolve(await this.#send(next.deliveries))
        continue
      }
      if (this.#isEnded) return
      if (!this.#isBehind) return this.#shared.onIdle(this)
      try {
        await this.#catchUp()
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        this.#shared.failedReads.add(`lonelyps: the log cannot be read for a webhook: ${reason}`)
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS).unref())
      }
    }
  }

  /** From the log to the head, where the queue begins again. */
  async #catchUp(): Promise<void> {
    const { hub } = this.#shared.options
    for await (const { events, reached, hasGap } of pastEvents(hub, this.#queuedTo)) {
      // While it was sending, the log may have dropped what comes next.
      if (hasGap) this.#shared.tellLost(this.url)
      for (const event of events) {
        if (this.#isEnded) return
        const due = this.#due(event)
        if (due.length > 0) await this.#send(due)
      }
      if (this.#isEnded) return
      this.#queuedTo = this.#done = reached
    }
    // Synchronously: no round comes between this look and the queue's being open again.
    if (this.#queuedTo === hub.head) this.#isBehind = false
  }

  #due(event: PublishedEvent): WebhookDelivery[] {
    const { rows, hub } = this.#shared.options
    const topic = topicOfPath(event.path)
    const due: WebhookDelivery[] = []
    for (const row of rows.matchingOf(this.url, topic))
      if (isSince(hub, row, event)) due.push({ row, event, topic })
    return due
  }

  /** In order: one after the other. To whoever still wants it, and may still see it. */
  async #send(deliveries: readonly WebhookDelivery[]): Promise<number> {
    const { rows, maySee, deliver } = this.#shared.options
    let count = 0
    for (const { row, event, topic } of deliveries) {
      if (this.#isEnded) return count
      const now = rows.current(row)
      if (now !== null && maySee(now, event)) count += await deliver({ row: now, event, topic })
    }
    if (this.#isEnded) return count
    this.#done = deliveries[0]!.event.position
    this.#shared.onMove()
    return count
  }
}

interface Queued {
  readonly deliveries: readonly WebhookDelivery[]
  readonly bytes: number
  readonly resolve: (count: number) => void
}

/** Exact ones first. */
function byUrl(
  event: PublishedEvent,
  topic: Topic,
  rows: Iterable<StoredSubscription>,
): ReadonlyMap<string, readonly WebhookDelivery[]> {
  const found = new Map<string, WebhookDelivery[]>()
  for (const row of rows) {
    const delivery = { row, event, topic }
    const deliveries = found.get(row.url)
    if (deliveries === undefined) found.set(row.url, [delivery])
    else deliveries.push(delivery)
  }
  return found
}

function before({ position }: PublishedEvent): Position {
  return (position - 1) as Position
}

/** It was there when the event was published. */
function isSince(
  hub: ReceiversOptions['hub'],
  row: StoredSubscription,
  event: PublishedEvent,
): boolean {
  const since = hub.resolve(row.since)
  return since.type !== 'found' || event.position > since.at
}

function placed(url: string, cursor: Cursor | null): StateChange {
  return { space: SPACE, key: url, value: cursor === null ? null : Buffer.from(cursor, 'latin1') }
}

const SPACE = 'lonelyps.places'

/** For all urls that have no place of their own. No url is empty. */
const IDLE = ''

const NOBODY = Promise.resolve(0)

/** Events that wait for one url; beyond them it is behind, and reads the rest from the log. */
const QUEUE_MAX = 1_000

const QUEUE_BYTES_MAX = 4 * 1024 * 1024

/** Deliveries that wait for all urls, some 80 MB; beyond them whoever has more than one waiting is behind. */
const QUEUED_MAX = 200_000

/** A place is stored so much later, in ms: what was sent in between comes again after a crash. */
const STORE_MS = 200

/** The head is stored so much later, in ms, if nothing is due to anybody: it is what has to be read after a crash. */
const STORE_IDLE_MS = 5_000

/** After a failure of the storage, in ms. */
const AGAIN_MS = 1_000
