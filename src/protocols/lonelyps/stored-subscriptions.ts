import type { Cursor } from '../../hub/event.ts'
import { OverloadedError } from '../../hub/errors.ts'
import { NotAllowedError } from './errors.ts'
import type { StateChange, StateStore } from '../../hub/state-store.ts'
import { StoredQuotas, type CountedSubscription, type StoredCounts } from './stored-quotas.ts'
import type { Share } from '../../hub/used-by-shares.ts'
import { Interests, interestKey, type Interest } from './interests.ts'
import type { Topic } from './topic.ts'

/** A subscription of the stateless mode. */
export interface StoredSubscription {
  readonly interest: Interest
  /** Where its events go. */
  readonly url: string
  /** Where to say that something may be missing. `null`: nowhere. */
  readonly recovery: string | null
  /** Whose secrets and rights hold for it. `null`: those of everybody. */
  readonly owner: string | null
  /** Whom it is counted for; `undefined`: nobody, as older servers did not store it. */
  readonly share?: Share
  /** Events behind this place are due. */
  readonly since: Cursor
}

export interface StoredSubscriptionLimits {
  /** All together; they have 1 KiB each on average. */
  readonly subscriptionsMax: number
  readonly subscriptionsPerPeerMax: number
  /** Of all, those of one user or address. 0: as many as are left for all others. */
  readonly subscriptionsPerAddressMax: number
  /** Different ones. */
  readonly globsMax: number
  /** Likewise. */
  readonly globsPerAddressMax: number
}

/** The rows that are wanted for one url, by what they are about. */
export interface WantedRow {
  readonly interest: Interest
  readonly recovery: string | null
}

export interface StoredSubscriptionsOptions {
  readonly state: StateStore
  readonly limits: StoredSubscriptionLimits
  /** The rows of a url are other ones now. */
  readonly onChange: (url: string) => void
  /** Whether that owner may still come: rows of one who may not are anybody's. */
  readonly isKnown: (owner: string | null) => boolean
}

/** The subscriptions of the stateless mode, durable. Changes of one url come one after another. */
export class StoredSubscriptions {
  readonly #options: StoredSubscriptionsOptions
  /** The rows of each url, by interest. */
  readonly #byUrl = new Map<string, Map<string, StoredSubscription>>()
  readonly #interests = new Interests<StoredSubscription>()
  readonly #globsByUrl = new Map<string, Set<StoredSubscription>>()
  readonly #quotas: StoredQuotas
  readonly #turns = new Map<string, Promise<unknown>>()
  #size = 0
  #bytes = 0
  /** What changes that are being stored will take: others must not take their room meanwhile. */
  readonly #coming: Growth = { rows: 0, bytes: 0, globs: 0 }

  static async load(options: StoredSubscriptionsOptions): Promise<StoredSubscriptions> {
    const rows = new StoredSubscriptions(options)
    for await (const { value } of options.state.entries(SPACE)) {
      const row = rowFrom(value)
      rows.#quotas.charge(countedOf(row))
      rows.#put(row)
    }
    return rows
  }

