import type { Cursor, Position, PublishedEvent } from '../../hub/event.ts'
import type { Hub } from '../../hub/hub.ts'
import type { StateChange, StateStore } from '../../hub/state-store.ts'
import type { Row, Rows } from './rows.ts'
import { topicOfPath, type Topic } from './topic.ts'

/** An event for one subscription. */
export interface Delivery {
  readonly row: Row
  readonly event: PublishedEvent
  readonly topic: Topic
}

export interface ReceiversOptions {
  readonly hub: Pick<Hub, 'read' | 'resolve' | 'cursorOf' | 'head' | 'beforeOldest'>
  readonly state: StateStore
  readonly rows: Rows
  /** Sends one; resolves, once it is over, with how many have got it. Never rejects. */
  readonly deliver: (delivery: Delivery) => Promise<number>
  /** What a subscription was due has left the log before it could be sent. */
  readonly lost: (row: Row) => void
  /** Whether an event is to be shown to who has the row. */
  readonly maySee: (row: Row, event: PublishedEvent) => boolean
  readonly log: (level: 'warn' | 'error', message: string) => void
}

/** Those who get their events as requests: a queue for each url, each with its own place in the log. */
export class Receivers {
  readonly #options: ReceiversOptions
  readonly #byUrl = new Map<string, Receiver>()
  /** Their places are to be stored. */
  readonly #moved = new Set<Receiver>()
  #storing: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | null = null
  #isClosed = false

  constructor(options: ReceiversOptions) {
    this.#options = options
  }

  /** Goes on where every url was when the process ended. */
  async resume(): Promise<void> {
    const { state, rows, hub } = this.#options
    for await (const { key: url, value } of state.entries(SPACE)) {
      if (rows.of(url).length === 0) continue
      const place = hub.resolve(Buffer.from(value).toString('latin1') as Cursor)
      if (place.type === 'found') this.#receiver(url).resumeAt(place.at)
      else for (const row of rows.of(url)) this.#options.lost(row)
    }
  }

  /** By the hub's round: an event for some of the rows of one url. Resolves with how many have got it. */
  offer(url: string, deliveries: readonly Delivery[]): Promise<number> {
    return this.#receiver(url).offer(deliveries)
  }

