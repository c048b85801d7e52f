import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { EVENT_OVERHEAD_BYTES, type PageGap } from '../../hub/event-log.ts'
import { matcherOf, type FilteredEvent, type TopicFilter } from '../../hub/topics.ts'
import { PageFill } from '../page-fill.ts'
import { LastPlaces } from '../last-places.ts'
import { INDEXED_TO, PATHS_FROM } from './index-writer.ts'
import { recordOf, type EventRecord } from './record.ts'
import { columnsIn } from './schema.ts'
import { SweptTo } from './store-extent.ts'
import { keysOfEvent, keysOfFilter, pathKey, PRIVATE_KEY } from './topic-keys.ts'

/** What is wanted of the rows after one, up to another. */
export interface RowsWanted {
  readonly after: number
  readonly until: number
  /** The oldest row that is kept; older ones may still be there. */
  readonly oldest: number
  readonly filters: readonly TopicFilter[] | undefined
  /** As in `ReadOptions`. */
  readonly publicOnly?: boolean | undefined
  /** As in `ReadOptions`. */
  readonly pageBytes: number
}

export interface RowsFound {
  readonly events: readonly EventRecord[]
  /** Every row up to here has been looked at. */
  readonly reached: number
  readonly gap: PageGap | null
}

/** What is wanted of the rows before one, down to another. */
export interface RowsWantedBack {
  readonly before: number
  readonly downTo: number
  /** As in `RowsWanted`. */
  readonly oldest: number
  readonly filters: readonly TopicFilter[] | undefined
  readonly pageBytes: number
  /** How many rows are worth looking at for a page, by the page before this one; `null`: it is the first. */
  readonly rows: number | null
}

/** The newest event is the first. `reached`: every row from here on has been looked at. */
export interface RowsFoundBack extends RowsFound {
  /** There is nothing more. */
  readonly isEnd: boolean
  /** For the next page. */
  readonly rows: number
}

/** Whose last event is wanted: of a path, among some rows. */
export interface LastWanted {
  readonly path: string
  readonly oldest: number
  readonly until: number
  /** What the answer before said; absent in the first question. */
  readonly searchUntil?: number
}

/** The event; that there is none; or up to which row nobody has looked yet. */
export type LastFound =
  | { readonly event: EventRecord | null }
  | { readonly event: null; readonly searchUntil: number }

/** Reads the events of a store, by row or through the topic index, around whatever is damaged. */
export class RowReader {
  readonly #database: DatabaseSync
  readonly #range: StatementSync
  readonly #single: StatementSync
  readonly #postings: StatementSync
  readonly #postingsAndPrivacy: StatementSync
  readonly #firstAfter: StatementSync
  readonly #indexedTo: StatementSync
  readonly #pathsFrom: StatementSync
  readonly #lastPosting: StatementSync
  readonly #paths: StatementSync
  readonly #lastWithPath: StatementSync
  /** The last row of each path among those that the index does not hold yet. */
  readonly #latePaths = new LastPlaces()
  readonly #swept: SweptTo
  readonly #onDamage: (message: string) => void

