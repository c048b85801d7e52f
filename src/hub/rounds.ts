import type { PublishedEvent } from './event.ts'
import { weightOf } from './event-log.ts'

/**
 * What the log has committed, on its way to the subscribers. A commit is mostly one round, handed out at once. What a great
 * batch brings is handed out in rounds of a bounded size, one in a turn of the event loop, so that it stops nobody else, and
 * what is committed meanwhile waits behind it. Held by `test/hostile/bodies.test.ts`.
 */
export class Rounds implements Disposable {
  readonly #deliver: (events: readonly PublishedEvent[]) => number
  /** Committed, in order. What stands before `#start` has been handed out. */
  #waiting: PublishedEvent[] = []
  #start = 0
  #settled: PromiseWithResolvers<void> | null = null
  #isDisposed = false

  /** `deliver` tells how many of the events it has handed out, from the first on; it is called again with the rest. Must not throw. */
  constructor(deliver: (events: readonly PublishedEvent[]) => number) {
    this.#deliver = deliver
  }

  /** Everything has been handed out. */
  get isIdle(): boolean {
    return this.#settled === null
  }

  add(events: readonly PublishedEvent[]): void {
    if (events.length === 0) return
    if (this.#settled !== null) {
      for (const event of events) this.#waiting.push(event)
      return
    }
    const end = endOfRound(events, 0)
    const count = this.#deliver(end === events.length ? events : events.slice(0, end))
    if (count === events.length || this.#isDisposed) return
    this.#waiting = events.slice(count)
    this.#settled = Promise.withResolvers()
    setImmediate(() => this.#next())
  }

  /** Resolves once all that has been added so far is handed out, or never will be. */
  async settled(): Promise<void> {
    await this.#settled?.promise
  }

  /** Nothing more is handed out. */
  [Symbol.dispose](): void {
    this.#isDisposed = true
    this.#rest()
  }

  #rest(): void {
    this.#waiting = []
    this.#start = 0
    this.#settled?.resolve()
    this.#settled = null
  }

  #next(): void {
    if (this.#settled === null) return
    const end = endOfRound(this.#waiting, this.#start)
    this.#start += this.#deliver(this.#waiting.slice(this.#start, end))
    if (this.#start < this.#waiting.length) setImmediate(() => this.#next())
    else this.#rest()
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