  private constructor(options: StoredSubscriptionsOptions) {
    this.#options = options
    const { limits } = options
    this.#quotas = new StoredQuotas({
      ...limits,
      bytesMax: limits.subscriptionsMax * ROW_BYTES,
      bytesPerAddressMax: limits.subscriptionsPerAddressMax * ROW_BYTES,
    })
  }

  get size(): number {
    return this.#size
  }

  get urls(): Iterable<string> {
    return this.#byUrl.keys()
  }

  hasAny(url: string): boolean {
    return this.#byUrl.has(url)
  }

  of(url: string): readonly StoredSubscription[] {
    return [...(this.#byUrl.get(url)?.values() ?? [])]
  }

  /** What that subscription is now: with another recovery url, perhaps. `null`: it has ended, even if another one was made. */
  current(row: StoredSubscription): StoredSubscription | null {
    const now = this.#byUrl.get(row.url)?.get(interestKey(row.interest))
    return now?.since === row.since ? now : null
  }

  /** @throws {NotAllowedError} somebody else has subscriptions for that url. */
  checkOwner(url: string, owner: string | null): void {
    for (const row of this.#byUrl.get(url)?.values() ?? [])
      if (row.owner !== owner && this.#options.isKnown(row.owner))
        throw new NotAllowedError('the subscriptions of this url are somebody else’s')
  }

  /** Those whose interest matches, exact ones first. `null`: see `Interests`. */
  *matching(topic: Topic): Generator<StoredSubscription | null, void> {
    for (const rows of this.#interests.matching(topic))
      if (rows === null) yield null
      else yield* Array.from(rows) // they may change meanwhile
  }

  /** Those of one url, however many others match. `null`: see `Interests`. */
  *matchingOf(url: string, { bytes, text }: Topic): Generator<StoredSubscription | null, void> {
    const exact = this.#byUrl.get(url)?.get(interestKey({ type: 'exact', topic: bytes }))
    const globs = text === null ? [] : Array.from(this.#globsByUrl.get(url) ?? [])
    if (exact !== undefined) yield exact
    for (const row of globs)
      if (row.interest.type === 'glob')
        yield this.#interests.globMatches(row.interest.glob, text!) ? row : null
  }

  /**
   * @returns false: it was there already, and nothing is changed.
   * @throws {NotAllowedError | OverloadedError | ShareExceededError | LogUnavailableError}
   */
  add(row: StoredSubscription): Promise<boolean> {
    return this.#inTurn(row.url, async () => {
      this.checkOwner(row.url, row.owner)
      const present = this.#byUrl.get(row.url)
      const before = present?.get(interestKey(row.interest))
      if (before?.owner === row.owner) return false
      const { subscriptionsPerPeerMax } = this.#options.limits
      if (before === undefined && (present?.size ?? 0) >= subscriptionsPerPeerMax)
        throw new NotAllowedError(
          `one url may have ${subscriptionsPerPeerMax} subscriptions ` +
            '(protocols.lonelyps.subscriptions_per_peer)',
        )
      await this.#change([row], [])
      return true
    })
  }

  /** @returns false: there was none. @throws {NotAllowedError | LogUnavailableError} */
  remove(url: string, interest: Interest, owner: string | null): Promise<boolean> {
    return this.#inTurn(url, async () => {
      this.checkOwner(url, owner)
      const row = this.#byUrl.get(url)?.get(interestKey(interest))
      if (row === undefined) return false
      await this.#change([], [row])
      return true
    })
  }

  /** Ends one that its receiver does not want any more. @throws {LogUnavailableError} */
  async end(row: StoredSubscription): Promise<void> {
    await this.#inTurn(row.url, async () => {
      const now = this.current(row)
      if (now !== null) await this.#change([], [now])
    })
  }

  /**
   * From now on the url has these rows, and no others. Those that stay keep their place.
   * @throws {NotAllowedError | OverloadedError | ShareExceededError | LogUnavailableError} nothing is changed.
   */
  set(
    url: string,
    wanted: readonly WantedRow[],
    { owner, share, since }: Pick<StoredSubscription, 'owner' | 'share' | 'since'>,
  ): Promise<void> {
    return this.#inTurn(url, async () => {
      this.checkOwner(url, owner)
      const present = this.#byUrl.get(url) ?? new Map<string, StoredSubscription>()
      const kept = new Set<StoredSubscription>()
      const added: StoredSubscription[] = []
      for (const { interest, recovery } of wanted) {
        const row = present.get(interestKey(interest))
        if (row !== undefined && row.recovery === recovery && row.owner === owner) kept.add(row)
        else added.push({ interest, url, recovery, owner, share, since: row?.since ?? since })
      }
      const replaced = new Set(added.map(({ interest }) => interestKey(interest)))
      const gone = [...present.values()].filter(
        (row) => !kept.has(row) && !replaced.has(interestKey(row.interest)),
      )
      await this.#change(added, gone)
    })
  }

  async #change(
    put: readonly StoredSubscription[],
    drop: readonly StoredSubscription[],
  ): Promise<void> {
    if (put.length === 0 && drop.length === 0) return
    const replaced = put.flatMap(({ url, interest }) => {
      const row = this.#byUrl.get(url)?.get(interestKey(interest))
      return row === undefined ? [] : [row]
    })
    const gone = [...replaced, ...drop].map(countedOf)
    const growth = this.#growthOf(put, gone)
    this.#refuseTooMany(growth)
    const counted = put.map(countedOf)
    const share = put[0]?.share // one request has them all
    this.#quotas.admit(share, { put: counted, gone, created: growth, free: this.#free })
    const changes: StateChange[] = [
      ...drop.map((row) => ({ space: SPACE, key: rowKey(row), value: null })),
      ...put.map((row) => ({ space: SPACE, key: rowKey(row), value: textOf(row) })),
    ]
    this.#expect(growth, 1)
    for (const each of counted) this.#quotas.charge(each)
    try {
      await this.#options.state.apply(changes)
      for (const each of gone) this.#quotas.release(each)
    } catch (error) {
      for (const each of counted) this.#quotas.release(each)
      throw error
    } finally {
      this.#expect(growth, -1)
    }
    for (const row of drop) this.#drop(row)
    for (const row of put) this.#put(row)
    this.#options.onChange((put[0] ?? drop[0]!).url)
  }

  #growthOf(put: readonly StoredSubscription[], gone: readonly CountedSubscription[]): Growth {
    const globs = new Set(
      put.flatMap(({ interest }) =>
        interest.type === 'glob' && !this.#interests.has(interest) ? [interest.glob] : [],
      ),
    )
    return {
      rows: put.length - gone.length,
      bytes: bytesOf(put) - gone.reduce((sum, { bytes }) => sum + bytes, 0),
      globs: globs.size,
    }
  }

  /** What nobody has, nor will have once all that comes is stored. */
  get #free(): StoredCounts {
    const { subscriptionsMax, globsMax } = this.#options.limits
    const { rows, bytes, globs } = this.#coming
    return {
      rows: subscriptionsMax - this.#size - rows,
      bytes: subscriptionsMax * ROW_BYTES - this.#bytes - bytes,
      globs: globsMax - this.#interests.globCount - globs,
    }
  }

  /** Room that a change makes is free only when it is stored. */
  #expect({ rows, bytes, globs }: Growth, sign: 1 | -1): void {
    this.#coming.rows += sign * Math.max(0, rows)
    this.#coming.bytes += sign * Math.max(0, bytes)
    this.#coming.globs += sign * globs
  }

  #refuseTooMany({ rows, bytes, globs }: Growth): void {
    const { subscriptionsMax, globsMax } = this.#options.limits
    const coming = this.#coming
    if (rows > 0 && this.#size + coming.rows + rows > subscriptionsMax)
      throw new OverloadedError(
        `there are ${this.#size} stored subscriptions, the limit is ${subscriptionsMax} ` +
          '(protocols.lonelyps.subscriptions)',
      )
    const bytesMax = subscriptionsMax * ROW_BYTES
    if (bytes > 0 && this.#bytes + coming.bytes + bytes > bytesMax)
      throw new OverloadedError(
        `the stored subscriptions have ${this.#bytes} bytes, the limit is ${bytesMax}: ` +
          `${ROW_BYTES} for each that protocols.lonelyps.subscriptions allows`,
      )
    if (globs > 0 && this.#interests.globCount + coming.globs + globs > globsMax)
      throw new OverloadedError(
        `stored subscriptions have ${this.#interests.globCount} different globs, the limit is ` +
          `${globsMax} (protocols.lonelyps.globs)`,
      )
  }

  #put(row: StoredSubscription): void {
    const rows = this.#byUrl.get(row.url) ?? new Map<string, StoredSubscription>()
    this.#byUrl.set(row.url, rows)
    const key = interestKey(row.interest)
    const before = rows.get(key)
    // At once: whoever is going through the interests finds the one or the other.
    this.#interests.add(row.interest, row)
    if (before !== undefined) this.#drop(before)
    this.#byUrl.set(row.url, rows)
    rows.set(key, row)
    if (row.interest.type === 'glob') {
      const globs = this.#globsByUrl.get(row.url) ?? new Set<StoredSubscription>()
      this.#globsByUrl.set(row.url, globs.add(row))
    }
    this.#size++
    this.#bytes += bytesOf([row])
  }

  #drop(row: StoredSubscription): void {
    const rows = this.#byUrl.get(row.url)!
    rows.delete(interestKey(row.interest))
    if (rows.size === 0) this.#byUrl.delete(row.url)
    this.#interests.remove(row.interest, row)
    const globs = this.#globsByUrl.get(row.url)
    if (globs?.delete(row) === true && globs.size === 0) this.#globsByUrl.delete(row.url)
    this.#size--
    this.#bytes -= bytesOf([row])
  }

  async #inTurn<R>(url: string, work: () => Promise<R>): Promise<R> {
    const turn = (this.#turns.get(url) ?? Promise.resolve()).then(work)
    const settled = turn.catch(() => {})
    this.#turns.set(url, settled)
    try {
      return await turn
    } finally {
      if (this.#turns.get(url) === settled) this.#turns.delete(url)
    }
  }
}

