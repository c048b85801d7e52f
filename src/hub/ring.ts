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
    if (!this.holdsAfter(position)) return null
    const start = this.#indexAfter(position)
    if (this.#bytesIn - this.#bytesBefore(start) > bytesMax) return null
    return this.#entries.slice(start).map((entry) => entry!.event)
  }

  /** Every event after this position is here. */
  get keptFrom(): Position {
    return this.#floor
  }

  /** All events after a position are here. */
  holdsAfter(position: Position): boolean {
    return position >= this.#floor
  }

  /** The first ones after such a position: as many as `bytesMax` allows, and at least one. There is one. */
  firstAfter(position: Position, bytesMax: number): readonly PublishedEvent[] {
    const start = this.#indexAfter(position)
    const bytesEnd = this.#bytesBefore(start) + bytesMax
    let end = start + 1
    while (end < this.#entries.length && this.#entries[end]!.bytesIn <= bytesEnd) end++
    return this.#entries.slice(start, end).map((entry) => entry!.event)
  }

  #indexAfter(position: Position): number {
    let low = this.#start
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#entries[middle]!.event.position <= position) low = middle + 1
      else high = middle
    }
    return low
  }

  #bytesBefore(index: number): number {
    return index === this.#start ? this.#bytesOut : this.#entries[index - 1]!.bytesIn
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
