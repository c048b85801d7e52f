import { randomInt } from 'node:crypto'
import { closeSync, existsSync, openSync, renameSync, rmSync, statfsSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { workerData } from 'node:worker_threads'
import type { StateChange } from '../../hub/state-store.ts'
import { newCursorKeys, type CursorKeys } from '../cursor.ts'
import { INDEXED_FROM, INDEXED_TO, IndexWriter, PATHS_FROM } from './index-writer.ts'
import type { ClockMark } from '../log-clock.ts'
import { CLOCK, clockMarkIn } from './clock-mark.ts'
import {
  COLUMNS,
  columnsOf,
  PLACEHOLDERS,
  PLAIN_COLUMNS,
  plainColumnsOf,
  recordOf,
  sizeOf,
  type EventRecord,
} from './record.ts'
import { nextOffset, readRuns, type Run } from './position-runs.ts'
import { Salvage } from './salvage.ts'
import {
  damaged,
  databaseIn,
  isDamage,
  MIGRATION_FROM_VERSION_1,
  SCHEMA,
  SCHEMA_VERSION,
} from './schema.ts'
import { PathIndex } from './path-index.ts'
import { PAGE_BYTES, StoreFiles, type FileIdentity, type OpenFiles } from './store-files.ts'
import { syncDirectory } from './store-lock.ts'
import { keepExtent, keptExtent, sweptTo, type StoreExtent } from './store-extent.ts'
import { isIdentityOf, keepIdentity, type StoreIdentity } from './store-identity.ts'
import { amountBeside, Sweeper, type SweepAmount } from './sweeper.ts'
import { keysOfEvent } from './topic-keys.ts'
import { hasUnknownOutcome, serve, withUnknownOutcome } from './worker-peer.ts'

export interface WriterOptions {
  readonly directory: string
  readonly durability: 'disk' | 'os'
  readonly reserveBytes: number
}

export interface OpenOptions {
  /** `false`: whoever had it last did not end in order. */
  readonly wasClosed: boolean
  /** Where this process had come to with a store whose place this one takes. */
  readonly continuation?: Continuation
  /** A damaged store, put aside: what is whole in it is taken over. */
  readonly salvageFrom?: string
  /** What a writer of this process has stored behind this row was not acknowledged, and goes. */
  readonly headSeq?: number
}

export interface Continuation {
  readonly keys: CursorKeys
  readonly runs: readonly Run[]
  readonly headSeq: number
  readonly lastMs: number
  readonly bytes: number
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
  /** Where the clock of the last server had come to. */
  readonly clock: ClockMark | null
  readonly warnings: readonly string[]
}

export interface Commit {
  readonly events: readonly EventRecord[]
  readonly changes: readonly StateChange[]
  /** Events before this row are not wanted any more. */
  readonly keepFrom: number
  /** It was waiting when the one before was answered: the look at the files behind that one counts for it, too. */
  readonly isNext: boolean
}

export interface Committed {
  /** Pages in the write-ahead log. */
  readonly walPages: number
  /** The oldest row that is still there. */
  readonly firstSeq: number
  /** Why from now on old events are not deleted and new ones not indexed. */
  readonly upkeepFailure: string | undefined
}

/** How the store is to be closed. */
export interface ClosePlan {
  /** Everything is taken to the database, or the write-ahead log stays as it is for the next start. */
  readonly type: 'clear' | 'leave'
  readonly warning?: string
}

/** The only connection that changes the store; lives in a worker thread. */
export class SqliteWriter {
  readonly #options: WriterOptions
  #database!: DatabaseSync
  #statements!: Statements
  #index!: IndexWriter
  #sweeper!: Sweeper
  #paths!: PathIndex
  #files: StoreFiles | undefined
  /** How long the last COMMIT took that had something to flush. */
  #commitMs = 0
  /** In the write-ahead log, after the last transaction. */
  #frames = 0
  #upkeepFailed = false
  /** A commit that failed may have got through to the disk after all. */
  #mayHaveLeftovers = false
  #headSeq = 0
  #warnings: string[] = []

  constructor(options: WriterOptions) {
    this.#options = options
  }

  /** @throws what `isDamage` tells apart: the store must be put aside. */
  open(options: OpenOptions): Opened {
    this.#warnings = []
    const { directory } = this.#options
    const path = databaseIn(directory)
    const isNew = sizeOfFile(path) === 0
    const wasEmptied = isNew && existsSync(path)
    const isLogLost = !options.wasClosed && !isNew && sizeOfFile(`${path}-wal`) === 0
    if (isNew) this.#create(path, options)
    this.#connect(path)
    const version = Number(this.#pragma('user_version'))
    if (version > SCHEMA_VERSION)
      throw new Error(
        `it has version ${version} and this server knows ${SCHEMA_VERSION}: it needs a newer server`,
      )
    if (version === 1) this.#migrate()
    if (wasEmptied || (isNew && !options.wasClosed))
      this.#warn(`the store ${directory} was in use and is empty now: a new one begins`)
    if (isLogLost) this.#checkAfterLoss()
    try {
      this.#statements = prepare(this.#database)
      if (options.headSeq !== undefined) this.#deleteBehind(options.headSeq)
      return this.#find(options)
    } catch (error) {
      // A table that is not there, or one without what must be in it.
      if ((error as { errcode?: number }).errcode === SQLITE_ERROR)
        throw damaged((error as Error).message)
      throw error
    }
  }

  /** From now on nothing is written unless the files are at their place, as this process left them. */
  watch(
    descriptors: Pick<OpenFiles, 'locks' | 'databaseDescriptor' | 'logDescriptor'>,
  ): readonly FileIdentity[] {
    const { directory } = this.#options
    const database = databaseIn(directory)
    const generation = Number(this.#pragma('application_id'))
    const frames = this.#walPages()
    this.#files = new StoreFiles({ directory, database, frames, generation, ...descriptors })
    return this.#files.identities
  }

  /** @throws {ForeignFilesError} */
  checkFiles(): void {
    this.#files?.look(this.#walPages)
  }

  commit(commit: Commit): Committed {
    try {
      return this.#commit(commit)
    } catch (error) {
      throw this.#trueReason(error as Error)
    }
  }

  #commit({ events, changes, keepFrom, isNext }: Commit): Committed {
    this.#checkFree()
    const insert = () => this.#insert(events, changes)
    if (this.#mayHaveLeftovers) this.#transaction(() => this.#deleteBehind(this.#headSeq))
    this.#mayHaveLeftovers = true
    this.#files?.beforeWriting(this.#walPages, { isNext })
    const topics = events.map((event): string[] => JSON.parse(event.topics))
    let upkeepFailure: string | undefined
    if (this.#upkeepFailed) this.#written(insert)
    else {
      const amount = amountBeside(events.length, topics.flat().length)
      const sweep = () => this.#sweeper.step(this.#deletable(keepFrom), amount)
      const index = () => this.#index.step(this.#sweeper.indexedFrom)
      try {
        this.#written(sweep, index, insert)
      } catch (error) {
        if (!isDamage(error) || hasUnknownOutcome(error)) throw error
        // The damage may lie among what is old or in the index, and new events need not suffer from that.
        this.#transaction(insert)
        upkeepFailure = (error as Error).message
      }
    }
    if (upkeepFailure !== undefined) this.#giveUpkeepUp()
    if (!this.#upkeepFailed) events.forEach((event, n) => this.#index.add(event, topics[n]!))
    this.#headSeq = events.at(-1)?.seq ?? this.#headSeq
    this.#mayHaveLeftovers = false
    return { walPages: this.#frames, firstSeq: this.#sweeper.firstSeq, upkeepFailure }
  }

  /** For quiet times: deletes some of what is not wanted any more. Returns the oldest row that is still there. */
  deleteSome(keepFrom: number): number {
    if (this.#upkeepFailed) return keepFrom
    try {
      this.#transaction(() => this.#sweeper.step(this.#deletable(keepFrom), AMOUNT_PER_STEP, 1))
    } catch (error) {
      if (!isDamage(error)) throw error
      this.#giveUpkeepUp()
    }
    return this.#sweeper.firstSeq
  }

  /** For quiet times: some of the index of paths that a store of version 1 does not have. Returns whether it is whole. */
  indexPaths(): boolean {
    const firstSeq = Math.max(this.#sweeper.firstSeq, sweptTo(this.#database))
    if (this.#upkeepFailed || this.#paths.isWhole(firstSeq)) return true
    try {
      this.#transaction(() => this.#paths.step(firstSeq, PATHS_PER_STEP))
    } catch (error) {
      if (!isDamage(error)) throw error
      this.#giveUpkeepUp()
    }
    return this.#paths.isWhole(firstSeq)
  }

  /** Deletes some of the state that may be forgotten. */
  deleteExpired(nowMs: number): void {
    this.#transaction(() => void this.#statements.deleteExpired.run(nowMs))
  }

  /** Where the clock has come to, and which rows there are; `isLast`: nothing is written after that. */
  remember({ clock, isLast }: { clock: ClockMark; isLast: boolean }): void {
    this.#transaction(() => {
      this.#statements.setMeta.run(CLOCK, JSON.stringify(clock))
      const { first, last } = this.#database
        .prepare('SELECT min(seq) AS first, max(seq) AS last FROM events')
        .get() as { first: number | null; last: number | null }
      const rows = isLast && first !== null && last !== null ? ([first, last] as const) : null
      keepExtent(this.#database, { headSeq: this.#headSeq, rows })
    })
  }

  /** @throws while nothing can be written. */
  probe(): void {
    this.#checkFree()
    this.#transaction(() => void this.#statements.setMeta.run('probe', Date.now()))
  }

  /** Before anybody takes some of the write-ahead log to the database. @throws {ForeignFilesError} */
  beginCheckpoint(): void {
    this.#files?.checkpointBegins(this.#walPages)
  }

  /** Takes the rest of the write-ahead log to the database: if nobody reads it, the next commit begins it anew. */
  finishCheckpoint(): void {
    try {
      this.#writeGeneration()
      this.#takeLogOver()
    } finally {
      this.#files?.checkpointEnds()
    }
  }

  /** What is to be done at the end: everything, or, where that would take too long or nobody would find it, nothing. */
  planClose(): ClosePlan {
    try {
      this.#files?.check(this.#walPages)
    } catch (error) {
      const { message } = error as Error
      if (this.#files?.isLogDeletedOnly !== true)
        return { type: 'leave', warning: `${message}: nothing more is written to the store` }
      return { type: 'clear', warning: `${message}: its events are taken to the database` }
    }
    const frames = this.#walPages()
    const ms = FLUSHES_TO_CLOSE * this.#commitMs + (this.#files?.readingMs(frames) ?? 0)
    if (ms <= CLOSE_MS) return { type: 'clear' }
    return {
      type: 'leave',
      warning: `the disk is slow: ${frames} pages of the write-ahead log are left for the next start`,
    }
  }

  /** Returns whether everything is in the database. */
  close(isToBeCleared: boolean): boolean {
    try {
      // Somebody else who reads at the moment must not keep us from ending.
      this.#database.exec('PRAGMA busy_timeout = 0')
      return isToBeCleared && this.#takeLogOver()
    } finally {
      this.#database.close()
    }
  }

  #takeLogOver(): boolean {
    const statement = this.#database.prepare('PRAGMA wal_checkpoint(PASSIVE)')
    statement.setReturnArrays(true)
    const [isBusy, pages, taken] = statement.get() as unknown as [number, number, number]
    return isBusy === 0 && pages === taken
  }

  /** Tells a copy of the database that is put in its place from the original: each start and checkpoint has its own. */
  #writeGeneration(): void {
    const generation = newGeneration()
    this.#files?.expectGeneration(generation)
    this.#transaction(() => this.#database.exec(`PRAGMA application_id = ${generation}`))
  }

  /** Files that somebody else has overwritten look damaged, and must not be put aside for that. */
  #trueReason(failure: Error): Error {
    try {
      this.#files?.check(this.#walPages)
      return failure
    } catch (error) {
      return hasUnknownOutcome(failure) ? withUnknownOutcome(error as Error) : (error as Error)
    }
  }

  #connect(path: string): void {
    this.#database = new DatabaseSync(path, { timeout: 5_000 })
    this.#database.exec(`
      PRAGMA page_size = ${PAGE_BYTES};
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = ${this.#options.durability === 'disk' ? 'FULL' : 'NORMAL'};
      PRAGMA wal_autocheckpoint = 0;
      PRAGMA journal_size_limit = ${WAL_KEPT_BYTES};
      PRAGMA cache_size = -${WRITER_CACHE_KIB};
    `)
    const mode = this.#pragma('journal_mode')
    if (mode !== 'wal')
      throw new Error(
        `it is on a file system where processes cannot share memory (journal mode ${String(mode)})`,
      )
  }

  /** Under another name until it is whole and on the disk: whatever stops this, nobody finds half a store. */
  #create(path: string, options: OpenOptions): void {
    const unfinished = `${path}-new`
    for (const suffix of ['', '-wal', '-shm']) rmSync(unfinished + suffix, { force: true })
    // SQLite would let everybody read it; what it makes beside it gets the same mode.
    closeSync(openSync(unfinished, 'ax', 0o600))
    this.#connect(unfinished)
    try {
      this.#fill(options)
    } finally {
      this.close(true)
    }
    // The log of a database that is gone must not be taken for the new one's.
    for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true })
    renameSync(unfinished, path)
    syncDirectory(this.#options.directory)
  }

  #fill({ continuation, salvageFrom }: OpenOptions): void {
    const old = salvageFrom === undefined ? undefined : this.#openSalvage(salvageFrom)
    try {
      const identity = continuation ?? old?.identity() ?? null
      if (old !== undefined && identity === null)
        this.#warn(
          'the damaged store has lost what its cursors are made with: whoever comes back with one is told of a gap',
        )
      // Rows of which nobody knows the positions get new ones.
      const { keys, runs } = identity ?? {
        keys: newCursorKeys(),
        runs: old === undefined ? [] : [{ firstSeq: 1, offset: nextOffset(undefined) }],
      }
      this.#transaction(() => {
        this.#database.exec(SCHEMA)
        // From its birth on, so that the database of another new store is told apart from it (test/log/sqlite/store-files.test.ts).
        this.#database.exec(`PRAGMA application_id = ${newGeneration()}`)
        const setMeta = this.#database.prepare(SET_META)
        setMeta.run('tag_key', keys.tag)
        setMeta.run('body_key', keys.body)
        setMeta.run(PATHS_FROM, 1)
        this.#keepRuns({ keys, runs })
      })
      if (old !== undefined) this.#takeOver(old, continuation?.headSeq)
    } finally {
      old?.[Symbol.dispose]()
    }
  }

  #openSalvage(directory: string): Salvage | undefined {
    try {
      return new Salvage(directory)
    } catch (error) {
      this.#warn(`nothing of the damaged store can be read: ${(error as Error).message}`)
      return undefined
    }
  }

  #keepRuns(identity: StoreIdentity): void {
    this.#database.exec('DELETE FROM runs')
    const insert = this.#database.prepare('INSERT INTO runs VALUES (?, ?)')
    for (const { firstSeq, offset } of identity.runs) insert.run(firstSeq, offset)
    keepIdentity(this.#database, identity)
  }

  /** `headSeq`: what lies behind it was not acknowledged. */
  #takeOver(old: Salvage, headSeq: number | undefined): void {
    const { setMeta } = prepare(this.#database)
    const insertEvent = this.#database.prepare(
      `INSERT OR IGNORE INTO events (${COLUMNS}) VALUES ${PLACEHOLDERS}`,
    )
    const insertPosting = this.#database.prepare('INSERT OR IGNORE INTO postings VALUES (?, ?)')
    const insertState = this.#database.prepare(
      'INSERT OR IGNORE INTO state (space, key, value, expires_at_ms) VALUES (?, ?, ?, ?)',
    )
    const first = old.sweptTo
    let taken = 0
    let newest = Math.max(first - 1, headSeq ?? old.headSeq)
    const insert = (event: EventRecord) => {
      if (event.seq < first || insertEvent.run(...columnsOf(event)).changes === 0) return
      for (const key of keysOfEvent(JSON.parse(event.topics), event.isPrivate))
        insertPosting.run(key, event.seq)
      newest = Math.max(newest, event.seq)
      taken++
    }
    try {
      const last = headSeq ?? Infinity
      for (const events of [old.events(last), old.eventsInPages(last)])
        for (const batch of batches(events, SALVAGED_PER_COMMIT)) {
          this.#transaction(() => batch.forEach(insert))
          this.#takeLogOver()
        }
      this.#transaction(() => {
        for (const { space, key, value, expires_at_ms } of old.state())
          insertState.run(space!, key!, value!, expires_at_ms!)
      })
    } catch (error) {
      this.#warn(`the rest of the damaged store was not taken over: ${(error as Error).message}`)
    }
    const { clock } = old
    this.#transaction(() => {
      setMeta.run(INDEXED_FROM, first)
      setMeta.run(INDEXED_TO, newest)
      setMeta.run(PATHS_FROM, newest + 1)
      if (clock !== null) setMeta.run(CLOCK, JSON.stringify(clock))
      keepExtent(this.#database, { headSeq: newest, rows: null })
    })
    const lost = newest - first + 1 - taken
    this.#warn(
      `${taken} events that were whole in the damaged store were taken over` +
        (lost > 0 ? `, ${lost} are lost: readers are told of a gap there` : ''),
    )
  }

  /** A checkpoint that was under way when its log was lost may have left pages that do not fit together. */
  #checkAfterLoss(): void {
    this.#warn(
      `the store ${this.#options.directory} was in use when its server ended, and its write-ahead log is gone: ` +
        'its newest events are lost',
    )
    const check = this.#pragma('quick_check(1)')
    if (check !== 'ok') throw damaged(String(check))
  }

  /** All of it or nothing: whatever stops this, the next start finds a store of the one version or the other. */
  #migrate(): void {
    this.#transaction(() => {
      this.#database.exec(MIGRATION_FROM_VERSION_1)
      const indexedTo = Number(this.#meta(INDEXED_TO) ?? 0)
      this.#database.prepare(SET_META).run(PATHS_FROM, indexedTo + 1)
    })
    this.#warn(
      `the store ${this.#options.directory} was of version 1 and is of version ${SCHEMA_VERSION} now: older servers refuse it ` +
        '(docs/operating.md, "Updating", says how to go back)',
    )
  }

  /** Where the store ends; a new run begins there. */
  #find({ continuation, salvageFrom }: OpenOptions): Opened {
    const isSalvaged = salvageFrom !== undefined
    const database = this.#database
    if (this.#meta('damaged') !== undefined) throw damaged('found by the last server')
    const [tag, body] = [this.#meta('tag_key'), this.#meta('body_key')]
    if (!(tag instanceof Uint8Array && body instanceof Uint8Array))
      throw damaged('it has lost the keys of its cursors')

    const keys = { tag, body }
    const runs = readRuns(database)
    if (isIdentityOf(database, { keys, runs }) === false)
      throw damaged('its runs are not those that it had')
    const head = this.#number('SELECT max(seq) FROM events')
    const first = head === null ? null : this.#number('SELECT min(seq) FROM events')
    this.#headSeq = Math.max(
      head ?? 0,
      continuation?.headSeq ?? 0,
      (runs.at(-1)?.firstSeq ?? 1) - 1,
    )
    const extent = keptExtent(database)
    if (isSalvaged) this.#headSeq = Math.max(this.#headSeq, extent?.headSeq ?? 0)
    else if (extent !== null) checkExtent(extent, this.#headSeq, first, head)
    // Before the oldest row that is there some may be lost: they are missing rather than too old.
    const firstSeq = Math.min(first ?? this.#headSeq + 1, sweptTo(database))
    const last = this.#lastRecord()
    if (!isSalvaged) this.#checkNumbersBehind(last?.seq ?? firstSeq - 1)
    this.#sweeper = new Sweeper(database, firstSeq)
    this.#paths = new PathIndex(database)
    this.#resumeIndex(firstSeq)

    if (continuation === undefined) {
      const run = { firstSeq: this.#headSeq + 1, offset: nextOffset(runs.at(-1)) }
      // A run without events is of no use, but for the first: a cursor may have been given of the empty store.
      while (runs.length > 1 && runs.at(-1)!.firstSeq === run.firstSeq) runs.pop()
      while (runs.length > 1 && runs[1]!.firstSeq < firstSeq) runs.shift()
      runs.push(run)
    }
    this.#transaction(() => {
      database.exec(`PRAGMA application_id = ${newGeneration()}`)
      if (continuation === undefined) this.#keepRuns({ keys, runs })
      keepExtent(database, { headSeq: this.#headSeq, rows: null })
    })
    return {
      keys,
      runs,
      firstSeq,
      headSeq: this.#headSeq,
      lastMs: Math.max(last?.publishedAtMs ?? 0, continuation?.lastMs ?? 0),
      bytes: Math.max(
        last === null ? 0 : last.bytesBefore + sizeOf(last),
        continuation?.bytes ?? 0,
      ),
      clock: clockMarkIn(database),
      warnings: this.#warnings,
    }
  }

  /** The newest row that is as it was written. */
  #lastRecord(): EventRecord | null {
    const rows = this.#database.prepare(`SELECT ${COLUMNS} FROM events ORDER BY seq DESC`)
    rows.setReturnArrays(true)
    for (const row of rows.iterate()) {
      const record = recordOf(row)
      if (record !== null) return record
    }
    return null
  }

  /** The number of a damaged event may be damaged too, and everything up to it would be taken for missing. */
  #checkNumbersBehind(seq: number): void {
    const missing = this.#number(
      `SELECT max(seq) - ${seq} - count(*) FROM events WHERE seq > ${seq}`,
    )
    if (missing !== null && missing > 0) throw damaged('its newest events have wrong numbers')
  }

  /** What was not indexed when the server ended is, as it was then, in memory only. */
  #resumeIndex(firstSeq: number): void {
    const indexedTo = Math.max(Number(this.#meta(INDEXED_TO) ?? 0), firstSeq - 1)
    this.#index = new IndexWriter(this.#database, indexedTo)
    const rows = this.#database.prepare(`SELECT ${COLUMNS} FROM events WHERE seq > ?`)
    rows.setReturnArrays(true)
    for (const row of rows.iterate(indexedTo)) {
      const record = recordOf(row)
      if (record !== null) this.#index.add(record, JSON.parse(record.topics))
    }
  }

  /** The next start salvages what there is. */
  #giveUpkeepUp(): void {
    this.#upkeepFailed = true
    try {
      this.#transaction(() => void this.#statements.setMeta.run('damaged', 1))
    } catch {
      // Then the next start finds it by itself, or this one does again.
    }
  }

  #insert(events: readonly EventRecord[], changes: readonly StateChange[]): void {
    const { insertPlainEvent, insertEvent, setState, deleteState } = this.#statements
    for (const event of events)
      if (event.beside === undefined) insertPlainEvent.run(...plainColumnsOf(event))
      else insertEvent.run(...columnsOf(event))
    for (const { space, key, value, expiresAtMs } of changes) {
      if (value === null) deleteState.run(space, key)
      else setState.run(space, key, value, expiresAtMs ?? null)
    }
  }

  /** Nobody was told of them. */
  #deleteBehind(seq: number): void {
    this.#database.prepare('DELETE FROM events WHERE seq > ?').run(seq)
  }

  /** The newest row always stays: it is how a start knows where to go on. */
  #deletable(keepFrom: number): number {
    return Math.min(keepFrom, this.#headSeq)
  }

  /**
   * All or none; what the parts return is done once it is committed.
   * @throws {ForeignFilesError} the files are not the store any more; outcome unknown: they were when it began.
   */
  #transaction(...parts: (() => (() => void) | void)[]): void {
    this.#files?.beforeWriting(this.#walPages)
    this.#written(...parts)
  }

  /** The same, once the files were looked at. */
  #written(...parts: (() => (() => void) | void)[]): void {
    this.#database.exec('BEGIN IMMEDIATE')
    let settle: ((() => void) | void)[]
    try {
      settle = parts.map((part) => part())
    } catch (error) {
      this.#rollBack()
      throw error
    }
    const startedMs = performance.now()
    try {
      this.#database.exec('COMMIT')
    } catch (error) {
      this.#rollBack()
      throw isUndone(error) ? error : withUnknownOutcome(error as Error)
    }
    const commitMs = performance.now() - startedMs
    for (const each of settle) each?.()
    if (this.#files === undefined) return
    try {
      const frames = this.#walPages()
      // One that had nothing to write says nothing of the disk.
      if (frames !== this.#frames) this.#commitMs = commitMs
      this.#frames = frames
      this.#files.afterWriting(frames)
    } catch (error) {
      throw withUnknownOutcome(error as Error)
    }
  }

  /** After some errors SQLite has done so by itself. */
  #rollBack(): void {
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
    try {
      // Some of it may have come to the write-ahead log.
      this.#files?.afterWriting(this.#walPages())
    } catch {
      // Whoever writes next is told.
    }
  }

  #checkFree(): void {
    const { directory, reserveBytes } = this.#options
    const { bavail, bsize } = statfsSync(directory)
    if (bavail * bsize >= reserveBytes) return
    // The file does not get smaller when events are deleted: the space is in it.
    const freeBytes = bavail * bsize + Number(this.#pragma('freelist_count')) * PAGE_BYTES
    if (freeBytes < reserveBytes)
      throw new Error(`the disk of ${directory} has less than ${reserveBytes} bytes left`)
  }

  readonly #walPages = (): number =>
    (this.#statements.walPages.get() as unknown as [number, number, number])[1]

  #warn(message: string): void {
    this.#warnings.push(message)
  }

  #pragma(name: string): unknown {
    const [value] = Object.values(this.#database.prepare(`PRAGMA ${name}`).get()!)
    return value
  }

  #meta(name: string): unknown {
    return this.#database.prepare('SELECT value FROM meta WHERE name = ?').get(name)?.['value']
  }

  #number(sql: string): number | null {
    const [value] = Object.values(this.#database.prepare(sql).get()!)
    return value as number | null
  }
}

