import type { Audience, DueEvents } from './audience.ts'
import type { OnBug } from './bug.ts'
import type { CloseReason } from './encoding.ts'
import type { Position, PublishedEvent } from './event.ts'
import { EVENT_OVERHEAD_BYTES, type EventLog, type Page, type PageGap } from './event-log.ts'
import { beginWork } from '../ops/current-work.ts'
import { isTurnSpent } from '../ops/turn-budget.ts'
import { FairTurns } from './fair-turns.ts'

/** A page of the log as the members of one audience are due it. */
export interface DuePage {
  /** The bytes of all its events. Empty where the page was asked for in parts. */
  readonly bytes: Uint8Array
  readonly parts: PageParts | null
  readonly reached: Position
  readonly gap: PageGap | null
  /** Nobody can say whether the next event is due, or how it is encoded: who comes here ends. */
  readonly hasFailed: boolean
}

/** For a subscription that may end within the page, or that gets events. */
interface PageParts {
  readonly events: readonly PublishedEvent[]
  /** Each event's own bytes; none where events are what is asked for. */
  readonly frames: readonly Uint8Array[]
}

/** A subscription that is behind, as what takes it forward knows it. */
export interface LogReader {
  readonly audience: Audience
  /** Whose it is: shares take turns. Absent: it is a share of its own. */
  readonly share: string | undefined
  /** It gets a page in parts: it may end within it, or makes its own bytes of the events. */
  readonly wantsParts: boolean
  /** It is still there, and behind. */
  readonly isBehind: boolean
  /** It has its turn: one step towards the head. */
  advance(): void
  /** That has thrown: it ends. Must not throw. */
  fail(doing: string, error: unknown): void
  /** Must not throw. */
  end(reason: CloseReason): void
}

/** What a page of the log holds at most, in bytes as the log counts them: about 1 ms of encoding. */
export const PAGE_BYTES = 131_072

/**
 * Takes the subscriptions that are behind forward, a slice of the main thread at a time, so that a crowd of them delays
 * the live ones by no more than that. Pages are read and encoded once for all who stand at the same place. Shares take turns: a
 * crowd of one address delays a reader of another one by a few steps, however great it is (test/hub/catch-up.test.ts).
 */
export class CatchUp {
  readonly #log: EventLog
  readonly #head: () => Position
  readonly #queue = new FairTurns<LogReader>()
  readonly #onBug: OnBug
  /** Readings by audience and place, until the page is encoded. */
  readonly #readings = new Map<string, Reading>()
  readonly #arrived: Reading[] = []
  /** Who waited for a page that is encoded: soon others will push it out, so every second step is theirs. */
  readonly #served = new FairTurns<LogReader>()
  #isTurnOfServed = true
  readonly #pages = new Map<string, StoredPage>()
  #pageBytes = 0
  #isScheduled = false
  #publications = 0
  #patience: NodeJS.Timeout | undefined

  /** `head`: of the last round. The log may be further, with what nobody has been given yet. */
  constructor(log: EventLog, head: () => Position, onBug: OnBug) {
    this.#log = log
    this.#head = head
    this.#onBug = onBug
  }

  /** The reader will be asked to advance, soon. */
  enqueue(reader: LogReader): void {
    this.#queue.add(shareOf(reader), reader)
    this.#schedule()
  }

  /** What comes after a position. `null`: it is being read, and the reader will be asked to advance again. */
  page(reader: LogReader, after: Position): DuePage | null {
    const { audience, wantsParts } = reader
    // What is not narrowed by topics is the same for all, and what of it is due is looked at when somebody comes for it.
    const isForAll = audience.group.readFilters === undefined
    const publicOnly = audience.rights.seesNothing
    const key = isForAll
      ? keyOfAll(after, publicOnly)
      : `${audience.id} ${after}${wantsParts ? ' in parts' : ''}`
    const found = this.#pages.get(key)
    if (found !== undefined && found.staleAtMs > performance.now())
      return found.due ?? this.#dueOfRaw(audience, after, found.raw, wantsParts)
    let reading = this.#readings.get(key)
    if (reading === undefined) {
      reading = {
        key,
        audience: isForAll ? null : audience,
        publicOnly,
        inParts: wantsParts,
        waiters: [],
        page: null,
        due: [],
        lookedAt: 0,
      }
      this.#readings.set(key, reading)
      void this.#read(reading, after)
    }
    reading.waiters.push(reader)
    return null
  }

