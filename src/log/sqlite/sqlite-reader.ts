import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { workerData } from 'node:worker_threads'
import type { Cursor } from '../../hub/event.ts'
import { goToBackground } from './background.ts'
import { CursorCodec } from '../cursor.ts'
import type { EventRecord } from './record.ts'
import {
  RowReader,
  type LastWanted,
  type RowsFound,
  type RowsFoundBack,
  type RowsWanted,
  type RowsWantedBack,
} from './row-reader.ts'
import { PositionRuns } from './position-runs.ts'
import { databaseIn } from './schema.ts'
import type { Opened } from './sqlite-writer.ts'
import { serve } from './worker-peer.ts'

export interface PageRead extends RowsFound {
  readonly cursors: readonly Cursor[]
  /** What was found damaged. */
  readonly damage: readonly string[]
}

export type RowsReadBack = PageRead & RowsFoundBack

export interface LastRead {
  readonly event: EventRecord | null
  /** The event's cursor. */
  readonly cursor: Cursor | null
  /** Up to which row nobody has looked yet; `null`: all have been looked at. */
  readonly searchUntil: number | null
  readonly damage: readonly string[]
}

/** Reads the store and takes the write-ahead log to it; lives in a worker thread, so that neither holds up a commit. */
export class SqliteReader {
  readonly #directory: string
  #database!: DatabaseSync
  #checkpoint!: StatementSync
  #rows!: RowReader
  #runs!: PositionRuns
  #codec!: CursorCodec
  #damage: string[] = []

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Once the writer has. */
  open({ keys, runs }: Pick<Opened, 'keys' | 'runs'>): void {
    // SQLite lets this one take the write-ahead log to the database, though it changes nothing itself.
    this.#database = new DatabaseSync(databaseIn(this.#directory), { timeout: 5_000 })
    this.#database.exec(
      'PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA query_only = 1',
    )
    this.#checkpoint = this.#database.prepare('PRAGMA wal_checkpoint(PASSIVE)')
    this.#checkpoint.setReturnArrays(true)
    this.#rows = new RowReader(this.#database, (message) => this.#damage.push(message))
    this.#runs = new PositionRuns(runs)
    this.#codec = new CursorCodec(keys)
  }

  page(wanted: RowsWanted): PageRead {
    this.#damage = []
    const { events, reached, gap } = this.#rows.page(wanted)
    return { events, reached, gap, cursors: this.#cursorsOf(events), damage: this.#damage }
  }

  pageBack(wanted: RowsWantedBack): RowsReadBack {
    this.#damage = []
    const found = this.#rows.pageBack(wanted)
    return { ...found, cursors: this.#cursorsOf(found.events), damage: this.#damage }
  }

  lastOf(wanted: LastWanted): LastRead {
    this.#damage = []
    const found = this.#rows.lastOf(wanted)
    const [cursor = null] = found.event === null ? [] : this.#cursorsOf([found.event])
    const searchUntil = 'searchUntil' in found ? found.searchUntil : null
    return { event: found.event, cursor, searchUntil, damage: this.#damage }
  }

  #cursorsOf(events: readonly EventRecord[]): Cursor[] {
    return this.#codec.ofEvents(events.map(({ seq }) => this.#runs.positionOf(seq)))
  }

  /** The row before the first one at or after a time. */
  rowBefore({ timeMs, oldest, head }: { timeMs: number; oldest: number; head: number }): number {
    let low = oldest
    let high = head + 1
    while (low < high) {
      const middle = (low + high) >>> 1
      const event = this.#rows.firstFrom(middle, head)
      if (event === undefined) high = middle
      else if (event.publishedAtMs < timeMs) low = event.seq + 1
      else high = middle
    }
    return low - 1
  }

  state({ space, key, nowMs }: { space: string; key: string; nowMs: number }): Uint8Array | null {
    const row = this.#database
      .prepare(
        'SELECT value FROM state WHERE space = ? AND key = ? AND ifnull(expires_at_ms > ?, 1)',
      )
      .get(space, key, nowMs)
    return (row?.['value'] as Uint8Array | undefined) ?? null
  }

  /** Some entries of a space, those after a key. */
  entries(from: { space: string; afterKey: string | null; nowMs: number }) {
    const { space, afterKey, nowMs } = from
    const rows = this.#database
      .prepare(
        `SELECT key, value FROM state
         WHERE space = ? AND (? IS NULL OR key > ?) AND ifnull(expires_at_ms > ?, 1)
         ORDER BY key LIMIT ${ENTRIES_PER_PAGE}`,
      )
      .all(space, afterKey, afterKey, nowMs)
    return rows as unknown as { key: string; value: Uint8Array }[]
  }

  /** The spaces whose names begin so. */
  spaces(prefix: string): string[] {
    const rows = this.#database
      .prepare('SELECT DISTINCT space FROM state WHERE space >= ? AND substr(space, 1, ?) = ?')
      .all(prefix, prefix.length, prefix)
    return rows.map((row) => String(row['space']))
  }

  /** Takes the write-ahead log to the database; returns how many of its pages came too late. */
  checkpoint(): number {
    const [, pages, taken] = this.#checkpoint.get() as unknown as [number, number, number]
    return pages - taken
  }

  close(): void {
    this.#database.close()
  }
}

const ENTRIES_PER_PAGE = 256

// Replay must not delay those who are live: they wait for the thread that writes.
goToBackground()
serve(new SqliteReader(workerData))
