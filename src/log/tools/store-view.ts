import { DatabaseSync } from 'node:sqlite'
import type { PublishedEvent } from '../../hub/event.ts'
import { CursorCodec } from '../cursor.ts'
import { LogClock } from '../log-clock.ts'
import type { PageGap } from '../../hub/event-log.ts'
import { clockMarkIn } from '../sqlite/clock-mark.ts'
import type { EventRecord } from '../sqlite/record.ts'
import { RowReader } from '../sqlite/row-reader.ts'
import { PositionRuns } from '../sqlite/position-runs.ts'
import { databaseIn, isDamage, SCHEMA_VERSION } from '../sqlite/schema.ts'
import { eventFrom } from '../sqlite/stored-event.ts'
import { sweptTo } from '../sqlite/store-extent.ts'

/** Some events of a store, and how far that is. */
export interface ViewedPage {
  readonly events: readonly EventRecord[]
  /** What lay on the way to them and cannot be read. */
  readonly gap: PageGap | null
  /** How many of the events that were there at the beginning have been looked at. */
  readonly done: number
  readonly total: number
}

/**
 * A store as it stood on the disk at one moment, read from outside; a server may have it open, write and delete. Its
 * write-ahead log grows meanwhile. After some kinds of damage SQLite lets go of the moment: then the view goes on with a later one, and
 * a page whose events have been deleted by then says so.
 */
export class StoreView implements Disposable {
  readonly database: DatabaseSync
  /** The rows that are there; `newest` is below `oldest` when there are none. */
  readonly oldest: number
  readonly newest: number
  readonly starts: number
  /** As the next server would go by. */
  readonly clock: LogClock
  readonly #rows: RowReader
  /** Does not tell of damage that is met on the way to something else. */
  readonly #probe: RowReader
  readonly #runs: PositionRuns
  readonly #codec: CursorCodec

