import type { OnBug } from '../../hub/bug.ts'
import { LogUnavailableError } from '../../hub/errors.ts'
import type { Cursor, Position, PublishedEvent } from '../../hub/event.ts'
import type { Publication } from '../../publication/publication.ts'
import {
  batchError,
  receiptOf,
  weightOf,
  type AppendOptions,
  type EventLog,
  type Page,
  type ReadBackOptions,
  type ReadOptions,
  type Receipt,
  type Resolution,
} from '../../hub/event-log.ts'
import { matcherOf, type FilteredEvent } from '../../hub/topics.ts'
import { CommitListeners } from '../commit-listeners.ts'
import { LastPlaces } from '../last-places.ts'
import type { StateChange } from '../../hub/state-store.ts'
import type { MemoryStateStore } from './memory-state-store.ts'
import { PageFill } from '../page-fill.ts'
import { publishedEvent } from '../published-event.ts'
import { Receipts, type ReceiptLimits } from '../receipts.ts'
import { CursorCodec, newCursorKeys } from '../cursor.ts'
import { LogClock, type ClockSources } from '../log-clock.ts'

export interface MemoryEventLogOptions extends ReceiptLimits {
  /** Events kept for replay; 0: none. */
  readonly eventsMax: number
  /** 0: no limit. */
  readonly maxAgeMs: number
  readonly bytesMax: number
  /** Told of listeners that throw; without it they end the process. */
  readonly onBug?: OnBug
  readonly clock?: ClockSources
  /** What the state that is appended with events goes to. */
  readonly state?: MemoryStateStore
  readonly logger?: (level: 'warn', message: string) => void
}

/**
 * Kept in this process, gone with it. A commit takes everything that arrived in one turn of the event loop, and while
 * there are several publishers in two.
 */
export class MemoryEventLog implements EventLog {
  readonly #options: MemoryEventLogOptions
  readonly #clock: LogClock
  readonly #cursors = new CursorCodec(newCursorKeys())
  readonly #receipts: Receipts
  readonly #listeners: CommitListeners
  /** The kept events without a hole: the one at index i has the position `#firstKept + i - #start`. */
  #events: PublishedEvent[] = []
  /** Events before this index are dropped; the array is cut now and then, not at each drop. */
  #start = 0
  #bytes = 0
  #head = 0
  #pending: PendingBatch[] = []
  /** The last commit was of several publishers. */
  #isShared = false
  #disposed = false
  readonly #lastPlaces = new LastPlaces()

