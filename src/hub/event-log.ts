import { sizeBesidePayload } from '../publication/envelope.ts'
import type { Publication } from '../publication/publication.ts'
import type { Cursor, Position, PublishedEvent } from './event.ts'
import type { StateChange } from './state-store.ts'
import type { TopicFilter } from './topics.ts'

/** What a cursor that a peer handed in stands for. */
export type Resolution =
  /** Everything after `at` is still in the log. */
  | { readonly type: 'found'; readonly at: Position }
  /** It was ours, and events after it are gone: the log begins behind it. */
  | { readonly type: 'expired'; readonly at: Position }
  /** Never given out by this store, or damaged. */
  | { readonly type: 'foreign' }

export interface Page {
  /** Oldest first, unless it is read back. */
  readonly events: readonly PublishedEvent[]
  /** Everything up to here has been looked at; moves on past events the filter left out. */
  readonly reached: Position
  /** Something that lay on the way here is not delivered; `null`: nothing. */
  readonly gap: PageGap | null
}

/** A record was damaged or missing, or it was dropped for its age or the number of events before it could be read. */
export type PageGap = 'damaged' | 'expired'

export interface ReadOptions {
  /** Leaves out events that none of these wants. Absent: every event. */
  readonly filters?: readonly TopicFilter[]
  /** Leaves out private events, which then neither fill a page nor are handed over. */
  readonly publicOnly?: boolean
  /** The last position of interest; absent: the head at the time each page is read. */
  readonly until?: Position
  /** A page ends with the event that reaches this many bytes of payload text, path and `EVENT_OVERHEAD_BYTES`, or before. */
  readonly pageBytes: number
}

export interface ReadBackOptions {
  /** As in `ReadOptions`. */
  readonly filters?: readonly TopicFilter[]
  /** The first position of interest; absent: that of the oldest event that is kept. */
  readonly downTo?: Position
  /** As in `ReadOptions`. */
  readonly pageBytes: number
}

/** What an event with a few topics costs beside its text, to encode and to keep: small events weigh more than that. */
export const EVENT_OVERHEAD_BYTES = 256

/** What a topic takes in memory beside the path's text, or in the index of a log, in bytes; those of short names the most. */
export const TOPIC_BYTES = 32

/** So many topics are part of `EVENT_OVERHEAD_BYTES`. */
const FEW_TOPICS = 8

/** What an event counts for wherever events are kept or handed on in bounded lots, in bytes. */
export function weightOf(event: Publication): number {
  return (
    event.payload.text.length +
    event.path.length +
    sizeBesidePayload(event) +
    EVENT_OVERHEAD_BYTES +
    TOPIC_BYTES * Math.max(0, event.topics.length - FEW_TOPICS)
  )
}

/** What makes a batch the same as one before. */
export interface Once {
  /** Who keeps keys: each space has its own window and number of them. Few, and named by this server; absent: that of HTTP. */
  readonly space?: string
  readonly key: string
  /** The hash of all that is published: the same key with another one is refused. */
  readonly fingerprint: string
}

export interface AppendOptions {
  /** Changes of the state store beside the log, in the same commit: all of it is stored or nothing. */
  readonly state?: readonly StateChange[] | undefined
  /**
   * A key seen before, within its window and among the newest, stores nothing and resolves as it did then; durable as the events
   * are. One whose batch was refused is free again; one whose outcome is unknown may be used again, and its batch is then stored
   * once all the same.
   */
  readonly once?: Once | undefined
}

/** Where a batch lies in the log: its events have the positions from the first to the last, and nothing stands between them. */
export interface Receipt {
  readonly first: Cursor
  readonly last: Cursor
  readonly firstPosition: Position
  readonly lastPosition: Position
  readonly count: number
  readonly publishedAtMs: number
}

/** The hub's port to storage: an append-only sequence of events. Engines share `test/contracts/event-log.ts`. */
export interface EventLog extends AsyncDisposable {
  /** The newest position. Changes only inside `onCommit`. */
  readonly head: Position
  /**
   * All or none, in one commit, at least one. Resolves once as durable as this log promises, after `onCommit` ran.
   * Batches appended while a commit is under way share the next one.
   * @throws {LogUnavailableError} for certain nothing was stored, nor will be; try again later.
   * @throws {OutcomeUnknownError} it was stored, whole, or not at all: its events may turn up later, or never.
   * @throws {IdempotencyKeyReusedError} nothing was stored.
   * @throws {RangeError} the batch is empty: there is no receipt for that.
   */
  append(batch: readonly Publication[], options?: AppendOptions): Promise<Receipt>
  /** Resolves once `onCommit` has told of everything that was appended before, or it is sure that it never will. */
  flushed(): Promise<void>
  /** Every commit, ours or another process's, once, in order, synchronously, already as durable as promised. */
  onCommit(listener: (events: readonly PublishedEvent[], head: Position) => void): Disposable
  /**
   * Pages after a position, oldest first, until the head (or `until`). Events that are dropped by now, and damaged or missing
   * records, are passed over, and the page on whose way they lay tells of the gap.
   */
  read(after: Position, options: ReadOptions): AsyncIterable<Page>
  /**
   * Pages before a position, newest first; in a page, too, and `reached` says that everything from there on has been looked at. Gaps
   * are told as in `read`, and events before the oldest only to who asked for them by `downTo`.
   */
  readBack(before: Position, options: ReadBackOptions): AsyncIterable<Page>
  /** The newest event that is kept of exactly this path, through an index; `null`: none is. */
  lastOf(path: string): Promise<PublishedEvent | null>
  resolve(cursor: Cursor): Resolution
  /** A cursor for a place without showing an event: two calls for one place differ, so nobody can watch it move. */
  cursorOf(position: Position): Cursor
  /** The position before the first kept event published at or after a time (ms since the Unix epoch); else the head. */
  positionAt(timeMs: number): Promise<Position>
  /**
   * The time of the log so long ago, in ms since the Unix epoch; 0: now, and no event is younger. It is what published times
   * are compared with: the clock on the wall may have leapt, and the log's does not follow at once.
   */
  timeAgo(ms: number): number
  readonly status: {
    /** Position of the oldest kept event; `head + 1` when none is kept. */
    readonly oldest: Position
    /** Bytes of kept payload text and topics, roughly. */
    readonly bytes: number
    readonly writable: boolean
  }
}

/** What is wrong with a batch; `null`: nothing. */
export function batchError(batch: readonly Publication[]): RangeError | null {
  return batch.length === 0 ? new RangeError('a batch has at least one publication') : null
}

/** For events that were stored together, by the first and the last of them. */
export function receiptOf(first: PublishedEvent, last: PublishedEvent): Receipt {
  return {
    first: first.cursor,
    last: last.cursor,
    firstPosition: first.position,
    lastPosition: last.position,
    count: last.position - first.position + 1,
    publishedAtMs: last.publishedAtMs,
  }
}
