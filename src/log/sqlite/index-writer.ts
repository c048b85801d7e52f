import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { EventRecord } from './record.ts'
import { keysOfEvent, PATH_KEYS_END, pathKey } from './topic-keys.ts'

/** Written as the name of a row in `meta`: the index holds every event up to this one. */
export const INDEXED_TO = 'indexed_to'

/** Another: the events before this one are being deleted or were, first from the index. From it on none was. */
export const INDEXED_FROM = 'indexed_from'

/**
 * Another: of the events from this one on, the index also leads to the last of each path. In a store that was of version 1 this goes down
 * to the oldest event in quiet times.
 */
export const PATHS_FROM = 'paths_from'

/** What is to be remembered once the transaction is committed. */
export type Settle = () => void

/**
 * Writes the topic index some thousand events late, sorted by topic: each of its pages then takes many entries at once
 * (a sixth of the pages written per event, twice the events per second). Readers scan what is not indexed yet.
 */
export class IndexWriter {
  readonly #insert: StatementSync
  readonly #setMeta: StatementSync
  readonly #deleteBefore: StatementSync
  /** Entries of events that came since the last lot was closed. */
  #waiting: Entry[] = []
  /** The last of them for each path. */
  #lastOf = new Map<string, number>()
  #waitingTo: number
  /** Entries of events that came since the last step. */
  #added = 0
  /** A lot that is being written, in the order of the index. */
  #lot: Entry[] = []
  #lotTo: number
  #written = 0

  constructor(database: DatabaseSync, indexedTo: number) {
    // A crash may have left part of a lot.
    this.#insert = database.prepare('INSERT OR IGNORE INTO postings VALUES (?, ?)')
    this.#deleteBefore = database.prepare('DELETE FROM postings WHERE topic_key = ? AND seq < ?')
    this.#setMeta = database.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)')
    this.#waitingTo = indexedTo
    this.#lotTo = indexedTo
  }

  add(event: EventRecord, topics: readonly string[]): void {
    const waiting = this.#waiting.length
    for (const key of keysOfEvent(topics, event.isPrivate)) this.#waiting.push([key, event.seq])
    this.#added += this.#waiting.length - waiting + (this.#lastOf.has(event.path) ? 0 : 1)
    this.#lastOf.set(event.path, event.seq)
    this.#waitingTo = event.seq
    if (this.#lot.length === 0 && this.#waiting.length >= LOT_ENTRIES) this.#closeLot()
  }

  /** Within a transaction: part of a lot, at a pace that ends it before the next one is due. */
  step(firstSeq: number): Settle {
    const added = this.#added
    const settle = () => {
      this.#added -= added
    }
    if (this.#lot.length === 0) return settle
    const to = Math.min(this.#lot.length, this.#written + ENTRIES_PER_STEP + 2 * added)
    for (let at = this.#written; at < to; at++) {
      const [key, seq] = this.#lot[at]!
      if (seq >= firstSeq) this.#insert.run(key, seq)
      if (key <= PATH_KEYS_END) this.#deleteBefore.run(key, seq)
    }
    const isDone = to === this.#lot.length
    if (isDone) this.#setMeta.run(INDEXED_TO, this.#lotTo)
    return () => {
      settle()
      this.#written = to
      if (!isDone) return
      this.#lot = []
      if (this.#waiting.length >= LOT_ENTRIES) this.#closeLot()
    }
  }

  #closeLot(): void {
    for (const [path, seq] of this.#lastOf) this.#waiting.push([pathKey(path), seq])
    this.#lastOf.clear()
    this.#lot = this.#waiting.toSorted((a, b) => a[0] - b[0] || a[1] - b[1])
    this.#lotTo = this.#waitingTo
    this.#written = 0
    this.#waiting = []
  }
}

type Entry = readonly [key: number, seq: number]

const LOT_ENTRIES = 8_192
const ENTRIES_PER_STEP = 128
