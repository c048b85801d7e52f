import { resolve as absolute } from 'node:path'
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises'
import type { OnBug } from '../../hub/bug.ts'
import { LogUnavailableError, OutcomeUnknownError } from '../../hub/errors.ts'
import type { Cursor, Position, PublishedEvent } from '../../hub/event.ts'
import { SeldomReport } from '../../ops/seldom-report.ts'
import type { Publication } from '../../publication/publication.ts'
import {
  batchError,
  receiptOf,
  type AppendOptions,
  type EventLog,
  type Once,
  type Page,
  type ReadBackOptions,
  type ReadOptions,
  type Receipt,
  type Resolution,
} from '../../hub/event-log.ts'
import { storedPayload } from '../../publication/payload.ts'
import type { StateChange, StateEntry } from '../../hub/state-store.ts'
import { CommitQueue, type Waiting, type Work } from './commit-queue.ts'
import { CommitListeners } from '../commit-listeners.ts'
import { CursorCodec } from '../cursor.ts'
import { LogClock, type ClockSources } from '../log-clock.ts'
import { publishedEvent } from '../published-event.ts'
import { Receipts, type ReceiptLimits } from '../receipts.ts'
import { sizeOf, type EventRecord } from './record.ts'
import { Retention, type End, type RetentionLimits } from './retention.ts'
import { RowReader, type LastWanted, type RowsWantedBack } from './row-reader.ts'
import { PositionRuns } from './position-runs.ts'
import { isDamage } from './schema.ts'
import { besidePayloadOf, eventFrom } from './stored-event.ts'
import type { PageRead, RowsReadBack, SqliteReader } from './sqlite-reader.ts'
import type { Committed, OpenOptions } from './sqlite-writer.ts'
import { checkIdentities, FOREIGN_FILES, type FileIdentity } from './store-files.ts'
import { StoreLock } from './store-lock.ts'
import { putAside, startThreads, type StoreThreads, type ThreadOptions } from './store-threads.ts'
import { mayBeDone, type WorkerPeer } from './worker-peer.ts'

export interface SqliteEventLogOptions extends ThreadOptions, RetentionLimits, ReceiptLimits {
  readonly clock?: ClockSources
  /** Told of listeners that throw; without it they end the process. */
  readonly onBug?: OnBug
}

/**
 * Events in an SQLite database. A thread writes them, one commit at a time with everything that arrived meanwhile, and
 * another reads; here their places, times and cursors are given, and everybody is told once a commit is through.
 */
export class SqliteEventLog implements EventLog {
  readonly #options: SqliteEventLogOptions
  readonly #lock: StoreLock
  /** Made once it is known what time the store has come to. */
  #clock!: LogClock
  readonly #damage: SeldomReport
  readonly #failedReads: SeldomReport
  readonly #failedWrites: SeldomReport
  readonly #failedUpkeep: SeldomReport
  readonly #listeners: CommitListeners
  readonly #receipts: Receipts
  readonly #queue = new CommitQueue()
  #upkeep: NodeJS.Timeout | undefined
  /** When the store is to be told where the clock has come to, by `performance.now()`. */
  #rememberAtMs = 0
  #watch: NodeJS.Timeout | undefined
  #isChecking = false
  /** What is to be found at the place of the store. */
  #identities: readonly FileIdentity[] = []
  #store!: OpenStore
  /** As far as everybody was told. */
  #end!: End
  /** As far as the disk has it. */
  #written!: End & { readonly lastMs: number }
  /** Receipts of commits that failed, but may have got through to the disk: they go with the next one. */
  #leftovers: StateChange[] = []
  #inFlight: Commit | undefined
  #isScheduled = false
  /** Resolves when the commit under way is answered. */
  #idle: Promise<void> = Promise.resolve()
  /** The write-ahead log is taken to the database once it has this many pages. */
  #checkpointAtPages = CHECKPOINT_PAGES
  #checkpoint: Promise<void> | undefined
  /** Why nothing can be stored now. */
  #failure: Error | undefined
  /** That the files are not the store any more. */
  #toldFiles = false
  /** While the threads are replaced. */
  #reopening: Promise<void> | undefined
  /** Where the damaged store is whose place a new one shall take. */
  #aside: string | undefined
  #disposed = false