  constructor(options: MemoryEventLogOptions) {
    this.#options = options
    this.#listeners = new CommitListeners(options.onBug)
    this.#clock = new LogClock({
      ...(options.clock && { sources: options.clock }),
      onLeap: (message) => options.logger?.('warn', message),
    })
    this.#receipts = new Receipts(options, () => this.#clock.nowMs)
  }

  get head(): Position {
    return this.#head as Position
  }

  append(batch: readonly Publication[], { once, state }: AppendOptions = {}): Promise<Receipt> {
    const error = batchError(batch)
    if (error !== null) return Promise.reject(error)
    return once === undefined
      ? this.#append(batch, state)
      : this.#receipts.once(once, () => this.#append(batch, state))
  }

  async flushed(): Promise<void> {
    const last = this.#pending.at(-1)
    if (last !== undefined)
      await new Promise<void>((resolve) => (last.settled ??= []).push(resolve))
  }

  onCommit(listener: (events: readonly PublishedEvent[], head: Position) => void): Disposable {
    return this.#listeners.add(listener)
  }

  async *read(after: Position, options: ReadOptions): AsyncGenerator<Page> {
    const { filters, publicOnly = false } = options
    const matches = filters === undefined ? () => true : matcherOf(filters)
    const isWanted = (event: FilteredEvent) => !(publicOnly && event.isPrivate) && matches(event)
    let reached: Position = after
    while (reached < Math.min(options.until ?? Infinity, this.#head)) {
      const page = this.#page(reached, options, isWanted)
      reached = page.reached
      yield page
    }
  }

  async *readBack(before: Position, options: ReadBackOptions): AsyncGenerator<Page> {
    const { filters, downTo } = options
    const isWanted = filters === undefined ? () => true : matcherOf(filters)
    let reached = Math.min(before, this.#head + 1) as Position
    for (;;) {
      this.#dropOld()
      const lowest = Math.max(downTo ?? 0, this.#oldest)
      if (reached > lowest) {
        const page = this.#pageBack(reached, lowest, options.pageBytes, isWanted)
        reached = page.reached
        yield page
      } else {
        if (downTo !== undefined && reached > downTo) yield { events: [], reached, gap: 'expired' }
        return
      }
    }
  }

  async lastOf(path: string): Promise<PublishedEvent | null> {
    const last = this.#lastPlaces
    for (;;) {
      this.#dropOld()
      last.dropBefore(this.#oldest)
      const from = Math.max(last.until + 1, this.#oldest)
      const to = Math.min(from + SCANNED_PER_PAGE, this.#head + 1)
      for (let position = from; position < to; position++)
        last.set(this.#at(position).path, position)
      if (to > this.#head) break
      await new Promise((resolve) => setImmediate(resolve))
    }
    const position = last.get(path)
    return position === undefined ? null : this.#at(position)
  }

  resolve(cursor: Cursor): Resolution {
    const at = this.#cursors.positionOf(cursor)
    if (at === null || at > this.#head) return { type: 'foreign' }
    return at < this.status.oldest - 1 ? { type: 'expired', at } : { type: 'found', at }
  }

  cursorOf(position: Position): Cursor {
    return this.#cursors.ofPlace(position)
  }

  positionAt(timeMs: number): Promise<Position> {
    this.#dropOld()
    let low = this.#start
    let high = this.#events.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#events[middle]!.publishedAtMs < timeMs) low = middle + 1
      else high = middle
    }
    const event = this.#events[low]
    return Promise.resolve((event === undefined ? this.#head : event.position - 1) as Position)
  }

  timeAgo(ms: number): number {
    return this.#clock.ago(ms)
  }

  get status() {
    this.#dropOld()
    return { oldest: this.#oldest, bytes: this.#bytes, writable: !this.#disposed }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    const pending = this.#pending.splice(0)
    for (const { reject, settled } of pending) {
      reject(new LogUnavailableError('the event log is closed'))
      settled?.forEach((settle) => settle())
    }
  }

  /** One that is kept. */
  #at(position: number): PublishedEvent {
    return this.#events[this.#start + position - this.#oldest]!
  }

  get #oldest(): Position {
    return (this.#head + 1 - (this.#events.length - this.#start)) as Position
  }

  #append(
    batch: readonly Publication[],
    state: readonly StateChange[] | undefined,
  ): Promise<Receipt> {
    if (this.#disposed) return Promise.reject(new LogUnavailableError('the event log is closed'))
    if (this.#pending.length === 0) {
      // Publishers in parallel that wait for their answers come back one after the other: a turn later all of them have.
      if (this.#isShared) setImmediate(() => setImmediate(() => this.#commit()))
      else setImmediate(() => this.#commit())
    }
    return new Promise((resolve, reject) =>
      this.#pending.push({ batch, state, resolve, reject, settled: null }),
    )
  }

  #commit(): void {
    const pending = this.#pending.splice(0)
    if (pending.length === 0) return
    this.#isShared = pending.length > 1
    const first = this.#head + 1
    const count = pending.reduce((sum, { batch }) => sum + batch.length, 0)
    const positions = Array.from({ length: count }, (_, i) => (first + i) as Position)
    const cursors = this.#cursors.ofEvents(positions)
    const publishedAtMs = this.#clock.nowMs

    const events: PublishedEvent[] = []
    const receipts = pending.map(({ batch }) => {
      const from = events.length
      for (const publication of batch) {
        const i = events.length
        events.push(publishedEvent(publication, positions[i]!, cursors[i]!, publishedAtMs))
      }
      return receiptOf(events[from]!, events.at(-1)!)
    })
    this.#keep(events)
    for (const { state } of pending) if (state !== undefined) this.#options.state?.change(state)
    this.#listeners.tell(events, this.head)
    pending.forEach(({ resolve, settled }, i) => {
      resolve(receipts[i]!)
      settled?.forEach((settle) => settle())
    })
  }

  #keep(events: readonly PublishedEvent[]): void {
    this.#head += events.length
    if (this.#options.eventsMax === 0) return
    for (const event of events) {
      this.#events.push(event)
      this.#bytes += sizeOf(event)
    }
    while (
      this.#events.length - this.#start > this.#options.eventsMax ||
      this.#bytes > this.#options.bytesMax
    )
      this.#dropOldest()
    this.#dropOld()
  }

  /** Drops what is older than it may be. */
  #dropOld(): void {
    const { maxAgeMs } = this.#options
    if (maxAgeMs === 0) return
    const oldestMs = this.#clock.ago(maxAgeMs)
    while (this.#start < this.#events.length && this.#events[this.#start]!.publishedAtMs < oldestMs)
      this.#dropOldest()
  }

  #dropOldest(): void {
    this.#bytes -= sizeOf(this.#events[this.#start]!)
    this.#events[this.#start] = DROPPED // frees its payload now, not when the array is cut
    this.#start++
    if (this.#start > 1024 && this.#start * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#start)
      this.#start = 0
    }
  }

  #page(
    after: Position,
    { until, pageBytes }: ReadOptions,
    isWanted: (event: FilteredEvent) => boolean,
  ): Page {
    this.#dropOld()
    const oldest = this.#oldest
    let index = this.#start + Math.max(0, after + 1 - oldest)
    const last = Math.min(until ?? Infinity, this.#head)
    const end = this.#events.length - (this.#head - last)
    const scanEnd = Math.min(end, index + SCANNED_PER_PAGE)
    const events: PublishedEvent[] = []
    const fill = new PageFill(Math.max(after, oldest - 1), pageBytes)
    for (; index < scanEnd && !fill.isFull; index++) {
      const event = this.#events[index]!
      if (!isWanted(event)) continue
      events.push(event)
      fill.add(event.position, weightOf(event))
    }
    const reached = index >= end ? last : oldest + index - this.#start - 1
    const gap = after < Math.min(oldest - 1, last) ? 'expired' : null
    return { events, reached: reached as Position, gap }
  }

  #pageBack(
    before: number,
    lowest: number,
    pageBytes: number,
    isWanted: (event: FilteredEvent) => boolean,
  ): Page {
    const end = Math.max(lowest, before - SCANNED_PER_PAGE)
    const events: PublishedEvent[] = []
    let bytes = 0
    let reached = before
    while (reached > end && bytes < pageBytes) {
      const event = this.#at(--reached)
      if (!isWanted(event)) continue
      events.push(event)
      bytes += weightOf(event)
    }
    return { events, reached: reached as Position, gap: null }
  }
}

const DROPPED = {} as PublishedEvent

interface PendingBatch {
  readonly batch: readonly Publication[]
  readonly state: readonly StateChange[] | undefined
  readonly resolve: (receipt: Receipt) => void
  readonly reject: (error: LogUnavailableError) => void
  /** Who waits until it is told or refused. */
  settled: (() => void)[] | null
}

/** A page ends here even if nothing matched, so that a rare topic does not hold up the event loop (about 0.3 ms). */
const SCANNED_PER_PAGE = 4096

/** The cursor of an event, which whoever hands it on does not count, in bytes. */
const CURSOR_BYTES = 44

function sizeOf(event: PublishedEvent): number {
  return weightOf(event) + CURSOR_BYTES
}