/** How many more a change makes of them. */
interface Growth {
  rows: number
  bytes: number
  globs: number
}

const SPACE = 'lonelyps.rows'

/** On average: urls and topics of 64 KiB each would be 20 GB with the default limit. */
const ROW_BYTES = 1_024

/** Bytes that peers chose. */
function bytesOf(rows: readonly StoredSubscription[]): number {
  return rows.reduce(
    (sum, { url, interest, recovery }) =>
      sum +
      url.length +
      (interest.type === 'exact' ? interest.topic.length : interest.glob.length) +
      (recovery?.length ?? 0),
    0,
  )
}

/** Names a row in storage. */
export function rowKey({ url, interest }: Pick<StoredSubscription, 'url' | 'interest'>): string {
  const about = interest.type === 'exact' ? interest.topic.toString('base64url') : interest.glob
  return JSON.stringify([url, interest.type, about])
}

function countedOf(row: StoredSubscription): CountedSubscription {
  const { share, interest } = row
  const glob = interest.type === 'glob' ? interest.glob : null
  return { share, bytes: bytesOf([row]), glob }
}

function textOf({ interest, ...row }: StoredSubscription): Buffer {
  const about =
    interest.type === 'exact'
      ? { topic: interest.topic.toString('base64url') }
      : { glob: interest.glob }
  return Buffer.from(JSON.stringify({ ...row, ...about }))
}

function rowFrom(value: Uint8Array): StoredSubscription {
  const { topic, glob, ...rest } = JSON.parse(Buffer.from(value).toString('utf8')) as Omit<
    StoredSubscription,
    'interest'
  > & { topic?: string; glob?: string }
  const interest: Interest =
    glob === undefined
      ? { type: 'exact', topic: Buffer.from(topic!, 'base64url') }
      : { type: 'glob', glob }
  return { ...rest, interest }
}
