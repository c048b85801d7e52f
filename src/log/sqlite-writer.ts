import { existsSync, statfsSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { workerData } from 'node:worker_threads'
import type { StateChange } from '../hub/state-store.ts'
import { newCursorKeys, type CursorKeys } from './cursor.ts'
import { INDEXED_TO, IndexWriter } from './index-writer.ts'
import { COLUMNS, columnsOf, recordOf, sizeOf, type EventRecord } from './record.ts'
import { nextOffset, type Run } from './runs.ts'
import { databaseIn, isDamage, SCHEMA, SCHEMA_VERSION } from './schema.ts'
import { Sweeper } from './sweeper.ts'
import { serve } from './worker-peer.ts'

export interface WriterOptions {
  readonly directory: string
  readonly durability: 'disk' | 'os'
  readonly reserveBytes: number
}

/** What a store has to go on with when it replaces one that this process had open. */
export interface Continuation {
  readonly keys: CursorKeys
  readonly headSeq: number
  readonly offset: number
  readonly lastMs: number
  readonly bytes: number
}

export interface OpenOptions {
  /** `false`: whoever had it last did not end in order. */
  readonly wasClosed: boolean
  readonly continuation?: Continuation
  /** What a writer of this process may have stored after this row was not acknowledged, and goes. */
  readonly headSeq?: number
}

/** What the writer found in the store. */
export interface Opened {
  readonly keys: CursorKeys
  readonly runs: readonly Run[]
  readonly firstSeq: number
  readonly headSeq: number
  readonly lastMs: number
  /** Size of all events that ever were. */
  readonly bytes: number
  readonly warnings: readonly string[]
}

export interface Commit {
  readonly events: readonly EventRecord[]
  readonly changes: readonly StateChange[]
  /** Events before this row are not wanted any more. */
  readonly keepFrom: number
}

export interface Committed {
  /** Pages in the write-ahead log. */
  readonly walPages: number
  /** The oldest row that is still there. */
  readonly firstSeq: number
  /** Why old events are not deleted and new ones not indexed, when that has just begun. */
  readonly upkeepFailure: string | undefined
}

/** The only connection that changes the store; lives in a worker thread. */
export class SqliteWriter {
  readonly #options: WriterOptions
  #database!: DatabaseSync
  #statements!: Statements
  #index!: IndexWriter
  #sweeper!: Sweeper
  #upkeepFailed = false
  #headSeq = 0
  #freeCheckedAtMs = -Infinity
  #isFull = false

  constructor(options: WriterOptions) {
    this.#options = options
  }

  /** @throws with SQLite's code when the file is damaged. */
  open(options: OpenOptions): Opened {
    const { directory, durability } = this.#options
    const path = databaseIn(directory)
    const isNew = !existsSync(path) || statSync(path).size === 0
    const warnings: string[] = []
    const walMissing = !existsSync(`${path}-wal`) || statSync(`${path}-wal`).size === 0
    const database = new DatabaseSync(path, { timeout: 5_000 })
    this.#database = database
    database.exec(`
      PRAGMA page_size = ${PAGE_BYTES};
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = ${durability === 'disk' ? 'FULL' : 'NORMAL'};
      PRAGMA wal_autocheckpoint = 0;
      PRAGMA journal_size_limit = ${WAL_KEPT_BYTES};
      PRAGMA cache_size = -${WRITER_CACHE_KIB};
    `)
    if (isNew && !options.wasClosed)
      warnings.push(`the store ${directory} was in use and is empty now: a new one begins`)
    if (isNew) this.#create(options.continuation)
    const version = database.prepare('PRAGMA user_version').get()?.['user_version'] as number
    if (version > SCHEMA_VERSION)
      throw new Error(
        `the store ${directory} has version ${version}, this server knows ${SCHEMA_VERSION}: it needs a newer server`,
      )
    if (!options.wasClosed && !isNew && walMissing) {
      warnings.push(
        `the store ${directory} was in use when the server ended, and its write-ahead log is gone: ` +
          'the newest events are lost',
      )
      // Half a checkpoint without its log may have left pages that do not fit together.
      const check = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check']
      if (check !== 'ok') throw Object.assign(new Error(String(check)), { errcode: 11 })
    }
    this.#statements = prepare(database)
    if (options.headSeq !== undefined)
      database.prepare('DELETE FROM events WHERE seq > ?').run(options.headSeq)
    return { ...this.#find(options.continuation), warnings }
  }

  commit({ events, changes, keepFrom }: Commit): Committed {
    this.#checkFree()
    const insert = () => this.#insert(events, changes)
    let upkeepFailure: string | undefined
    if (this.#upkeepFailed) this.#transaction(insert)
    else {
      const sweep = () =>
        this.#sweeper.step(this.#deletable(keepFrom), 2 * events.length + DELETED_PER_COMMIT)
      const index = () => this.#index.step(events.length, this.#sweeper.firstSeq)
      try {
        this.#transaction(sweep, index, insert)
      } catch (error) {
        if (!isDamage(error)) throw error
        // The damage may lie among what is old or in the index, and new events need not suffer from that.
        this.#transaction(insert)
        this.#upkeepFailed = true
        upkeepFailure = (error as Error).message
      }
    }
    for (const event of events) this.#index.add(event, JSON.parse(event.topics))
    this.#headSeq = events.at(-1)?.seq ?? this.#headSeq
    return { walPages: this.#walPages(), firstSeq: this.#sweeper.firstSeq, upkeepFailure }
  }

  /** For quiet times: deletes some of what is no longer wanted. Returns the oldest row that is still there. */
  deleteSome({ keepFrom, nowMs }: { keepFrom: number; nowMs: number }): number {
    if (this.#upkeepFailed) return keepFrom
    const end = this.#deletable(keepFrom)
    this.#transaction(
      () => this.#sweeper.step(end, DELETED_PER_STEP, 1),
      () => {
        this.#statements.deleteExpired.run(nowMs)
      },
    )
    return this.#sweeper.firstSeq
  }

  /** @throws while nothing can be written. */
  probe(): void {
    this.#checkFree()
    this.#transaction(() => this.#statements.setMeta.run('probe', Date.now()))
  }

  /** Takes the rest of the write-ahead log to the database: if nobody reads it meanwhile, the next commit begins it anew. */
  finishCheckpoint(): void {
    this.#database.exec('PRAGMA wal_checkpoint(PASSIVE)')
  }

  close(): void {
    try {
      this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    } finally {
      this.#database.close()
    }
  }

  #create(continuation: Continuation | undefined): void {
    const keys = continuation?.keys ?? newCursorKeys()
    this.#transaction(() => {
      this.#database.exec(SCHEMA)
      const setMeta = this.#database.prepare(SET_META)
      setMeta.run('tag_key', keys.tag)
      setMeta.run('body_key', keys.body)
      if (continuation !== undefined)
        this.#database.prepare(INSERT_RUN).run(continuation.headSeq + 1, continuation.offset)
    })
  }

  /** Where the store ends; a new run begins there. */
  #find(continuation: Continuation | undefined): Omit<Opened, 'warnings'> {
    const database = this.#database
    const key = (name: string) =>
      Buffer.from(
        database.prepare('SELECT value FROM meta WHERE name = ?').get(name)?.[
          'value'
        ] as Uint8Array,
      )
    const keys = { tag: key('tag_key'), body: key('body_key') }
    const runs = (
      database.prepare('SELECT * FROM runs ORDER BY first_seq, position_offset').all() as {
        first_seq: number
        position_offset: number
      }[]
    ).map((row) => ({ firstSeq: row.first_seq, offset: row.position_offset }))

    const { first, head } = database
      .prepare(
        'SELECT (SELECT min(seq) FROM events) AS first, (SELECT max(seq) FROM events) AS head',
      )
      .get() as { first: number | null; head: number | null }
    this.#headSeq = head ?? (runs.at(-1)?.firstSeq ?? 1) - 1
    const firstSeq = first ?? this.#headSeq + 1
    const last = this.#lastRecord(firstSeq)
    this.#sweeper = new Sweeper(database, firstSeq)
    this.#resumeIndex(firstSeq)

    if (continuation === undefined) {
      const run = { firstSeq: this.#headSeq + 1, offset: nextOffset(runs.at(-1)) }
      // A run without events is of no use, but for the first: a cursor may have been given of the empty store.
      while (runs.length > 1 && runs.at(-1)!.firstSeq === run.firstSeq) runs.pop()
      while (runs.length > 1 && runs[1]!.firstSeq < firstSeq) runs.shift()
      runs.push(run)
      this.#transaction(() => {
        database.exec('DELETE FROM runs')
        const insert = database.prepare(INSERT_RUN)
        for (const each of runs) insert.run(each.firstSeq, each.offset)
      })
    }
    return {
      keys,
      runs,
      firstSeq,
      headSeq: this.#headSeq,
      lastMs: last?.publishedAtMs ?? continuation?.lastMs ?? 0,
      bytes: last === undefined ? (continuation?.bytes ?? 0) : last.bytesBefore + sizeOf(last),
    }
  }

  /** The newest row that is as it was written. */
  #lastRecord(firstSeq: number): EventRecord | undefined {
    const statement = this.#database.prepare(
      `SELECT ${COLUMNS} FROM events WHERE seq <= ? ORDER BY seq DESC LIMIT 1`,
    )
    statement.setReturnArrays(true)
    for (let seq = this.#headSeq; seq >= firstSeq; seq--) {
      const row = statement.get(seq)
      const record = row === undefined ? null : recordOf(row)
      if (record !== null) return record
    }
    return undefined
  }

  /** What was not indexed when the server ended is, as it was then, in memory only. */
  #resumeIndex(firstSeq: number): void {
    const database = this.#database
    const stored = database.prepare('SELECT value FROM meta WHERE name = ?').get(INDEXED_TO)
    const indexedTo = Math.max((stored?.['value'] as number | undefined) ?? 0, firstSeq - 1)
    this.#index = new IndexWriter(database, indexedTo)
    const rows = database.prepare(`SELECT ${COLUMNS} FROM events WHERE seq > ?`)
    rows.setReturnArrays(true)
    for (const row of rows.iterate(indexedTo)) {
      const record = recordOf(row)
      if (record !== null) this.#index.add(record, JSON.parse(record.topics))
    }
  }

  #insert(events: readonly EventRecord[], changes: readonly StateChange[]): void {
    const { insertEvent, setState, deleteState } = this.#statements
    for (const event of events) insertEvent.run(...columnsOf(event))
    for (const { space, key, value, expiresAtMs } of changes) {
      if (value === null) deleteState.run(space, key)
      else setState.run(space, key, value, expiresAtMs ?? null)
    }
  }

  /** The newest row always stays: it is how a start knows where to go on. */
  #deletable(keepFrom: number): number {
    return Math.min(keepFrom, this.#headSeq)
  }

  #transaction(...work: (() => unknown)[]): void {
    this.#database.exec('BEGIN IMMEDIATE')
    let settle: unknown[]
    try {
      settle = work.map((each) => each())
      this.#database.exec('COMMIT')
    } catch (error) {
      // After some errors SQLite has rolled back by itself.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
    for (const each of settle) if (typeof each === 'function') each()
  }

  #checkFree(): void {
    const nowMs = performance.now()
    if (nowMs - this.#freeCheckedAtMs > FREE_CHECK_MS) {
      const { bavail, bsize } = statfsSync(this.#options.directory)
      this.#isFull = bavail * bsize < this.#options.reserveBytes
      this.#freeCheckedAtMs = nowMs
    }
    if (this.#isFull)
      throw new Error(`less than ${this.#options.reserveBytes} bytes are free on the disk`)
  }

  #walPages(): number {
    return (this.#statements.walPages.get() as unknown as [number, number, number])[1]
  }
}