  constructor(database: DatabaseSync, onDamage: (message: string) => void) {
    this.#database = database
    this.#onDamage = onDamage
    this.#swept = new SweptTo(database)
    const prepare = (sql: string): StatementSync => {
      const statement = database.prepare(sql)
      statement.setReturnArrays(true)
      return statement
    }
    const columns = columnsIn(database)
    this.#range = prepare(`SELECT ${columns} FROM events WHERE seq > ? AND seq <= ? ORDER BY seq`)
    this.#single = prepare(`SELECT ${columns} FROM events WHERE seq = ?`)
    this.#postings = prepare(
      `SELECT seq FROM postings WHERE topic_key = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ${POSTINGS_PER_PAGE}`,
    )
    this.#postingsAndPrivacy = prepare(
      `SELECT seq, EXISTS (SELECT 1 FROM postings WHERE topic_key = ${PRIVATE_KEY} AND seq = each.seq)
       FROM postings AS each WHERE topic_key = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ${POSTINGS_PER_PAGE}`,
    )
    this.#firstAfter = prepare('SELECT seq FROM events WHERE seq > ? ORDER BY seq LIMIT 1')
    this.#indexedTo = prepare(`SELECT value FROM meta WHERE name = '${INDEXED_TO}'`)
    this.#pathsFrom = prepare(`SELECT value FROM meta WHERE name = '${PATHS_FROM}'`)
    this.#lastPosting = prepare(
      'SELECT max(seq) FROM postings WHERE topic_key = ? AND seq >= ? AND seq <= ?',
    )
    this.#paths = prepare('SELECT seq, path FROM events WHERE seq > ? AND seq <= ? ORDER BY seq')
    this.#lastWithPath = prepare(
      'SELECT max(seq) FROM events WHERE path = ? AND seq >= ? AND seq <= ?',
    )
  }

  page({ after, until, oldest, filters, publicOnly, pageBytes }: RowsWanted): RowsFound {
    return this.#atOneMoment(() => {
      const start = Math.min(until, Math.max(after, oldest - 1, this.#swept.seq - 1))
      const page = new PageOfRows(start, until, { filters, publicOnly }, pageBytes)
      if (start > after) page.gap = 'expired'
      this.#goOn(page, filters)
      return page
    })
  }

  /** Reads forward, as `page` does, a stretch of rows that is cut until its events fit in a page: damage is met in one way only. */
  pageBack(wanted: RowsWantedBack): RowsFoundBack {
    const { before, downTo, oldest, filters, pageBytes } = wanted
    const rowsMax = areIndexed(filters) ? ROWS_SEARCHED_BACK_MAX : SCANNED_PER_PAGE
    return this.#atOneMoment(() => {
      const lowest = Math.min(before, Math.max(downTo, oldest, this.#swept.seq))
      let rows = wanted.rows ?? rowsMax
      for (;;) {
        const after = Math.max(lowest - 1, before - 1 - rows)
        const page = new PageOfRows(after, before - 1, { filters }, pageBytes)
        while (!page.isFull) this.#goOn(page, filters)
        if (page.reached < before - 1) {
          rows = Math.max(1, Math.floor((page.reached - after) * 0.75))
          continue
        }
        const isEnd = after < lowest
        return {
          events: page.events.toReversed(),
          reached: after + 1,
          gap: page.gap ?? (isEnd && downTo < lowest ? 'expired' : null),
          isEnd,
          rows: page.isLessThanHalf ? Math.min(rowsMax, rows * 2) : rows,
        }
      }
    })
  }

  /** The last event of exactly this path. */
  lastOf(wanted: LastWanted): LastFound {
    return this.#atOneMoment(() => {
      const oldest = Math.max(wanted.oldest, this.#swept.seq)
      const { path, until, searchUntil } = wanted
      if (searchUntil !== undefined) return this.#searchLast(path, oldest, searchUntil)
      const seq = this.#indexedLast(path, oldest, until)
      if (seq === undefined) return { event: null, searchUntil: until }
      // Another path may have the same key, and what is damaged is not the last event.
      if (seq !== null) return this.#withPath(seq, path) ?? { event: null, searchUntil: seq - 1 }
      const pathsFrom = (this.#pathsFrom.get() as unknown as [number] | undefined)?.[0] ?? Infinity
      return pathsFrom <= oldest
        ? { event: null }
        : { event: null, searchUntil: Math.min(until, pathsFrom - 1) }
    })
  }

  /** Through the index, and what is not in it yet. `undefined`: that is damaged. */
  #indexedLast(path: string, oldest: number, until: number): number | null | undefined {
    try {
      const indexedTo = (this.#indexedTo.get() as unknown as [number] | undefined)?.[0] ?? 0
      const late = this.#latePaths
      late.dropBefore(Math.max(indexedTo + 1, oldest))
      const unseen = Math.max(late.until, indexedTo, oldest - 1)
      if (unseen < until) {
        for (const row of this.#paths.iterate(unseen, until)) {
          const [seq, each] = row as unknown as [number, string]
          late.set(each, seq)
        }
        late.until = until
      }
      const seq = late.get(path)
      if (seq !== undefined && seq <= until) return seq
      const found = this.#lastPosting.get(pathKey(path), oldest, until)
      return (found as unknown as [number | null])[0]
    } catch (error) {
      this.#onDamage(`the index of paths: ${(error as Error).message}`)
      return undefined
    }
  }

  #withPath(seq: number, path: string): { readonly event: EventRecord } | null {
    const row = this.#read(seq)
    const event = row === undefined ? null : recordOf(row)
    return event !== null && event.path === path ? { event } : null
  }

  /** Some rows: SQLite looks only at the beginning of each. */
  #searchLast(path: string, oldest: number, until: number): LastFound {
    const from = Math.max(oldest, until - ROWS_SEARCHED_FOR_PATH + 1)
    const next: LastFound =
      from <= oldest ? { event: null } : { event: null, searchUntil: from - 1 }
    try {
      for (let last: number | null = until; last >= from; last--) {
        last = (this.#lastWithPath.get(path, from, last) as unknown as [number | null])[0]
        if (last === null) return next
        const found = this.#withPath(last, path)
        if (found !== null) return found
      }
      return next
    } catch {
      // A page is malformed: row by row what is whole is found.
    }
    const page = new PageOfRows(from - 1, until, {}, Infinity)
    let event: EventRecord | null = null
    while (!page.isFull) {
      this.#scan(page, until)
      event = page.events.findLast((each) => each.path === path) ?? event
      page.events = []
    }
    return event === null ? next : { event }
  }

  /** One snapshot: what is deleted meanwhile must not look like damage. */
  #atOneMoment<T>(read: () => T): T {
    const isOwnTransaction = !this.#database.isTransaction
    if (isOwnTransaction) this.#database.exec('BEGIN')
    try {
      return read()
    } finally {
      // It has only read, and after a damaged page even a COMMIT fails. After some errors SQLite has ended it by itself.
      if (isOwnTransaction && this.#database.isTransaction) this.#database.exec('ROLLBACK')
    }
  }

  #goOn(page: PageOfRows, filters: readonly TopicFilter[] | undefined): void {
    if (areIndexed(filters)) this.#search(page, filters)
    else this.#scan(page, page.until)
  }

  /** The first row from `seq` on that is as it was written. */
  firstFrom(seq: number, until: number): EventRecord | undefined {
    const page = new PageOfRows(seq - 1, until, {}, 0)
    while (!page.isFull) this.#scan(page, until)
    return page.events[0]
  }

  #seqAfter(seq: number): number | undefined {
    return (this.#firstAfter.get(seq) as unknown as [number] | undefined)?.[0]
  }

  /** Through the index as far as it goes, the rest row by row. */
  #search(page: PageOfRows, filters: readonly TopicFilter[]): void {
    const start = page.reached
    try {
      const indexedTo = (this.#indexedTo.get() as unknown as [number] | undefined)?.[0] ?? 0
      const until = Math.min(page.until, indexedTo)
      if (start < until) return this.#searchIndex(page, filters, until)
    } catch (error) {
      this.#onDamage(`the topic index: ${(error as Error).message}`)
      page.restart(start)
    }
    this.#scan(page, page.until)
  }

  #searchIndex(page: PageOfRows, filters: readonly TopicFilter[], until: number): void {
    let end = until
    const keyOf = new Map<number, number>()
    for (const filter of filters) {
      const rarest = this.#rarest(filter, page, until)
      end = Math.min(end, rarest.end)
      for (const seq of rarest.seqs) keyOf.set(seq, rarest.key)
    }
    const seqs = [...keyOf.keys()].filter((seq) => seq <= end).toSorted((a, b) => a - b)
    if (seqs.length * ROWS_SCANNED_PER_SEEK > end - page.reached) return this.#scan(page, end)
    for (const seq of seqs) {
      const event = this.#take(page, seq, this.#read(seq))
      if (event !== null && !keysOfEvent(topicsOf(event), event.isPrivate).has(keyOf.get(seq)!))
        throw new Error(`it leads to event ${seq}, which has another topic`)
      if (page.isFull) return
    }
    page.reached = end
  }

  /** The next entries of that topic of a filter whose entries lead farthest. */
  #rarest(filter: TopicFilter, { reached, publicOnly }: PageOfRows, until: number): Entries {
    const ofTopics = [...keysOfFilter(filter)].map((key) =>
      publicOnly ? this.#publicEntries(key, reached, until) : this.#entries(key, reached, until),
    )
    return ofTopics.reduce((best, each) =>
      each.end > best.end || (each.end === best.end && each.seqs.length < best.seqs.length)
        ? each
        : best,
    )
  }

  #entries(key: number, after: number, until: number): Entries {
    const rows = this.#postings.all(key, after, until) as unknown as [number][]
    const seqs = rows.map(([seq]) => seq)
    return { key, seqs, end: seqs.length < POSTINGS_PER_PAGE ? until : seqs.at(-1)! }
  }

  /** As many, past private ones, which the index alone tells: their rows are not read. */
  #publicEntries(key: number, after: number, until: number): Entries {
    const seqs: number[] = []
    let end = after
    for (let looked = 0; looked < POSTINGS_PASSED_MAX && seqs.length < POSTINGS_PER_PAGE;) {
      const rows = this.#postingsAndPrivacy.all(key, end, until) as unknown as [number, number][]
      for (const [seq, isPrivate] of rows) if (isPrivate === 0) seqs.push(seq)
      if (rows.length < POSTINGS_PER_PAGE) return { key, seqs, end: until }
      looked += rows.length
      ;[end] = rows.at(-1)!
    }
    return { key, seqs, end }
  }

  #scan(page: PageOfRows, until: number): void {
    const end = Math.min(until, page.reached + SCANNED_PER_PAGE)
    try {
      for (const row of this.#range.iterate(page.reached, end)) {
        const [seq] = row as unknown as [number]
        // Otherwise a row is missing, or its number is damaged.
        if (seq === page.reached + 1) this.#take(page, seq, row)
        else break
        if (page.isFull) return
      }
    } catch {
      // A malformed page, or a number beyond what fits: `walk` finds out where.
    }
    if (page.reached < end) this.#walk(page, end)
  }

  /** Row by row, and over what cannot be read; a few only, then it is worth trying to scan again. */
  #walk(page: PageOfRows, until: number): void {
    for (let left = WALKED_PER_PAGE; left > 0 && page.reached < until && !page.isFull; left--) {
      const seq = page.reached + 1
      const row = this.#read(seq)
      if (row !== undefined) this.#take(page, seq, row)
      else this.#passHole(page, seq, until)
    }
  }

  /** From `seq` on, over the rows that are not there or cannot be read. */
  #passHole(page: PageOfRows, seq: number, until: number): void {
    const end = this.#endOfMissing(seq, page.until) ?? this.#endOfUnreadable(seq, until)
    this.#onDamage(seq === end ? `event ${seq} is missing` : `events ${seq} to ${end} are missing`)
    page.miss(end)
  }

  /** The table says at once which row comes next, unless its own page is malformed. */
  #endOfMissing(seq: number, until: number): number | undefined {
    try {
      const next = this.#seqAfter(seq) ?? Infinity
      return next > until || this.#read(next) !== undefined ? Math.min(next - 1, until) : undefined
    } catch {
      return undefined
    }
  }

  /** The last row of those that cannot be read. They lie together: their page is malformed. */
  #endOfUnreadable(seq: number, until: number): number {
    let bad = seq
    let good = seq + 1
    for (let step = 1; good <= until && this.#read(good) === undefined; step *= 2) {
      bad = good
      good += step
    }
    good = Math.min(good, until + 1)
    while (good - bad > 1) {
      const middle = (good + bad) >>> 1
      if (this.#read(middle) === undefined) bad = middle
      else good = middle
    }
    return bad
  }

  #read(seq: number): unknown {
    try {
      return this.#single.get(seq)
    } catch {
      return undefined
    }
  }

  /** `null`: it is not as it was written. */
  #take(page: PageOfRows, seq: number, row: unknown): EventRecord | null {
    const event = row === undefined ? null : recordOf(row)
    if (event === null) {
      page.miss(seq)
      this.#onDamage(`event ${seq} is damaged`)
    } else page.take(event)
    return event
  }
}