  /** @throws {Error} another process has the store, its directory cannot be written, or it is of a newer version. */
  static async open(given: SqliteEventLogOptions): Promise<SqliteEventLog> {
    const options = { ...given, directory: absolute(given.directory) }
    const lock = await StoreLock.take(options.directory)
    const log = new SqliteEventLog(options, lock)
    try {
      await log.#open({ wasClosed: lock.wasClosed })
      await log.#loadReceipts()
      // Before there are events of the past: after a kill they alone would say what time it is (test/log/tools/import-events.test.ts).
      await log.#remember({ isLast: false }).catch(() => void (log.#rememberAtMs = 0))
    } catch (error) {
      lock.release({ isClosed: lock.wasClosed })
      const { message } = error as Error
      throw new Error(`the store ${options.directory} cannot be opened: ${message}`, {
        cause: error,
      })
    }
    if (lock.placeProblem !== null)
      options.logger(
        'warn',
        `${options.directory}.lock cannot be made (${lock.placeProblem}): a second server could be started on a copy that is ` +
          'moved to the place of this store',
      )
    log.#upkeep = setInterval(() => void log.#tidy(), UPKEEP_MS).unref()
    log.#watch = setInterval(() => void log.#checkFiles(), FILES_CHECK_MS).unref()
    return log
  }

  private constructor(options: SqliteEventLogOptions, lock: StoreLock) {
    this.#options = options
    this.#lock = lock
    this.#receipts = new Receipts(options, () => this.#clock.nowMs)
    this.#listeners = new CommitListeners(options.onBug)
    this.#damage = new SeldomReport(options.logger, 'error')
    this.#failedReads = new SeldomReport(options.logger, 'error')
    this.#failedWrites = new SeldomReport(options.logger, 'error')
    this.#failedUpkeep = new SeldomReport(options.logger, 'error')
  }

  get head(): Position {
    return this.#store.runs.positionOf(this.#end.headSeq)
  }

  append(
    batch: readonly Publication[],
    { once, state = [] }: AppendOptions = {},
  ): Promise<Receipt> {
    const error = batchError(batch)
    if (error !== null) return Promise.reject(error)
    return once === undefined
      ? this.#commitEvents({ publications: batch, changes: state })
      : this.#appendOnce(batch, state, once)
  }