type Statements = ReturnType<typeof prepare>

const SET_META = 'INSERT OR REPLACE INTO meta VALUES (?, ?)'
const INSERT_RUN = 'INSERT INTO runs VALUES (?, ?)'

function prepare(database: DatabaseSync) {
  const walPages = database.prepare('PRAGMA wal_checkpoint(NOOP)')
  walPages.setReturnArrays(true)
  return {
    insertEvent: database.prepare(
      `INSERT INTO events (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    setState: database.prepare('INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?)'),
    deleteState: database.prepare('DELETE FROM state WHERE space = ? AND key = ?'),
    deleteExpired: database.prepare(`
      DELETE FROM state WHERE (space, key) IN (
        SELECT space, key FROM state WHERE expires_at_ms <= ? LIMIT ${DELETED_PER_STEP})`),
    setMeta: database.prepare(SET_META),
    walPages,
  }
}

const PAGE_BYTES = 4_096
const WRITER_CACHE_KIB = 32_768
/** The file is cut down to this when it begins anew. */
const WAL_KEPT_BYTES = 67_108_864
const FREE_CHECK_MS = 1_000
/** Beside two for each new one, so that deleting catches up with what has been left. */
const DELETED_PER_COMMIT = 32
const DELETED_PER_STEP = 256

serve(new SqliteWriter(workerData))
