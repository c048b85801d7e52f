import type { PublishedEvent } from './event.ts'
import { weightOf } from './event-log.ts'

/**
 * What the log has committed, on its way to the subscribers. A commit is mostly one round, handed out at once. What a great
 * batch brings, or what takes long to hand out, comes in rounds of a bounded size, one in a turn of the event loop, so that it
 * stops nobody else, and what is committed meanwhile waits behind it. Held by `test/hostile/bodies.test.ts`.
 */
export class Rounds implements Disposable {
  readonly #deliver: (events: readonly PublishedEvent[]) => number
  /** Committed, in order. What stands before `#start` has been handed out. */
  #waiting: PublishedEvent[] = []
  #start = 0
  /** The weight of what has not been handed out, in bytes. */
  #bytes = 0
  /** How many have ever waited, and how many of these have been handed out. */
  #added = 0
  #delivered = 0
  readonly #waiters = new Map<number, PromiseWithResolvers<boolean>>()
  #isDisposed = false

  /** `deliver` tells how many of the events it has handed out, from the first on; it is called again with the rest. Must not throw. */
  constructor(deliver: (events: readonly PublishedEvent[]) => number) {
    this.#deliver = deliver
  }

  /** Everything has been handed out. */
  get isIdle(): boolean {
    return this.#delivered === this.#added
  }

  /** In bytes, as the log counts them. */
  get waitingBytes(): number {
    return this.#bytes
  }

  add(events: readonly PublishedEvent[]): void {
    if (events.length === 0) return
    const wasIdle = this.isIdle
    const end = wasIdle ? endOfRound(events, 0) : 0
    let count = 0
    if (end > 0) count = this.#deliver(end === events.length ? events : events.slice(0, end))
    if (count === events.length || this.#isDisposed) return
    for (let i = count; i < events.length; i++) {
      this.#waiting.push(events[i]!)
      this.#bytes += weightOf(events[i]!)
      this.#added++
    }
    if (wasIdle) setImmediate(() => this.#next())
  }

  /** Resolves once all that has been added so far is handed out. `false`: it never will be. */
  settled(): Promise<boolean> {
    if (this.isIdle) return Promise.resolve(true)
    if (this.#isDisposed) return Promise.resolve(false)
    let waiter = this.#waiters.get(this.#added)
    if (waiter === undefined)
      this.#waiters.set(this.#added, (waiter = Promise.withResolvers<boolean>()))
    return waiter.promise
  }

  /** Nothing more is handed out. */
  [Symbol.dispose](): void {
    this.#isDisposed = true
    this.#waiting = []
    this.#start = this.#bytes = 0
    for (const { resolve } of this.#waiters.values()) resolve(false)
    this.#waiters.clear()
  }

  #next(): void {
    if (this.#isDisposed) return
    const end = endOfRound(this.#waiting, this.#start)
    this.#handedOut(this.#deliver(this.#waiting.slice(this.#start, end)))
    if (!this.isIdle) setImmediate(() => this.#next())
  }

  #handedOut(count: number): void {
    if (this.#isDisposed) return
    for (let i = this.#start; i < this.#start + count; i++)
      this.#bytes -= weightOf(this.#waiting[i]!)
    this.#start += count
    this.#delivered += count
    // Not each time, as all the others are moved.
    if (this.#start === this.#waiting.length || this.#start > CUT_AT) {
      this.#waiting = this.#waiting.slice(this.#start)
      this.#start = 0
    }
    for (const [until, { resolve }] of this.#waiters) {
      if (until > this.#delivered) break
      this.#waiters.delete(until)
      resolve(true)
    }
  }
}

/** Behind the last event, of at least one, that is handed out together with the one at `start`. */
function endOfRound(events: readonly PublishedEvent[], start: number): number {
  let bytes = 0
  for (let i = start; i < events.length; i++) {
    bytes += weightOf(events[i]!)
    if (bytes > ROUND_BYTES_MAX && i > start) return i
  }
  return events.length
}

/**
 * In bytes of payloads, paths and `EVENT_OVERHEAD_BYTES`: some 700 small events, which take about 1 ms to encode in each form.
 * Larger than what commits bring that are shared by as many publishers as there may sensibly be.
 */
const ROUND_BYTES_MAX = 262_144

/** Events that were handed out and are still there. */
const CUT_AT = 1_024
