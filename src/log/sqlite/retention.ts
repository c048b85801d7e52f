import type { EventRecord } from './record.ts'

export interface RetentionLimits {
  /** Events kept for replay; 0: none. */
  readonly eventsMax: number
  /** 0: no limit. */
  readonly maxAgeMs: number
  readonly bytesMax: number
}

/** The newest event, and the size of all that ever were. */
export interface End {
  readonly headSeq: number
  readonly bytes: number
}

/**
 * Which event is the oldest that is kept, exactly, however late the ones before it are deleted. Rows are looked at only
 * when one has passed its age or the size: a known row that is kept vouches for all after it.
 */
export class Retention {
  readonly #limits: RetentionLimits
  readonly #ago: (ageMs: number) => number
  readonly #firstFrom: (seq: number, until: number) => EventRecord | undefined
  #oldest: number
  /** Not after the oldest kept one. */
  #known: Mark | undefined

  constructor(
    limits: RetentionLimits,
    oldest: number,
    ago: (ageMs: number) => number,
    firstFrom: (seq: number, until: number) => EventRecord | undefined,
  ) {
    this.#limits = limits
    this.#oldest = oldest
    this.#ago = ago
    this.#firstFrom = firstFrom
  }

  /** `headSeq + 1` when none is kept. */
  oldest(end: End): number {
    const { eventsMax, maxAgeMs, bytesMax } = this.#limits
    const oldestMs = maxAgeMs === 0 ? -Infinity : this.#ago(maxAgeMs)
    const isKept = (mark: Mark) =>
      mark.publishedAtMs >= oldestMs && end.bytes - mark.bytesBefore <= bytesMax
    this.#oldest = Math.max(this.#oldest, end.headSeq + 1 - eventsMax)
    if (this.#known === undefined || !isKept(this.#known)) this.#search(end.headSeq, isKept)
    return this.#oldest
  }

  /** Size of what is kept. */
  bytes(end: End): number {
    const oldest = this.oldest(end)
    if (oldest > end.headSeq) return 0
    if (this.#known?.seq !== oldest) this.#known = this.#markAt(oldest, end.headSeq)
    return end.bytes - (this.#known?.bytesBefore ?? end.bytes)
  }

  /** First in growing steps, as it is mostly near, then by halves. */
  #search(headSeq: number, isKept: (mark: Mark) => boolean): void {
    let low = this.#oldest
    let high = low
    for (let step = 1; high <= headSeq; step *= 2) {
      const mark = this.#markAt(high, headSeq)
      if (mark === undefined || isKept(mark)) break
      low = high + 1
      high += step
    }
    high = Math.min(high, headSeq + 1)
    while (low < high) {
      const middle = (low + high) >>> 1
      const mark = this.#markAt(middle, headSeq)
      if (mark === undefined || isKept(mark)) high = middle
      else low = middle + 1
    }
    this.#oldest = low
    this.#known = this.#markAt(low, headSeq)
  }

  /** A damaged row counts as the next one that is whole. */
  #markAt(seq: number, headSeq: number): Mark | undefined {
    const event = seq > headSeq ? undefined : this.#firstFrom(seq, headSeq)
    return event && { seq, publishedAtMs: event.publishedAtMs, bytesBefore: event.bytesBefore }
  }
}

interface Mark {
  readonly seq: number
  readonly publishedAtMs: number
  readonly bytesBefore: number
}
