import type { PublishedEvent } from './event.ts'
import { weightOf } from './event-log.ts'

/**
 * What the log has committed, on its way to the subscribers. A commit is mostly one round, handed out at once. What a great
 * batch brings is handed out in rounds of a bounded size, one in a turn of the event loop, so that it stops nobody else, and
 * what is committed meanwhile waits behind it. Held by `test/hostile/bodies.test.ts`.
 */
export class Rounds implements Disposable {
  readonly #deliver: (events: readonly PublishedEvent[]) => void
  /** Committed, in order. What stands before `#start` has been handed out. */
  #waiting: PublishedEvent[] = []
  #start = 0
  #settled: PromiseWithResolvers<void> | null = null

  /** `deliver` must not throw. */
  constructor(deliver: (events: readonly PublishedEvent[]) => void) {
    this.#deliver = deliver
  }

  /** Everything has been handed out. */
  get isIdle(): boolean {
    return this.#settled === null
  }

  add(events: readonly PublishedEvent[]): void {
    if (events.length === 0) return
    if (this.#settled === null && endOfRound(events, 0) === events.length)
      return this.#deliver(events)
    for (const event of events) this.#waiting.push(event)
    if (this.#settled !== null) return
    this.#settled = Promise.withResolvers()
    this.#next()
  }

  /** Resolves once all that has been added so far is handed out, or never will be. */
  async settled(): Promise<void> {
    await this.#settled?.promise
  }

  /** Nothing more is handed out. */
  [Symbol.dispose](): void {
    this.#waiting = []
    this.#start = 0
    this.#settled?.resolve()
    this.#settled = null
  }

  #next(): void {
    if (this.#settled === null) return
    const end = endOfRound(this.#waiting, this.#start)
    const round = this.#waiting.slice(this.#start, end)
    this.#start = end
    this.#deliver(round)
    if (end < this.#waiting.length) setImmediate(() => this.#next())
    else this[Symbol.dispose]()
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
