import type { PublishedEvent } from './event.ts'
import { isForAll } from './rights.ts'

/**
 * Which positions of the log have an event that is public to all: a bit for each position. So that whoever sees no other events can be
 * answered as if there were none (test/http/stream/privacy.test.ts). What was there when the log was opened counts as public.
 */
export class PublicPlaces {
  /** Up to here every position counts as public. */
  readonly #unknownTo: number
  /** Chunks of `CHUNK_PLACES` bits, by number, in increasing order. One that is not there has no public event. */
  readonly #chunks = new Map<number, Uint8Array>()
  #newest: number
  /** The newest public position among those that were forgotten. */
  #newestForgotten: number

  constructor(head: number) {
    this.#unknownTo = head
    this.#newest = head
    this.#newestForgotten = head
  }

  /** The newest public position; 0: there is none. */
  get newest(): number {
    return this.#newest
  }

  /** Chunks in memory. */
  get size(): number {
    return this.#chunks.size
  }

  /** In increasing order. `true`: that took memory, so that what is no longer kept is to be forgotten. */
  add(events: readonly PublishedEvent[]): boolean {
    let hasGrown = false
    for (const event of events) {
      if (!isForAll(event)) continue
      const { position } = event
      const number = Math.floor(position / CHUNK_PLACES)
      let chunk = this.#chunks.get(number)
      if (chunk === undefined) {
        this.#chunks.set(number, (chunk = new Uint8Array(CHUNK_PLACES / 8)))
        hasGrown = true
      }
      const place = position % CHUNK_PLACES
      chunk[place >>> 3]! |= 1 << (place & 7)
      this.#newest = position
    }
    return hasGrown
  }

  /** Nobody asks about these positions one by one any more. */
  forgetBefore(position: number): void {
    const first = Math.floor(position / CHUNK_PLACES)
    for (const number of this.#chunks.keys()) {
      if (number >= first) return
      const last = this.#lastIn(number, CHUNK_PLACES - 1)
      if (last !== null) this.#newestForgotten = last
      this.#chunks.delete(number)
    }
  }

  /** The newest public position before one; 0: there is none. */
  newestBefore(position: number): number {
    if (position <= this.#unknownTo + 1) return position - 1
    if (position > this.#newest) return this.#newest
    const end = position - 1
    const first = Math.floor(end / CHUNK_PLACES)
    for (let number = first; ; number = this.#numberBelow(number)) {
      if (number < 0) return this.#newestForgotten
      const last = this.#lastIn(number, number === first ? end % CHUNK_PLACES : CHUNK_PLACES - 1)
      if (last !== null) return last
    }
  }

  /** The oldest public position from one on; `Infinity`: there is none. */
  oldestFrom(position: number): number {
    if (position <= this.#unknownTo) return position
    const first = Math.floor(position / CHUNK_PLACES)
    for (const [number, chunk] of this.#chunks) {
      if (number < first) continue
      const start = number === first ? position % CHUNK_PLACES : 0
      for (let place = start; place < CHUNK_PLACES; place++)
        if (isSet(chunk, place)) return number * CHUNK_PLACES + place
    }
    return Infinity
  }

  #numberBelow(number: number): number {
    let below = -1
    for (const each of this.#chunks.keys()) {
      if (each >= number) break
      below = each
    }
    return below
  }

  #lastIn(number: number, from: number): number | null {
    const chunk = this.#chunks.get(number)
    if (chunk === undefined) return null
    for (let place = from; place >= 0; place--)
      if (isSet(chunk, place)) return number * CHUNK_PLACES + place
    return null
  }
}

function isSet(chunk: Uint8Array, place: number): boolean {
  return (chunk[place >>> 3]! & (1 << (place & 7))) !== 0
}

const CHUNK_PLACES = 4_096