  /** @throws {Error} it cannot be read, or is of a newer version. */
  constructor(directory: string, onDamage: (message: string) => void) {
    this.database = openTolerantly(directory)
    this.#hold()
    const version = this.#number('PRAGMA user_version')
    if (version > SCHEMA_VERSION)
      throw new Error(
        `the store ${directory} has version ${version}, this pubsubd knows ${SCHEMA_VERSION}: use a newer one`,
      )
    const runs = this.database
      .prepare(
        'SELECT first_seq AS firstSeq, position_offset AS offset FROM runs ORDER BY first_seq, offset',
      )
      .all() as unknown as { firstSeq: number; offset: number }[]
    this.starts = runs.length
    // Rows may be lost before the first and behind the last that are there.
    this.oldest = Math.min(this.#end('min', onDamage), sweptTo(this.database))
    this.newest = Math.max(this.#end('max', onDamage), (runs.at(-1)?.firstSeq ?? 1) - 1)
    this.#runs = new PositionRuns(runs)
    this.#codec = new CursorCodec({ tag: this.#key('tag_key'), body: this.#key('body_key') })
    this.#rows = new RowReader(this.database, onDamage)
    this.#probe = new RowReader(this.database, () => {})
    this.clock = new LogClock({
      mark: clockMarkIn(this.database),
      newestMs: this.last()?.publishedAtMs ?? 0,
    })
  }

  /** How many events are there, and how many are not between the oldest and the newest of them. */
  count(): { readonly kept: number; readonly missing: number } {
    const sql = 'SELECT count(*) AS kept FROM events'
    const { kept } = this.database.prepare(sql).get() as { kept: number }
    return { kept, missing: this.newest - this.oldest + 1 - kept }
  }

  /** The first event that can be read. */
  first(): EventRecord | undefined {
    return this.#probe.firstFrom(this.oldest, this.newest)
  }

  /** The newest event that can be read, among the last few. */
  last(): EventRecord | undefined {
    for (let seq = this.newest; seq >= this.oldest && seq > this.newest - LAST_TRIED; seq--) {
      const event = this.#probe.firstFrom(seq, seq)
      if (event !== undefined) return event
    }
    return undefined
  }

  /** How many events are stamped from one time to another. */
  countBetween(fromMs: number, toMs: number): number {
    return Math.max(0, this.#before(toMs + 1) - this.#before(fromMs))
  }

  /** Everything that was there at the beginning, oldest first, from a time on. */
  *pages({ sinceMs = 0 }: { sinceMs?: number } = {}): Generator<ViewedPage> {
    const start = this.#before(sinceMs)
    let after = start
    while (after < this.newest) {
      const wanted = { after, until: this.newest, oldest: 0, filters: undefined }
      if (!this.database.isTransaction) this.#hold()
      const { events, reached, gap } = this.#rows.page({ ...wanted, pageBytes: PAGE_BYTES })
      after = reached
      yield { events, gap, done: reached - start, total: this.newest - start }
    }
  }

  /** Events as they are published, with their cursors. */
  published(records: readonly EventRecord[]): PublishedEvent[] {
    const cursors = this.#codec.ofEvents(records.map(({ seq }) => this.#runs.positionOf(seq)))
    return records.map((record, i) =>
      eventFrom(record, this.#runs.positionOf(record.seq), cursors[i]!),
    )
  }

  [Symbol.dispose](): void {
    this.database.close()
  }

  #hold(): void {
    this.database.exec('BEGIN')
    try {
      this.database.prepare('SELECT count(*) FROM sqlite_schema').get()
    } catch {
      // What is damaged is told by who reads it.
    }
  }

  /** The row before the first one at or after a time. */
  #before(timeMs: number): number {
    let low = this.oldest
    let high = this.newest + 1
    while (low < high) {
      const middle = (low + high) >>> 1
      const event = this.#probe.firstFrom(middle, this.newest)
      if (event === undefined || event.publishedAtMs >= timeMs) high = middle
      else low = event.seq + 1
    }
    return low - 1
  }

  #end(which: 'min' | 'max', onDamage: (message: string) => void): number {
    const none = which === 'min' ? 1 : 0
    try {
      return this.#number(`SELECT ifnull(${which}(seq), ${none}) FROM events`)
    } catch (error) {
      if (!isDamage(error)) throw error
      onDamage(`the ${which === 'min' ? 'oldest' : 'newest'} events cannot be read`)
    }
    // The topic index may tell how far the table goes.
    try {
      return this.#number(`SELECT ifnull(${which}(seq), ${none}) FROM postings`)
    } catch (error) {
      if (!isDamage(error)) throw error
      return which === 'min' ? 1 : this.#lastReadable()
    }
  }

  /** Where only the first pages are left. */
  #lastReadable(): number {
    const row = this.database.prepare('SELECT seq FROM events WHERE seq = ?')
    const isReadable = (seq: number): boolean => {
      try {
        return row.get(seq) !== undefined
      } catch {
        return false
      }
    }
    let last = this.oldest
    let step = 1
    while (isReadable(last + step)) {
      last += step
      step *= 2
    }
    for (; step >= 1; step /= 2) if (isReadable(last + step)) last += step
    return last
  }

  #number(sql: string): number {
    const statement = this.database.prepare(sql)
    statement.setReturnArrays(true)
    return (statement.get() as unknown as [number])[0]
  }

  #key(name: string): Buffer {
    const row = this.database.prepare('SELECT value FROM meta WHERE name = ?').get(name)
    if (row === undefined) throw new Error('it has lost the keys of its cursors')
    return Buffer.from(row['value'] as Uint8Array)
  }
}

/** For reading only. SQLite would read nothing at all of a file that was cut off (btree.c, lockBtree) but for the pragma. */
function openTolerantly(directory: string): DatabaseSync {
  const options = { readOnly: true, defensive: false, timeout: BUSY_MS }
  const database = new DatabaseSync(databaseIn(directory), options)
  database.exec('PRAGMA writable_schema = 1; PRAGMA query_only = 1')
  return database
}

const BUSY_MS = 5_000
const PAGE_BYTES = 2 ** 18
const LAST_TRIED = 1_000