  async flushed(): Promise<void> {
    // Work without anything to store goes behind all that waits.
    if (!this.#queue.isEmpty) await this.commit({ publications: [], changes: [] }).catch(() => {})
    else if (this.#inFlight !== undefined) await this.#idle
  }

  #appendOnce(
    batch: readonly Publication[],
    state: readonly StateChange[],
    once: Once,
  ): Promise<Receipt> {
    const { key, fingerprint } = once
    const space = receiptSpace(once)
    return this.#receipts.once(once, (expiresAtMs, forgotten) =>
      this.#commitEvents({
        publications: batch,
        changes: [...state, ...forgotten.map((each) => ({ space, key: each, value: null }))],
        record: (first, last) => {
          const kept: KeptReceipt = {
            fingerprint,
            first: first.position,
            last: last.position,
            count: batch.length,
            publishedAtMs: last.publishedAtMs,
            expiresAtMs,
          }
          const value = Buffer.from(JSON.stringify(kept))
          return { space, key, value, expiresAtMs }
        },
      }),
    )
  }

  /** Commits work that has publications. */
  #commitEvents(work: Work): Promise<Receipt> {
    return this.commit(work) as Promise<Receipt>
  }

  /** Shares a commit with what else is waiting. Resolves with `null` if nothing of it is an event. */
  commit(work: Work): Promise<Receipt | null> {
    if (this.#disposed) return Promise.reject(closed())
    if (this.#failure !== undefined) return Promise.reject(unavailable(this.#failure))
    const stored = this.#queue.push(work)
    if (!this.#isScheduled) {
      this.#isScheduled = true
      setImmediate(() => {
        this.#isScheduled = false
        this.#commitNext()?.make()
      })
    }
    return stored
  }

  onCommit(listener: (events: readonly PublishedEvent[], head: Position) => void): Disposable {
    return this.#listeners.add(listener)
  }

  async *read(after: Position, options: ReadOptions): AsyncGenerator<Page> {
    const { filters, publicOnly = false, until, pageBytes } = options
    let reached = after
    while (reached < Math.min(until ?? Infinity, this.head)) {
      const { runs } = this.#store
      const last = Math.min(until ?? Infinity, this.head) as Position
      const lastSeq = runs.seqAt(last)
      const oldest = this.#oldest
      const gap = runs.isGone(reached) ? 'expired' : null
      const page = await this.query((reader) =>
        reader.call('page', {
          after: runs.seqAt(reached),
          until: lastSeq,
          oldest,
          filters,
          publicOnly,
          pageBytes,
        }),
      )
      for (const found of page.damage) this.#addDamage(found)
      reached = page.reached >= lastSeq ? last : runs.positionOf(page.reached)
      yield { events: eventsOf(page, runs), reached, gap: page.gap ?? gap }
    }
  }

  async *readBack(before: Position, options: ReadBackOptions): AsyncGenerator<Page> {
    const { filters, downTo, pageBytes } = options
    let reached = Math.min(before, this.head + 1) as Position
    let rows: number | null = null
    for (let isEnd = reached <= (downTo ?? 0); !isEnd;) {
      const { runs } = this.#store
      const wanted: RowsWantedBack = {
        before: runs.seqAt(reached - 1) + 1,
        downTo: runs.seqAt((downTo ?? 0) - 1) + 1,
        oldest: this.#oldest,
        filters,
        pageBytes,
        rows,
      }
      const page: RowsReadBack = await this.query((reader) => reader.call('pageBack', wanted))
      for (const found of page.damage) this.#addDamage(found)
      ;({ isEnd, rows } = page)
      const isGone = isEnd && downTo !== undefined && runs.isGone((downTo - 1) as Position)
      const expired = downTo === undefined ? null : page.gap
      const gap = page.gap === 'damaged' ? page.gap : isGone ? 'expired' : expired
      const events = eventsOf(page, runs)
      reached = runs.positionOf(page.reached)
      if (!isEnd || events.length > 0 || gap !== null) yield { events, reached, gap }
    }
  }

  async lastOf(path: string): Promise<PublishedEvent | null> {
    let searchUntil: number | undefined
    for (;;) {
      const { runs } = this.#store
      const wanted: LastWanted = {
        path,
        oldest: this.#oldest,
        until: this.#end.headSeq,
        ...(searchUntil !== undefined && { searchUntil }),
      }
      const found = await this.query((reader) => reader.call('lastOf', wanted))
      for (const each of found.damage) this.#addDamage(each)
      if (found.event !== null)
        return eventFrom(found.event, runs.positionOf(found.event.seq), found.cursor!)
      if (found.searchUntil === null) return null
      searchUntil = found.searchUntil
    }
  }

  resolve(cursor: Cursor): Resolution {
    const { codec, runs } = this.#store
    const at = codec.positionOf(cursor)
    if (at === null || at > this.head) return { type: 'foreign' }
    if (at < runs.floor) return { type: 'expired', at }
    const seq = runs.seqAt(at)
    if (runs.positionOf(seq) !== at) return { type: 'foreign' }
    return seq < this.#oldest - 1 ? { type: 'expired', at } : { type: 'found', at }
  }

  cursorOf(position: Position): Cursor {
    const { codec, runs } = this.#store
    return codec.ofPlace(runs.positionOf(runs.seqAt(position)))
  }

  async positionAt(timeMs: number): Promise<Position> {
    const { runs } = this.#store
    const range = { timeMs, oldest: this.#oldest, head: this.#end.headSeq }
    return runs.positionOf(await this.query((reader) => reader.call('rowBefore', range)))
  }

  timeAgo(ms: number): number {
    return this.#clock.ago(ms)
  }

  get status() {
    const { runs, retention } = this.#store
    const end = this.#end
    return {
      // One after the newest that is not kept: between two runs the oldest kept one may have a much higher position.
      oldest: (runs.positionOf(this.#oldest - 1) + 1) as Position,
      get bytes() {
        return retention.bytes(end)
      },
      writable: !this.#disposed && this.#failure === undefined,
    }
  }

  /** What is being committed is, the rest is refused. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return
    this.#disposed = true
    clearInterval(this.#upkeep)
    clearInterval(this.#watch)
    this.#queue.rejectAll(closed())
    await this.#reopening?.catch(() => {})
    await this.#idle
    await this.#checkpoint
    const { isCleared, warning } = await this.#store.threads.close(() =>
      this.#remember({ isLast: true }),
    )
    if (warning !== undefined) this.#options.logger('warn', warning)
    this.#lock.release({ isClosed: isCleared })
  }

  get #oldest(): number {
    return this.#store.retention.oldest(this.#end)
  }

  async #open(how: OpenOptions): Promise<void> {
    const threads = await startThreads(this.#options, this.#lock, how, (error) =>
      this.#fail(error, 'reopen'),
    )
    this.#identities = [...threads.identities, ...this.#lock.files]
    const { keys, runs, firstSeq, headSeq, lastMs, bytes } = threads.opened
    const rows = new RowReader(threads.database, (found) => this.#addDamage(found))
    this.#store = {
      threads,
      runs: new PositionRuns(runs),
      codec: new CursorCodec(keys),
      retention: new Retention(
        this.#options,
        firstSeq,
        (ageMs) => this.#clock.ago(ageMs),
        (seq, until) => rows.firstFrom(seq, until),
      ),
      sweptTo: firstSeq,
      arePathsIndexed: false,
    }
    this.#clock ??= new LogClock({
      ...(this.#options.clock && { sources: this.#options.clock }),
      mark: threads.opened.clock,
      newestMs: lastMs,
      onLeap: (message) => {
        this.#options.logger('warn', message)
        this.#rememberAtMs = 0
      },
    })
    this.#rememberAtMs = 0
    this.#end = { headSeq, bytes }
    this.#written = { headSeq, bytes, lastMs }
  }

  async #loadReceipts(): Promise<void> {
    const spaces = await this.query((reader) => reader.call('spaces', RECEIPTS))
    for (const space of spaces) await this.#loadReceiptsOf(space)
  }

  /** In the order in which they are forgotten. */
  async #loadReceiptsOf(space: string): Promise<void> {
    const kept: (KeptReceipt & { readonly key: string })[] = []
    for (let afterKey: string | null = null; ;) {
      const wanted = { space, afterKey, nowMs: this.#clock.nowMs }
      const entries: readonly StateEntry[] = await this.query((reader) =>
        reader.call('entries', wanted),
      )
      if (entries.length === 0) break
      for (const { key, value } of entries)
        kept.push({ key, ...(JSON.parse(Buffer.from(value).toString()) as KeptReceipt) })
      afterKey = entries.at(-1)!.key
    }
    const { codec } = this.#store
    kept.sort((a, b) => a.expiresAtMs - b.expiresAtMs)
    for (const { key, fingerprint, first, last, count, publishedAtMs, expiresAtMs } of kept) {
      const [firstCursor, lastCursor] = codec.ofEvents([first, last])
      // A commit was refused and undone, and a crash kept its receipt from being deleted.
      if (this.resolve(lastCursor!).type === 'foreign') continue
      const receipt = {
        first: firstCursor!,
        last: lastCursor!,
        firstPosition: first,
        lastPosition: last,
        count,
        publishedAtMs,
      }
      const once = { space: space.slice(RECEIPTS.length + 1), key, fingerprint }
      this.#receipts.add(once, receipt, expiresAtMs)
    }
  }

  /** `isNext`: at once behind another, during which all of it has come. */
  #commitNext({ isNext = false } = {}): Commit | undefined {
    if (this.#inFlight !== undefined || this.#queue.isEmpty || this.#failure !== undefined)
      return undefined
    const commit = new Commit(this.#queue.take(), this.#written, this.#clock.nowMs, this.#store)
    this.#inFlight = commit
    const { events } = commit
    const changes = [...this.#leftovers, ...commit.changes]
    this.#idle = this.#store.threads.writer
      .call('commit', { events, changes, keepFrom: this.#oldest, isNext })
      .then(
        (committed) =>
          commit.making === null
            ? this.#committed(commit, committed)
            : commit.making.then(() => this.#committed(commit, committed)),
        (error: Error) => this.#refused(commit, error),
      )
    return commit
  }

  #committed(commit: Commit, { firstSeq, walPages, upkeepFailure }: Committed): void {
    this.#inFlight = undefined
    this.#leftovers = []
    this.#written = commit.end
    this.#store.sweptTo = firstSeq
    // The thread is given its next work first: it writes that while this is handed out.
    const next = this.#disposed ? undefined : this.#commitNext({ isNext: true })
    const { published: events } = commit
    this.#end = commit.end
    if (events.length > 0) this.#listeners.tell(events, this.head)
    commit.answer()
    next?.make()

    if (upkeepFailure !== undefined)
      this.#failedUpkeep.add(
        `the store is damaged among its old events or in its topic index (${upkeepFailure}): ` +
          'the next start takes over what is whole, until then no old events are deleted',
        'old events',
      )
    if (walPages >= this.#checkpointAtPages) this.#checkpoint ??= this.#runCheckpoint(walPages)
    else if (walPages < CHECKPOINT_PAGES) this.#checkpointAtPages = CHECKPOINT_PAGES
  }

  #refused(commit: Commit, error: Error): void {
    this.#inFlight = undefined
    for (const change of commit.changes)
      if (change.space.startsWith(RECEIPTS)) this.#leftovers.push({ ...change, value: null })
    const refusal = mayBeDone(error) ? outcomeUnknown(error) : unavailable(error)
    for (const { reject } of commit.waiting) reject(refusal)
    this.#fail(error, isDamage(error) ? 'replace' : 'probe')
  }

  /** Nothing can be stored for now; tries until it can. */
  #fail(error: Error, remedy: Remedy): void {
    if (this.#disposed || this.#failure !== undefined) return
    this.#failure = error
    this.#queue.rejectAll(unavailable(error))
    this.#tellFailure(error)
    void this.#heal(error, remedy)
  }

  /** That somebody has to do something is not lost among other trouble of the same minute. */
  #tellFailure(error: Error): void {
    const message = `events cannot be stored: ${error.message}`
    if (!isAboutFiles(error)) return this.#failedWrites.add(message)
    if (this.#toldFiles) return
    this.#toldFiles = true
    this.#options.logger(
      'error',
      `${message}. What was acknowledged so far is in the files that process ${process.pid} has open, until it ends: ` +
        'docs/operating.md, "The files of the store were moved, replaced or deleted", says how to save them',
    )
  }

  async #heal(error: Error, remedy: Remedy): Promise<void> {
    let next = remedy
    while (!this.#disposed) {
      try {
        if (next === 'probe') await this.#makeRoom()
        else {
          this.#reopening = this.#reopen(next === 'replace' ? error : undefined)
          await this.#reopening
        }
        this.#failure = undefined
        this.#toldFiles = false
        this.#failedWrites.over('events can be stored again')
        return
      } catch (reason) {
        if (isDamage(reason)) next = 'replace'
        if (isAboutFiles(reason)) this.#tellFailure(reason as Error)
        await wait(RETRY_MS, undefined, { ref: false })
      } finally {
        this.#reopening = undefined
      }
    }
  }

  /** With new threads; after damage in a new store, which goes on where the old one ended. */
  async #reopen(damage: Error | undefined): Promise<void> {
    const { threads } = this.#store
    // A commit may still come through, and then it counts.
    await this.#idle
    await this.#checkpoint
    // What somebody else has put there is neither opened nor put aside.
    checkIdentities(this.#identities)
    await threads.close()
    const { headSeq, bytes, lastMs } = this.#written
    if (damage !== undefined && this.#aside === undefined) {
      this.#aside = putAside(this.#options, damage.message)
      this.#identities = this.#lock.files
    }
    if (this.#aside === undefined) return this.#open({ wasClosed: true, headSeq })
    const { keys, runs } = threads.opened
    const continuation = { keys, runs, headSeq, lastMs, bytes }
    await this.#open({ wasClosed: true, continuation, salvageFrom: this.#aside })
    this.#aside = undefined
    return undefined
  }

  /** @throws there is none. */
  async #makeRoom(): Promise<void> {
    await this.#store.threads.writer.call('checkFiles', undefined)
    // What this frees stays with the database, which counts it as free.
    await (this.#checkpoint ??= this.#runCheckpoint(0))
    await this.#deleteOld()
    await this.#store.threads.writer.call('probe', undefined)
  }

  /**
   * Asks the reading thread, which sees what is committed.
   * @throws {LogUnavailableError}
   */
  async query<T>(ask: (reader: WorkerPeer<SqliteReader>) => Promise<T>): Promise<T> {
    for (;;) {
      await this.#reopening?.catch(() => {})
      await this.#checkpoint
      try {
        return await ask(this.#store.threads.reader)
      } catch (error) {
        if (this.#reopening !== undefined) continue
        if (!this.#disposed)
          this.#failedReads.add(`the store cannot be read: ${(error as Error).message}`)
        throw unavailable(error as Error)
      }
    }
  }

  #addDamage(found: string): void {
    this.#damage.add(`damage in the store: ${found}; it is not delivered`)
  }

  /** The reading thread does most of it; it reads nothing until the log has begun anew. */
  async #runCheckpoint(walPages: number): Promise<void> {
    const { writer, reader } = this.#store.threads
    this.#checkpointAtPages = walPages + CHECKPOINT_PAGES
    try {
      await writer.call('beginCheckpoint', undefined)
      try {
        for (let round = 0; round < CHECKPOINT_ROUNDS; round++)
          if ((await reader.call('checkpoint', undefined)) <= PAGES_LEFT_TO_WRITER) break
      } finally {
        await writer.call('finishCheckpoint', undefined)
      }
    } catch (error) {
      if (isAboutFiles(error)) return this.#fail(error as Error, 'probe')
      const { message } = error as Error
      this.#failedUpkeep.add(`the write-ahead log cannot be cleared: ${message}`, 'checkpoint')
    } finally {
      this.#checkpoint = undefined
    }
  }

  /** Looks at files that nobody may need for long: whoever moves them away shall hear of it at once. */
  async #checkFiles(): Promise<void> {
    if (this.#isChecking || this.#failure !== undefined) return
    this.#isChecking = true
    try {
      await this.#store.threads.writer.call('checkFiles', undefined)
    } catch (error) {
      if (isAboutFiles(error)) this.#fail(error as Error, 'probe')
    } finally {
      this.#isChecking = false
    }
  }

  /** In quiet times, what no commit has deleted on its way. */
  async #tidy(): Promise<void> {
    if (this.#failure !== undefined) return
    try {
      await this.#store.threads.writer.call('deleteExpired', this.#clock.nowMs)
      if (performance.now() >= this.#rememberAtMs) await this.#remember({ isLast: false })
      await this.#deleteOld()
      await this.#indexPaths()
    } catch (error) {
      this.#fail(error as Error, isDamage(error) ? 'replace' : 'probe')
    }
  }

  /** What the next start cannot find out from the events. */
  async #remember({ isLast }: { isLast: boolean }): Promise<void> {
    this.#rememberAtMs = performance.now() + REMEMBERED_EACH_MS
    await this.#store.threads.writer.call('remember', { clock: this.#clock.mark, isLast })
  }

  /** Makes the index of paths for a store that was of version 1. */
  async #indexPaths(): Promise<void> {
    const store = this.#store
    for (let step = 0; step < PATH_STEPS_PER_UPKEEP && !store.arePathsIndexed; step++) {
      // On a busy server a step in each second.
      if (this.#disposed || (step > 0 && this.#inFlight !== undefined)) return
      store.arePathsIndexed = await store.threads.writer.call('indexPaths', undefined)
      if (store.arePathsIndexed && step > 0)
        this.#options.logger(
          'info',
          `the store ${this.#options.directory} has an index of paths now`,
        )
    }
  }

  async #deleteOld(): Promise<void> {
    const store = this.#store
    while (!this.#disposed && this.#inFlight === undefined) {
      const keepFrom = Math.min(this.#oldest, this.#written.headSeq)
      if (store.sweptTo >= keepFrom) return
      store.sweptTo = await store.threads.writer.call('deleteSome', keepFrom)
    }
  }
}

/** Between two looks at what else is to be done: some 10 ms of writing. */
const PATH_STEPS_PER_UPKEEP = 64

/** The space of the receipts in the state; behind a colon that of their keys. */
const RECEIPTS = 'idempotency'

function receiptSpace({ space = '' }: Once): string {
  return space === '' ? RECEIPTS : `${RECEIPTS}:${space}`
}

interface KeptReceipt {
  readonly fingerprint: string
  readonly first: Position
  readonly last: Position
  readonly count: number
  readonly publishedAtMs: number
  readonly expiresAtMs: number
}

/** Trying until it works, new threads, or a new store. */
type Remedy = 'probe' | 'reopen' | 'replace'

interface OpenStore {
  readonly threads: StoreThreads
  readonly runs: PositionRuns
  readonly codec: CursorCodec
  readonly retention: Retention
  /** The oldest row that is there. */
  sweptTo: number
  arePathsIndexed: boolean
}

/** What is written together. Nothing of it counts until it is: a commit that fails uses up no place and no time. */
class Commit {
  readonly waiting: readonly Waiting[]
  readonly events: readonly EventRecord[]
  readonly end: End & { readonly lastMs: number }
  readonly #store: OpenStore
  readonly #publications: readonly Publication[]
  /** The events as everybody sees them, as far as they are made. */
  readonly published: PublishedEvent[] = []
  /** While some are not made yet. */
  making: Promise<void> | null = null

  constructor(
    waiting: readonly Waiting[],
    after: End & { readonly lastMs: number },
    nowMs: number,
    store: OpenStore,
  ) {
    this.waiting = waiting
    this.#publications = waiting.flatMap(({ publications }) => publications)
    this.#store = store
    const events: EventRecord[] = []
    let { headSeq, bytes, lastMs } = after
    for (const { publications, timesMs } of waiting)
      publications.forEach((publication, i) => {
        const { topics, isPrivate, path, payload } = publication
        const beside = besidePayloadOf(publication)
        // A clock that is set back must not break the look-up by time.
        lastMs = Math.max(lastMs, Math.min(timesMs?.[i] ?? nowMs, nowMs))
        const plain: EventRecord = {
          seq: ++headSeq,
          publishedAtMs: lastMs,
          isPrivate,
          path,
          topics: JSON.stringify(topics),
          payload: storedPayload(payload),
          bytesBefore: bytes,
        }
        const event = beside === undefined ? plain : { ...plain, beside }
        bytes += sizeOf(event)
        events.push(event)
      })
    this.events = events
    this.end = { headSeq, bytes, lastMs }
  }

  get changes() {
    let at = 0
    return this.waiting.flatMap(({ publications, changes, record }) => {
      const [first, last] = [at, at + publications.length - 1]
      at += publications.length
      return record ? [...changes, record(this.#placeAt(first), this.#placeAt(last))] : changes
    })
  }

  #placeAt(index: number) {
    const { seq, publishedAtMs } = this.events[index]!
    return { position: this.#store.runs.positionOf(seq), publishedAtMs }
  }

  /** While the thread writes: many of them in turns of their own, as each has a cursor (test/log/sqlite/sqlite-store.test.ts). */
  make(): void {
    if (this.events.length <= MADE_PER_TURN) this.#makeSome()
    else this.making = this.#makeInTurns()
  }

  /** Everybody who waits is told that it is stored. */
  answer(): void {
    const events = this.published
    let at = 0
    for (const { publications, resolve } of this.waiting) {
      const [first, last] = [events[at], events[at + publications.length - 1]]
      at += publications.length
      resolve(publications.length === 0 ? null : receiptOf(first!, last!))
    }
  }

  async #makeInTurns(): Promise<void> {
    while (this.published.length < this.events.length) {
      await nextTurn()
      this.#makeSome()
    }
    this.making = null
  }

  #makeSome(): void {
    const { runs, codec } = this.#store
    const start = this.published.length
    const records = this.events.slice(start, start + MADE_PER_TURN)
    const positions = records.map(({ seq }) => runs.positionOf(seq))
    const cursors = codec.ofEvents(positions)
    records.forEach(({ publishedAtMs }, n) => {
      const publication = this.#publications[start + n]!
      this.published.push(publishedEvent(publication, positions[n]!, cursors[n]!, publishedAtMs))
    })
  }
}

function eventsOf({ events, cursors }: PageRead, runs: PositionRuns): PublishedEvent[] {
  return events.map((record, i) => eventFrom(record, runs.positionOf(record.seq), cursors[i]!))
}

function isAboutFiles(error: unknown): boolean {
  return (error as { code?: string }).code === FOREIGN_FILES
}

function closed(): LogUnavailableError {
  return new LogUnavailableError('the event log is closed')
}

function outcomeUnknown(cause: Error): OutcomeUnknownError {
  return Object.assign(new OutcomeUnknownError('it may have been stored, or not'), { cause })
}

/** The reason is for the operator's log, not for peers. */
function unavailable(cause: Error): LogUnavailableError {
  return Object.assign(new LogUnavailableError('events cannot be stored now'), { cause })
}

/** Events of a commit: some ms. */
const MADE_PER_TURN = 500
/** Pages have 4 KiB. */
const CHECKPOINT_PAGES = 4_096
/** What may be left for the writer, which commits nothing meanwhile: some ms. */
const PAGES_LEFT_TO_WRITER = 256
const CHECKPOINT_ROUNDS = 4
const UPKEEP_MS = 1_000
/** So that files which are gone are told within a second. */
const FILES_CHECK_MS = 400
const RETRY_MS = 1_000
/** A start after a kill knows the clock of the last ten minutes: it costs a flush. */
const REMEMBERED_EACH_MS = 600_000