/** Every event that is wanted is in the topic index. */
function areIndexed(
  filters: readonly TopicFilter[] | undefined,
): filters is readonly TopicFilter[] {
  return filters !== undefined && filters.every((filter) => keysOfFilter(filter).size > 0)
}

interface Entries {
  readonly key: number
  readonly seqs: readonly number[]
  /** There are no others up to here. */
  readonly end: number
}

class PageOfRows implements RowsFound {
  readonly until: number
  readonly publicOnly: boolean
  /** `null`: every event is. */
  readonly #isWanted: ((event: FilteredEvent) => boolean) | null
  readonly #bytesMax: number
  #fill: PageFill
  events: EventRecord[] = []
  reached: number
  gap: PageGap | null = null

  constructor(
    after: number,
    until: number,
    { filters, publicOnly = false }: Partial<Pick<RowsWanted, 'filters' | 'publicOnly'>>,
    bytesMax: number,
  ) {
    this.reached = after
    this.until = until
    this.publicOnly = publicOnly
    this.#isWanted = filters === undefined ? null : matcherOf(filters)
    this.#bytesMax = bytesMax
    this.#fill = new PageFill(after, bytesMax)
  }

  get isFull(): boolean {
    return this.reached >= this.until || this.#fill.isFull
  }

  get isLessThanHalf(): boolean {
    return this.#fill.isLessThanHalf
  }