  /**
   * While a publication is on its way to the log and back, the core is for those who bring it there: those who are live
   * wait for it. On one core with 50 readers, their median delay was 2 ms higher without that (bench/replay.ts).
   */
  yieldToPublication(): Disposable {
    this.#publications++
    return {
      [Symbol.dispose]: () => {
        if (--this.#publications === 0 && this.#patience !== undefined) this.#runSoon()
      },
    }
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    if (this.#publications > 0) this.#patience = setTimeout(() => this.#runSoon(), PATIENCE_MS)
    else this.#runSoon()
  }

  #runSoon(): void {
    clearTimeout(this.#patience)
    this.#patience = undefined
    setImmediate(() => {
      this.#isScheduled = false
      this.#run()
    })
  }

  #run(): void {
    beginWork('catching up')
    const untilMs = performance.now() + SLICE_MS
    while (this.#step()) if (performance.now() > untilMs || isTurnSpent()) return this.#schedule()
  }

  /** `false`: nothing can be done now. */
  #step(): boolean {
    const arrived = this.#arrived.shift()
    if (arrived !== undefined) {
      this.#finish(arrived)
      return true
    }
    this.#isTurnOfServed = !this.#isTurnOfServed
    const next = this.#isTurnOfServed
      ? (this.#served.next() ?? this.#nextQueued())
      : (this.#nextQueued() ?? this.#served.next())
    if (next !== undefined) advance(next)
    return next !== undefined
  }

  #nextQueued(): LogReader | undefined {
    return this.#readings.size < READINGS_MAX ? this.#queue.next() : undefined
  }

  /** Only reads: encoding takes longer, and has its turn in a slice. */
  async #read(reading: Reading, after: Position): Promise<void> {
    try {
      reading.page = await this.#firstPage(reading, after)
    } catch {
      // It stays without a page; why, the log has told the operator.
    }
    this.#arrived.push(reading)
    this.#schedule()
  }

  async #firstPage({ audience, publicOnly }: Reading, after: Position): Promise<Page> {
    const until = this.#head()
    const filters = audience?.group.readFilters
    const options = { until, pageBytes: PAGE_BYTES, publicOnly, ...(filters && { filters }) }
    for await (const page of this.#log.read(after, options)) return page
    return { events: [], reached: until, gap: null }
  }

  /** A step towards a page that is encoded. */
  #finish(reading: Reading): void {
    const { key, audience, inParts, waiters, page } = reading
    // They may all have gone while it was read.
    const waiting = waiters.filter(({ isBehind }) => isBehind)
    if (page !== null && audience !== null && waiting.length > 0) {
      const events = reading.lookedAt === 0 ? page.events : page.events.slice(reading.lookedAt)
      const due = audience.dueOfPage(events)
      reading.due.push(due)
      reading.lookedAt += due.lookedAt
      if (due.failure === null && reading.lookedAt < page.events.length) {
        this.#arrived.push(reading) // behind the others that have arrived
        return
      }
    }
    this.#readings.delete(key)
    if (page === null) for (const waiter of waiters) waiter.end('unavailable')
    else if (waiting.length > 0) {
      if (audience === null) this.#store(key, { raw: page, due: null }, rawSizeOf(page))
      else {
        const due = this.#duePage(joined(reading.due), page, inParts)
        this.#store(key, { raw: null, due }, sizeOf(due))
      }
      for (const waiter of waiting) this.#served.add(shareOf(waiter), waiter)
    }
  }

  /** As much of a page for all as can be looked at in one step; the rest of it is kept for the next. */
  #dueOfRaw(audience: Audience, after: Position, page: Page, inParts: boolean): DuePage {
    const due = audience.dueOfPage(page.events)
    if (due.failure !== null || due.lookedAt === page.events.length)
      return this.#duePage(due, page, inParts)
    if (due.lookedAt === 0) return { ...NO_STEP, parts: inParts ? NO_PARTS : null, reached: after }
    const reached = page.events[due.lookedAt - 1]!.position
    const rest: Page = { events: page.events.slice(due.lookedAt), reached: page.reached, gap: null }
    const key = keyOfAll(reached, audience.rights.seesNothing)
    if (!this.#pages.has(key)) this.#store(key, { raw: rest, due: null }, rawSizeOf(rest))
    return this.#duePage(due, { ...page, reached }, inParts)
  }