  /** The rows of a url have changed. */
  changed(url: string): void {
    if (this.#options.rows.of(url).length > 0) return void this.#receiver(url)
    const receiver = this.#byUrl.get(url)
    if (receiver === undefined) return
    this.#byUrl.delete(url)
    receiver.end()
    this.#moved.add(receiver) // its place is forgotten
    this.#storeSoon()
  }

  /** Nothing more is sent; the places are stored. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const receiver of this.#byUrl.values()) {
      receiver.end()
      this.#moved.add(receiver)
    }
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    await this.#storing
    await this.#store()
  }

  #receiver(url: string): Receiver {
    let receiver = this.#byUrl.get(url)
    if (receiver === undefined) {
      receiver = new Receiver(url, this.#options, (moved) => {
        this.#moved.add(moved)
        this.#storeSoon()
      })
      this.#byUrl.set(url, receiver)
      this.#moved.add(receiver)
      this.#storeSoon()
    }
    return receiver
  }

  #storeSoon(): void {
    if (this.#isClosed) return
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.#storing = this.#storing.then(() => this.#store())
    }, STORE_MS).unref()
  }

  async #store(): Promise<void> {
    const moved = [...this.#moved]
    this.#moved.clear()
    const changes = moved.map((receiver): StateChange => {
      const isKept = this.#byUrl.get(receiver.url) === receiver
      const place = isKept ? this.#options.hub.cursorOf(receiver.place) : null
      return {
        space: SPACE,
        key: receiver.url,
        value: place === null ? null : Buffer.from(place, 'latin1'),
      }
    })
    if (changes.length === 0) return
    try {
      await this.#options.state.apply(changes)
    } catch {
      // The log says itself what is wrong with its disk. Until then a crash would bring some events again.
      for (const receiver of moved) this.#moved.add(receiver)
      this.#storeSoon()
    }
  }
}

/** One url: what is due to it, in order. */
class Receiver {
  readonly url: string
  readonly #options: ReceiversOptions
  readonly #onMove: (receiver: Receiver) => void
  #queue: Queued[] = []
  #queuedBytes = 0
  /** Everything up to here is over. */
  #done: Position
  /** Everything up to here is over or in the queue; what is behind is read from the log when the queue is empty. */
  #queuedTo: Position
  #isBehind = false
  #isRunning = false
  #isEnded = false

  constructor(url: string, options: ReceiversOptions, onMove: (receiver: Receiver) => void) {
    this.url = url
    this.#options = options
    this.#onMove = onMove
    this.#done = this.#queuedTo = options.hub.head
  }

  /** With nothing to do it is at the head. */
  get place(): Position {
    return this.#queue.length === 0 && !this.#isBehind && !this.#isRunning
      ? this.#options.hub.head
      : this.#done
  }

  resumeAt(position: Position): void {
    if (position === this.#options.hub.head) return
    this.#done = this.#queuedTo = position
    this.#isBehind = true
    this.#run()
  }

  offer(deliveries: readonly Delivery[]): Promise<number> {
    if (this.#isEnded || this.#isBehind) return NOBODY
    const { event } = deliveries[0]!
    const bytes = event.payload.text.length
    const isFull =
      this.#queue.length >= QUEUE_MAX ||
      (this.#queue.length > 0 && this.#queuedBytes + bytes > QUEUE_BYTES_MAX)
    if (isFull) {
      this.#isBehind = true
      return NOBODY
    }
    this.#queuedTo = event.position
    this.#queuedBytes += bytes
    const { promise, resolve } = Promise.withResolvers<number>()
    this.#queue.push({ deliveries, bytes, resolve })
    this.#run()
    return promise
  }

  end(): void {
    this.#isEnded = true
    for (const { resolve } of this.#queue.splice(0)) resolve(0)
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
        next.resolve(await this.#send(next.deliveries))
        continue
      }
      if (this.#isEnded || !this.#isBehind) {
        this.#isRunning = false
        return
      }
      try {
        await this.#catchUp()
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        this.#options.log('warn', `lonelyps: the log cannot be read for a webhook: ${reason}`)
        await new Promise((resolve) => setTimeout(resolve, READ_AGAIN_MS).unref())
      }
    }
  }

  /** From the log to the head, where the queue begins again. */
  async #catchUp(): Promise<void> {
    const { hub, rows, lost } = this.#options
    if (this.#queuedTo < hub.beforeOldest) for (const row of rows.of(this.url)) lost(row)
    for await (const { events, reached } of hub.read(this.#queuedTo, { pageBytes: PAGE_BYTES })) {
      for (const event of events) {
        if (this.#isEnded) return
        const deliveries = this.#due(event)
        if (deliveries.length > 0) await this.#send(deliveries)
      }
      this.#queuedTo = this.#done = reached
    }
    // Synchronously: no round comes between this look and the queue's being open again.
    if (this.#queuedTo === hub.head) this.#isBehind = false
  }

  #due(event: PublishedEvent): Delivery[] {
    const { rows, maySee } = this.#options
    const topic = topicOfPath(event.path)
    const deliveries: Delivery[] = []
    for (const row of rows.matching(topic))
      if (row.url === this.url && this.#isSince(row, event) && maySee(row, event))
        deliveries.push({ row, event, topic })
    return deliveries
  }

  /** It was there when the event was published. */
  #isSince(row: Row, event: PublishedEvent): boolean {
    const since = this.#options.hub.resolve(row.since)
    return since.type !== 'found' || event.position > since.at
  }

  /** In order: one after the other. */
  async #send(deliveries: readonly Delivery[]): Promise<number> {
    let count = 0
    for (const delivery of deliveries) {
      if (this.#isEnded) return count
      if (this.#options.rows.has(delivery.row)) count += await this.#options.deliver(delivery)
    }
    if (this.#isEnded) return count
    this.#done = deliveries[0]!.event.position
    this.#onMove(this)
    return count
  }
}

interface Queued {
  readonly deliveries: readonly Delivery[]
  readonly bytes: number
  readonly resolve: (count: number) => void
}

const SPACE = 'lonelyps.places'

const NOBODY = Promise.resolve(0)

/** Events that wait for one url; beyond them it is behind, and reads the rest from the log. */
const QUEUE_MAX = 1_000

const QUEUE_BYTES_MAX = 4 * 1024 * 1024

const PAGE_BYTES = 256 * 1024

/** A place is stored so much later, in ms: what was sent in between comes again after a crash. */
const STORE_MS = 200

const READ_AGAIN_MS = 1_000