  restart(after: number): void {
    this.events = []
    this.#fill = new PageFill(after, this.#bytesMax)
    this.reached = after
  }

  take(event: EventRecord): void {
    this.reached = event.seq
    if (this.publicOnly && event.isPrivate) return
    if (this.#isWanted !== null) {
      const { isPrivate } = event
      if (!this.#isWanted({ topics: topicsOf(event), isPrivate })) return
    }
    this.events.push(event)
    this.#fill.add(event.seq, weightOfRecord(event))
  }

  miss(seq: number): void {
    this.reached = seq
    this.gap = 'damaged'
  }
}

/** As `weightOf`, of a row; its topics are one text here. */
function weightOfRecord({ payload, path, beside }: EventRecord): number {
  const size = payload.length + path.length + EVENT_OVERHEAD_BYTES
  return beside === undefined
    ? size
    : size + (beside.envelope?.length ?? 0) + (beside.tags?.length ?? 0)
}

function topicsOf({ topics }: EventRecord): string[] {
  return JSON.parse(topics)
}

const POSTINGS_PER_PAGE = 512
/** Entries of private events that a page passes over at most: some ms. */
const POSTINGS_PASSED_MAX = 8_192
/** A page ends here even if nothing matched: about 10 ms. */
const SCANNED_PER_PAGE = 4_096
const WALKED_PER_PAGE = 64
/** As many entries of the index are read in some ms, and a rare topic needs few pages for a large store. */
const ROWS_SEARCHED_BACK_MAX = 16_384
/** Some 10 ms. */
const ROWS_SEARCHED_FOR_PATH = 65_536
/** Reading a row by its number takes as long as this many in a row (bench/log.ts). */
const ROWS_SCANNED_PER_SEEK = 3
