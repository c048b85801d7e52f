import type { PublishedEvent } from './event.ts'

/** Where a subscription ends by itself. */
export interface BoundsRequest {
  /** After so many events; at least 1. */
  readonly eventsMax?: number
  /** Before the first event that was published then or later, in ms since the Unix epoch. */
  readonly untilMs?: number
}

/** How much of it is left. */
export class Bounds {
  /** Nothing after this position is due. */
  last = Infinity
  #eventsLeft: number
  readonly #untilMs: number
  #isPastTime = false

  constructor({ eventsMax = Infinity, untilMs = Infinity }: BoundsRequest) {
    this.#eventsLeft = eventsMax
    this.#untilMs = untilMs
  }

  /** No further event is due. */
  get isExhausted(): boolean {
    return this.#eventsLeft === 0 || this.#isPastTime
  }

  /** How many of the next events are due. They count as sent. */
  admit(events: readonly PublishedEvent[]): number {
    let count = 0
    while (count < events.length && !this.isExhausted) {
      const { publishedAtMs, position } = events[count]!
      // Times never decrease along the log.
      if (publishedAtMs >= this.#untilMs || position > this.last) this.#isPastTime = true
      else {
        count++
        this.#eventsLeft--
      }
    }
    return count
  }
}
