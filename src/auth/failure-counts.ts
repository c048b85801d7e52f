import type { Clock } from './clock.ts'
import type { Turn } from './turn.ts'

export interface FailureCount {
  readonly failures: number
  /** Attempts that have not been judged yet. */
  waiting: number
  /** Nothing of this key is judged before. */
  nextTurnMs: number
  /** The last one that was given and has not come. */
  lastTurn: Turn | null
}

/** Failures by key. Those without another one for a while are forgotten; of too many keys the one that failed longest ago. */
export class FailureCounts {
  readonly #clock: Clock
  /** The one that failed last is the last. */
  readonly #counts = new Map<string, Mutable>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get isEmpty(): boolean {
    return this.#counts.size === 0
  }

  get(key: string): FailureCount | undefined {
    const count = this.#counts.get(key)
    if (count === undefined || this.#clock.now() - count.lastMs < FORGOTTEN_AFTER_MS) return count
    this.#counts.delete(key)
    return undefined
  }

  add(key: string): void {
    this.#keep(key).failures++
  }

  /** Has a place for it, also if it has not failed. */
  keep(key: string): void {
    this.#keep(key)
  }

  clear(key: string): void {
    this.#counts.delete(key)
  }

  #keep(key: string): Mutable {
    this.get(key) // which forgets
    const count = this.#counts.get(key) ?? {
      failures: 0,
      waiting: 0,
      nextTurnMs: -Infinity,
      lastTurn: null,
      lastMs: 0,
    }
    count.lastMs = this.#clock.now()
    this.#counts.delete(key)
    this.#counts.set(key, count)
    for (const [oldest, { lastMs }] of this.#counts) {
      const isOld = this.#clock.now() - lastMs >= FORGOTTEN_AFTER_MS
      if (!isOld && this.#counts.size <= KEYS_MAX) break
      this.#counts.delete(oldest)
    }
    return count
  }
}

interface Mutable {
  failures: number
  waiting: number
  nextTurnMs: number
  lastTurn: Turn | null
  lastMs: number
}

/** At one guess in four seconds that is long; for somebody who has mistyped it is over after a coffee. */
const FORGOTTEN_AFTER_MS = 900_000

/** Some 200 bytes each. */
const KEYS_MAX = 20_000
