import { ShareExceededError } from './errors.ts'
import type { PubSubError } from '../publication/errors.ts'
import type { Share } from './used-by-shares.ts'

export interface QuotaOptions {
  /** What all shares may hold together. */
  readonly max: number
  /** What one share may hold. 0: as many as are left free for all others. */
  readonly perShareMax: number
  /** For whom a share has too many. */
  readonly names: {
    readonly things: string
    /** Settings. */
    readonly max: string
    readonly perShareMax: string
  }
  /** Absent: `ShareExceededError`. */
  readonly TooMany?: new (message: string) => PubSubError
}

/** What a share asks for. */
export interface Demand {
  /** So many more it would hold. */
  readonly added: number
  /** How many of them nobody has yet, so that all would have so many more. */
  readonly created: number
  /** So many are left for all. */
  readonly free: number
}

/**
 * How much each share holds of something that is limited for all together. Things that several hold count for each of them.
 *
 * Without a number for one share, it may hold as many as are left free: one alone half of all, another one beside it a
 * quarter. Whoever holds nothing gets what is left. What is there already takes nothing from others, but is charged, too, and
 * refused beyond that: otherwise one address could keep what another one has made, which then makes as much again. A few of
 * such things anybody may have.
 * Held by `test/hub/shares.test.ts`.
 */
export class Quota {
  readonly #options: QuotaOptions
  readonly #held = new Map<string, number>()

  constructor(options: QuotaOptions) {
    this.#options = options
  }

  /** @throws {ShareExceededError} */
  admit(share: Share, demand: Demand): void {
    if (share === undefined || demand.added <= 0) return
    const held = this.#held.get(share) ?? 0
    const limit = this.#limitOf(held, demand)
    if (held + demand.added > limit) throw this.#refusal(held, limit, demand.added)
  }

  /** `count`: negative where the share has so many fewer. */
  charge(share: Share, count: number): void {
    if (share === undefined || count === 0) return
    const held = (this.#held.get(share) ?? 0) + count
    if (held === 0) this.#held.delete(share)
    else this.#held.set(share, held)
  }

  #limitOf(held: number, { created, free }: Demand): number {
    const { max, perShareMax } = this.#options
    if (perShareMax > 0) return perShareMax
    if (held === 0) return Infinity
    return created > 0 ? free : Math.max(free, Math.floor(max / FEW_PART))
  }

  #refusal(held: number, limit: number, added: number): PubSubError {
    const { perShareMax, names, TooMany = ShareExceededError } = this.#options
    const exceeding = `you have ${held} ${names.things}; ${added} more would exceed ${names.perShareMax}`
    return new TooMany(
      perShareMax > 0
        ? `${exceeding}, which is ${limit} for one user or address`
        : `${exceeding}, which is what is left of ${names.max} for all others: ${limit} now`,
    )
  }
}

/** So small a part of all is a few, of what is there already. */
const FEW_PART = 64
