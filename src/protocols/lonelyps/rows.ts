import type { Cursor } from '../../hub/event.ts'
import { OverloadedError } from '../../hub/errors.ts'
import type { StateChange, StateStore } from '../../hub/state-store.ts'
import { Interests, interestKey, type Interest } from './interests.ts'
import type { Topic } from './topic.ts'

/** A subscription of the stateless mode. */
export interface Row {
  readonly interest: Interest
  /** Where its events go. */
  readonly url: string
  /** Where to say that something may be missing. `null`: nowhere. */
  readonly recovery: string | null
  /** Whose secrets and rights hold for it. `null`: those of everybody. */
  readonly owner: string | null
  /** Events behind this place are due. */
  readonly since: Cursor
}

export interface RowLimits {
  readonly subscriptionsMax: number
  /** Different ones. */
  readonly globsMax: number
}

/** The rows that are wanted for one url, by what they are about. */
export interface WantedRow {
  readonly interest: Interest
  readonly recovery: string | null
}

/** The subscriptions of the stateless mode, durable. Changes of one url come one after another. */
export class Rows {
  readonly #state: StateStore
  readonly #limits: RowLimits
  /** Of each url, by interest. */
  readonly #byUrl = new Map<string, Map<string, Row>>()
  readonly #interests = new Interests<Row>()
  readonly #turns = new Map<string, Promise<unknown>>()
  readonly #onChange: (url: string) => void
  #size = 0

  /** `onChange`: the rows of a url are other ones now. */
  static async load(
    state: StateStore,
    limits: RowLimits,
    onChange: (url: string) => void,
  ): Promise<Rows> {
    const rows = new Rows(state, limits, onChange)
    for await (const { value } of state.entries(SPACE)) rows.#put(rowFrom(value))
    return rows
  }

  private constructor(state: StateStore, limits: RowLimits, onChange: (url: string) => void) {
    this.#state = state
    this.#limits = limits
    this.#onChange = onChange
  }

  get urls(): Iterable<string> {
    return this.#byUrl.keys()
  }

  of(url: string): readonly Row[] {
    return [...(this.#byUrl.get(url)?.values() ?? [])]
  }

  /** It is there, as it was given. */
  has(row: Row): boolean {
    return this.#byUrl.get(row.url)?.get(interestKey(row.interest)) === row
  }

  /** Those whose interest matches, exact ones first. */
  *matching(topic: Topic): Iterable<Row> {
    for (const rows of this.#interests.matching(topic)) yield* rows
  }

  /** @returns false: it was there already, and nothing is changed. @throws {OverloadedError} {LogUnavailableError} */
  add(row: Row): Promise<boolean> {
    return this.#inTurn(row.url, async () => {
      if (this.#byUrl.get(row.url)?.has(interestKey(row.interest)) === true) return false
      await this.#change([row], [])
      return true
    })
  }

  /** @returns false: there was none. @throws {LogUnavailableError} */
  remove(url: string, interest: Interest): Promise<boolean> {
    return this.#inTurn(url, async () => {
      const row = this.#byUrl.get(url)?.get(interestKey(interest))
      if (row === undefined) return false
      await this.#change([], [row])
      return true
    })
  }

  /** Ends one that its receiver does not want any more, unless it has been replaced. @throws {LogUnavailableError} */
  async end(row: Row): Promise<void> {
    await this.#inTurn(row.url, async () => {
      if (this.has(row)) await this.#change([], [row])
    })
  }

  /**
   * From now on the url has these rows, and no others. Those that stay keep their place.
   * @throws {OverloadedError} {LogUnavailableError} nothing is changed.
   */
  set(
    url: string,
    wanted: readonly WantedRow[],
    { owner, since }: Pick<Row, 'owner' | 'since'>,
  ): Promise<void> {
    return this.#inTurn(url, async () => {
      const present = this.#byUrl.get(url) ?? new Map<string, Row>()
      const kept = new Set<Row>()
      const added: Row[] = []
      for (const { interest, recovery } of wanted) {
        const row = present.get(interestKey(interest))
        if (row !== undefined && row.recovery === recovery && row.owner === owner) kept.add(row)
        else added.push({ interest, url, recovery, owner, since: row?.since ?? since })
      }
      const replaced = new Set(added.map(({ interest }) => interestKey(interest)))
      const gone = [...present.values()].filter(
        (row) => !kept.has(row) && !replaced.has(interestKey(row.interest)),
      )
      await this.#change(added, gone)
    })
  }

  async #change(put: readonly Row[], drop: readonly Row[]): Promise<void> {
    if (put.length === 0 && drop.length === 0) return
    this.#refuseTooMany(put, drop)
    const changes: StateChange[] = [
      ...drop.map((row) => ({ space: SPACE, key: rowKey(row), value: null })),
      ...put.map((row) => ({ space: SPACE, key: rowKey(row), value: textOf(row) })),
    ]
    await this.#state.apply(changes)
    for (const row of drop) this.#drop(row)
    for (const row of put) this.#put(row)
    this.#onChange((put[0] ?? drop[0]!).url)
  }

  #refuseTooMany(put: readonly Row[], drop: readonly Row[]): void {
    const { subscriptionsMax, globsMax } = this.#limits
    if (this.#size + put.length - drop.length > subscriptionsMax)
      throw new OverloadedError(
        `there are ${this.#size} stored subscriptions, the limit is ${subscriptionsMax} ` +
          '(protocols.lonelyps.subscriptions)',
      )
    const globs = new Set(
      put.flatMap(({ interest }) =>
        interest.type === 'glob' && !this.#interests.has(interest) ? [interest.glob] : [],
      ),
    )
    if (globs.size > 0 && this.#interests.globCount + globs.size > globsMax)
      throw new OverloadedError(
        `stored subscriptions have ${this.#interests.globCount} different globs, the limit is ` +
          `${globsMax} (protocols.lonelyps.globs)`,
      )
  }

  #put(row: Row): void {
    const rows = this.#byUrl.get(row.url) ?? new Map<string, Row>()
    this.#byUrl.set(row.url, rows)
    const key = interestKey(row.interest)
    const before = rows.get(key)
    if (before !== undefined) this.#drop(before)
    this.#byUrl.set(row.url, rows)
    rows.set(key, row)
    this.#interests.add(row.interest, row)
    this.#size++
  }

  #drop(row: Row): void {
    const rows = this.#byUrl.get(row.url)!
    rows.delete(interestKey(row.interest))
    if (rows.size === 0) this.#byUrl.delete(row.url)
    this.#interests.remove(row.interest, row)
    this.#size--
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

const SPACE = 'lonelyps.rows'

/** Names a row in storage. */
export function rowKey({ url, interest }: Pick<Row, 'url' | 'interest'>): string {
  const about = interest.type === 'exact' ? interest.topic.toString('base64url') : interest.glob
  return JSON.stringify([url, interest.type, about])
}

function textOf({ interest, url, recovery, owner, since }: Row): Buffer {
  const about =
    interest.type === 'exact'
      ? { topic: interest.topic.toString('base64url') }
      : { glob: interest.glob }
  return Buffer.from(JSON.stringify({ url, ...about, recovery, owner, since }))
}

function rowFrom(value: Uint8Array): Row {
  const { topic, glob, ...rest } = JSON.parse(Buffer.from(value).toString('utf8')) as Omit<
    Row,
    'interest'
  > & { topic?: string; glob?: string }
  const interest: Interest =
    glob === undefined
      ? { type: 'exact', topic: Buffer.from(topic!, 'base64url') }
      : { type: 'glob', glob }
  return { ...rest, interest }
}