  #duePage(
    { events, frames, failure }: Omit<DueEvents, 'lookedAt'>,
    { reached, gap }: Page,
    inParts: boolean,
  ): DuePage {
    if (failure !== null) this.#onBug('catching up', failure.error)
    return {
      bytes: inParts ? EMPTY : Buffer.concat(frames),
      parts: inParts ? { events, frames } : null,
      reached: failure?.before ?? reached,
      gap,
      hasFailed: failure !== null,
    }
  }

  #store(key: string, content: PageContent, bytes: number): void {
    this.#forget(key)
    this.#pages.set(key, { ...content, bytes, staleAtMs: performance.now() + PAGE_FRESH_MS })
    this.#pageBytes += bytes
    // The newest stays, however great: somebody waits for it.
    for (const oldest of this.#pages.keys()) {
      if (this.#pageBytes <= PAGES_BYTES_MAX || oldest === key) break
      this.#forget(oldest)
    }
  }

  #forget(key: string): void {
    const page = this.#pages.get(key)
    if (page === undefined) return
    this.#pages.delete(key)
    this.#pageBytes -= page.bytes
  }
}

function keyOfAll(after: Position, publicOnly: boolean): string {
  return `everything${publicOnly ? ' public' : ''} ${after}`
}

function joined(parts: readonly DueEvents[]): Omit<DueEvents, 'lookedAt'> {
  if (parts.length === 1) return parts[0]!
  return {
    events: parts.flatMap(({ events }) => events),
    frames: parts.flatMap(({ frames }) => frames),
    failure: parts.at(-1)?.failure ?? null,
  }
}

function shareOf(reader: LogReader): unknown {
  return reader.share ?? reader
}

function advance(reader: LogReader): void {
  try {
    reader.advance()
  } catch (error) {
    reader.fail('catching up', error)
  }
}

const EMPTY = new Uint8Array()

const NO_PARTS: PageParts = { events: [], frames: [] }

/** More is to be asked about the first event than this turn has time for. */
const NO_STEP = { bytes: EMPTY, gap: null, hasFailed: false }

function sizeOf({ bytes, parts }: DuePage): number {
  const inParts = parts?.frames.reduce((sum, frame) => sum + frame.length, 0) ?? 0
  return bytes.length + inParts + PAGE_OVERHEAD_BYTES
}

function rawSizeOf({ events }: Page): number {
  return events.reduce(
    (sum, { payload, path }) => sum + payload.text.length + path.length + EVENT_OVERHEAD_BYTES,
    PAGE_OVERHEAD_BYTES,
  )
}

/** A page that somebody waits for. */
interface Reading {
  readonly key: string
  /** Whose topics it is narrowed by; `null`: it has every event, and is for all who stand there. */
  readonly audience: Audience | null
  /** For those who see no private event. */
  readonly publicOnly: boolean
  readonly inParts: boolean
  readonly waiters: LogReader[]
  /** `null` until it is there, and if it cannot be read. */
  page: Page | null
  /** What has been found to be due of it so far, in parts, and of how many of its events. */
  readonly due: DueEvents[]
  lookedAt: number
}

type StoredPage = {
  readonly bytes: number
  /** When it is stale, by `performance.now()`. */
  readonly staleAtMs: number
} & PageContent

/** As it was read, for many, or as one audience is due it. */
type PageContent =
  | { readonly raw: Page; readonly due: null }
  | { readonly raw: null; readonly due: DuePage }

/** How long the main thread may be busy with catching up in one turn of the event loop. */
const SLICE_MS = 1

/** Where there always is a publication, the readers have their turn after this time. */
const PATIENCE_MS = 5

/** Pages being read or waiting to be encoded: one each. Whoever needs another one stays in the queue. */
const READINGS_MAX = 2

/** Encoded pages kept for others at the same place, in bytes. */
const PAGES_BYTES_MAX = 8_388_608
const PAGE_OVERHEAD_BYTES = 200

/** A page is not used for longer than this, so that an event past its age is not shown from memory. */
const PAGE_FRESH_MS = 1_000
