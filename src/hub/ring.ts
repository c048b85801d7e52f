import type { Position, PublishedEvent } from './event.ts'
import { weightOf } from './event-log.ts'

/**
 * The newest events, so that a subscriber which has nearly caught up can be given the rest in one synchronous step and
 * join the live ones: between a page of the log and the next there is always time for another commit.
 */
export class Ring {
  readonly #bytesMax: number
  #entries: (Entry | null)[] = []
  /** Entries before this index are gone (`null`); the array is cut now and then. */
  #start = 0
  /** Every event after this position is here. */
  #floor: Position
  /** Bytes of everything that ever passed, and of what has left: the difference is what is here. */
  #bytesIn = 0
  #bytesOut = 0

  constructor(head: Position, bytesMax: number) {
    this.#floor = head
    this.#bytesMax = bytesMax
  }

  push(events: readonly PublishedEvent[]): void {
    for (const event of events) {
      this.#bytesIn += weightOf(event)
      this.#entries.push({ event, bytesIn: this.#bytesIn })
    }
    while (this.#bytesIn - this.#bytesOut > this.#bytesMax) this.#dropOldest()
  }

  /** The events after a position; `null` when some of them are no longer here, or they exceed `bytesMax`. */
  after(position: Position, bytesMax: number): readonly PublishedEvent[] | null {
    if (position < this.#floor) return null
    let low = this.#start
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#entries[middle]!.event.position <= position) low = middle + 1
      else high = middle
    }
    const bytesBefore = low === this.#start ? this.#bytesOut : this.#entries[low - 1]!.bytesIn
    if (this.#bytesIn - bytesBefore > bytesMax) return null
    return this.#entries.slice(low).map((entry) => entry!.event)
  }

  #dropOldest(): void {
    const { event, bytesIn } = this.#entries[this.#start]!
    this.#floor = event.position
    this.#bytesOut = bytesIn
    this.#entries[this.#start++] = null
    if (this.#start > 1024 && this.#start * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start)
      this.#start = 0
    }
  }
}

interface Entry {
  readonly event: PublishedEvent
  /** What all events up to this one count for, since the beginning. */
  readonly bytesIn: number
}
