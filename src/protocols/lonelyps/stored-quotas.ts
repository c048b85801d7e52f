import { Quota } from '../../hub/quota.ts'
import { UsedByShares, type Share } from '../../hub/used-by-shares.ts'

export interface StoredQuotasOptions {
  readonly subscriptionsMax: number
  readonly bytesMax: number
  readonly globsMax: number
  /** What one share may have of them. 0: as many as are left free for all others. */
  readonly subscriptionsPerAddressMax: number
  readonly bytesPerAddressMax: number
  readonly globsPerAddressMax: number
}

/** A stored subscription, as it counts. */
export interface CountedSubscription {
  readonly share: Share
  readonly bytes: number
  /** `null`: it is about one topic. */
  readonly glob: string | null
}

/** How many of each there are, or are left, or come. */
export interface StoredCounts {
  readonly rows: number
  readonly bytes: number
  /** Different ones. */
  readonly globs: number
}

/** What each user or address holds of the subscriptions that are stored. */
export class StoredQuotas {
  readonly #rows: Quota
  readonly #bytes: Quota
  readonly #globs: Quota
  readonly #globUses = new Map<string, GlobUses>()

  constructor(options: StoredQuotasOptions) {
    this.#rows = new Quota({
      max: options.subscriptionsMax,
      perShareMax: options.subscriptionsPerAddressMax,
      names: { things: 'stored subscriptions', ...SUBSCRIPTIONS },
    })
    this.#bytes = new Quota({
      max: options.bytesMax,
      perShareMax: options.bytesPerAddressMax,
      names: { things: 'bytes of urls and topics in stored subscriptions', ...SUBSCRIPTIONS },
    })
    this.#globs = new Quota({
      max: options.globsMax,
      perShareMax: options.globsPerAddressMax,
      names: {
        things: 'different globs in stored subscriptions',
        max: 'protocols.lonelyps.globs',
        perShareMax: 'protocols.lonelyps.globs_per_address',
      },
    })
  }

  /**
   * Whether a share may store some in place of others. `created`: what there is more of then, `free`: what is left, of all shares.
   * @throws {ShareExceededError}
   */
  admit(
    share: Share,
    change: {
      readonly put: readonly CountedSubscription[]
      readonly gone: readonly CountedSubscription[]
      readonly created: StoredCounts
      readonly free: StoredCounts
    },
  ): void {
    const { put, created, free } = change
    const gone = change.gone.filter((each) => each.share === share)
    const fresh = new Set(put.flatMap(({ glob }) => glob ?? []))
    for (const glob of fresh)
      if ((this.#globUses.get(glob)?.usesBy(share) ?? 0) > 0) fresh.delete(glob)
    const demand = (added: number, of: keyof StoredCounts) => ({
      added,
      created: created[of],
      free: free[of],
    })
    this.#rows.admit(share, demand(put.length - gone.length, 'rows'))
    this.#bytes.admit(share, demand(bytesOf(put) - bytesOf(gone), 'bytes'))
    this.#globs.admit(share, demand(fresh.size, 'globs'))
  }

  charge({ share, bytes, glob }: CountedSubscription): void {
    this.#rows.charge(share, 1)
    this.#bytes.charge(share, bytes)
    if (glob === null) return
    const uses = this.#globUses.get(glob) ?? new GlobUses()
    this.#globUses.set(glob, uses)
    if (uses.addUse(share)) this.#globs.charge(share, 1)
  }

  /** Once for each time that it was charged. */
  release({ share, bytes, glob }: CountedSubscription): void {
    this.#rows.charge(share, -1)
    this.#bytes.charge(share, -bytes)
    if (glob === null) return
    const uses = this.#globUses.get(glob)!
    if (uses.removeUse(share)) this.#globs.charge(share, -1)
    if (!uses.isUsed) this.#globUses.delete(glob)
  }
}

class GlobUses extends UsedByShares {}

const SUBSCRIPTIONS = {
  max: 'protocols.lonelyps.subscriptions',
  perShareMax: 'protocols.lonelyps.subscriptions_per_address',
}

function bytesOf(subscriptions: readonly CountedSubscription[]): number {
  return subscriptions.reduce((sum, { bytes }) => sum + bytes, 0)
}
