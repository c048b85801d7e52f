import type { Audience } from './audience.ts'
import type { Position } from './event.ts'
import type { EventLog } from './event-log.ts'
import type { Subscription } from './subscription.ts'

/** A page of the log as the members of one audience are due it. */
export interface EncodedPage {
  readonly bytes: Uint8Array
  readonly reached: Position
  readonly hasGap: boolean
}

/** What a page of the log holds at most, in bytes of payload: about 1 ms of encoding. */
export const PAGE_BYTES = 65_536

/**
 * Takes the subscriptions that are behind forward, a slice of the main thread at a time, so that a crowd of them delays
 * the live ones by no more than that. Pages are read and encoded once for all who stand at the same place.
 */
export class CatchUp {
  readonly #log: EventLog
  #queue: Subscription[] = []
  readonly #pages = new Map<string, Promise<EncodedPage> | StoredPage>()
  #pageBytes = 0

  constructor(log: EventLog) {
    this.#log = log
  }

  /** The subscription will be asked to advance, soon. */
  enqueue(subscription: Subscription): void {
    if (this.#queue.length === 0) setImmediate(() => this.#run())
    this.#queue.push(subscription)
  }

  /** A promise while the page is being read. */
  page(audience: Audience, after: Position): Promise<EncodedPage> | EncodedPage {
    const key = `${audience.id} ${after}`
    const found = this.#pages.get(key)
    if (found instanceof Promise) return found
    if (found !== undefined && found.staleAtMs > performance.now()) return found
    const reading = this.#read(audience, after).then(
      (page) => this.#store(key, page),
      (error: unknown) => {
        this.#pages.delete(key)
        throw error
      },
    )
    this.#forget(key)
    this.#pages.set(key, reading)
    return reading
  }

  #run(): void {
    const untilMs = performance.now() + SLICE_MS
    let taken = 0
    while (taken < this.#queue.length) {
      this.#queue[taken++]!.advance()
      if (performance.now() > untilMs) break
    }
    this.#queue = this.#queue.slice(taken)
    if (this.#queue.length > 0) setImmediate(() => this.#run())
  }

  async #read(audience: Audience, after: Position): Promise<EncodedPage> {
    for await (const page of this.#log.read(after, {
      filters: audience.filters,
      pageBytes: PAGE_BYTES,
    })) {
      const frames: Uint8Array[] = []
      // Not the audience's own encoder: it remembers an event of the round, which this would push out.
      for (const event of page.events)
        if (audience.maySee(event)) frames.push(audience.encoder.encoding.event(event))
      return { bytes: Buffer.concat(frames), reached: page.reached, hasGap: page.hasGap }
    }
    return { bytes: Buffer.alloc(0), reached: this.#log.head, hasGap: false }
  }

  #store(key: string, page: EncodedPage): EncodedPage {
    this.#pages.set(key, { ...page, staleAtMs: performance.now() + PAGE_FRESH_MS })
    this.#pageBytes += page.bytes.length + PAGE_OVERHEAD_BYTES
    for (const oldest of this.#pages.keys()) {
      if (this.#pageBytes <= PAGES_BYTES_MAX) break
      this.#forget(oldest)
    }
    return page
  }

  #forget(key: string): void {
    const page = this.#pages.get(key)
    if (page === undefined || page instanceof Promise) return
    this.#pages.delete(key)
    this.#pageBytes -= page.bytes.length + PAGE_OVERHEAD_BYTES
  }
}

interface StoredPage extends EncodedPage {
  /** By `performance.now()`. */
  readonly staleAtMs: number
}

/** How long the main thread may be busy with catching up in one turn of the event loop. */
const SLICE_MS = 2

/** Encoded pages kept for others at the same place, in bytes. */
const PAGES_BYTES_MAX = 8_388_608
const PAGE_OVERHEAD_BYTES = 200

/** A page is not used for longer than this, so that an event past its age is not shown from memory. */
const PAGE_FRESH_MS = 1_000