type Statements = ReturnType<typeof prepare>

const SET_META = 'INSERT OR REPLACE INTO meta VALUES (?, ?)'

function prepare(database: DatabaseSync) {
  const walPages = database.prepare('PRAGMA wal_checkpoint(NOOP)')
  walPages.setReturnArrays(true)
  return {
    insertPlainEvent: database.prepare(
      `INSERT INTO events (${PLAIN_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    insertEvent: database.prepare(`INSERT INTO events (${COLUMNS}) VALUES ${PLACEHOLDERS}`),
    setState: database.prepare('INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?)'),
    deleteState: database.prepare('DELETE FROM state WHERE space = ? AND key = ?'),
    deleteExpired: database.prepare(`
      DELETE FROM state WHERE (space, key) IN (
        SELECT space, key FROM state WHERE expires_at_ms <= ? LIMIT ${DELETED_PER_STEP})`),
    setMeta: database.prepare(SET_META),
    walPages,
  }
}

function* batches<T>(all: Iterable<T>, size: number): Generator<T[]> {
  let batch: T[] = []
  for (const each of all) {
    batch.push(each)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

function sizeOfFile(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

/** @throws what `isDamage` tells apart: a tree of SQLite's does not lead to all rows any more. */
function checkExtent(
  { headSeq, rows }: StoreExtent,
  foundSeq: number,
  first: number | null,
  last: number | null,
): void {
  if (headSeq > foundSeq)
    throw damaged(`its newest events, ${foundSeq + 1} to ${headSeq}, are not there`)
  if (rows !== null && (rows[0] !== first || rows[1] !== last))
    throw damaged(`it had events ${rows[0]} to ${rows[1]}, and now has ${first} to ${last}`)
}

/**
 * Whether a COMMIT has failed because the disk was full, so that the last frame, without which the others count for nothing, was not written.
 * After any other failure, of a flush above all, the frames may be in the file, and whoever opens it next takes them for committed.
 */
function isUndone(error: unknown): boolean {
  return ((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_FULL
}

/** What closing may take, in ms, by what is known of the disk: the process must be gone within 3 s. */
const CLOSE_MS = 500
/** One for the last transaction, one for the write-ahead log, one for the database. */
const FLUSHES_TO_CLOSE = 3
/** The one number beside the version that SQLite keeps in the header for applications, which nothing else of ours needs. */
function newGeneration(): number {
  return randomInt(1, 2 ** 31)
}

const SQLITE_ERROR = 1
const SQLITE_FULL = 13
const WRITER_CACHE_KIB = 32_768
/** The write-ahead log is cut down to this when it begins anew. */
const WAL_KEPT_BYTES = 67_108_864
const DELETED_PER_STEP = 256
const AMOUNT_PER_STEP: SweepAmount = {
  rows: 0,
  deletesMin: DELETED_PER_STEP,
  deletesMax: DELETED_PER_STEP,
}
const SALVAGED_PER_COMMIT = 1_000
/** Some ms, for which a publisher may have to wait. */
const PATHS_PER_STEP = 1_024

serve(new SqliteWriter(workerData))
