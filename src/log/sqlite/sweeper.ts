import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { INDEXED_FROM, type Settle } from './index-writer.ts'
import { keysOfEvent, pathKey } from './topic-keys.ts'

/** How much is deleted in one step, in rows of the events and ranges of the topic index. */
export interface SweepAmount {
  /** What this many events of the lot need, theirs of the index included, */
  readonly rows: number
  /** but at least this much, */
  readonly deletesMin: number
  /** and at most this. */
  readonly deletesMax: number
}

/**
 * Beside new events twice as many old ones go, so that what is not wanted stays below one and a half lots and two commits,
 * whatever their topics; not more than some times what the commit itself writes, though, when old events had thousands of
 * topics and new ones have few (both: test/log/sqlite/sweeper.test.ts).
 */
export function amountBeside(events: number, topics: number): SweepAmount {
  return {
    rows: 2 * events,
    deletesMin: DELETES_PER_COMMIT,
    deletesMax: LOT_ROWS + 4 * (events + topics),
  }
}

/**
 * Deletes old events, a lot of them at a time and a lot in small steps: first what the index has of them, topic by topic,
 * then the rows, so that a crash in between leaves nothing behind that is not found again.
 */
export class Sweeper {
  readonly #topics: StatementSync
  readonly #deletePostings: StatementSync
  readonly #deleteEvents: StatementSync
  readonly #setMeta: StatementSync
  #lot: Lot
  /** As `#lot`, in a transaction that is not committed yet. */
  #uncommitted: Lot

  constructor(database: DatabaseSync, firstSeq: number) {
    this.#topics = database.prepare(
      'SELECT seq, topics, is_private, path FROM events WHERE seq >= ? AND seq < ? ORDER BY seq',
    )
    this.#topics.setReturnArrays(true)
    this.#deletePostings = database.prepare('DELETE FROM postings WHERE topic_key = ? AND seq < ?')
    this.#deleteEvents = database.prepare('DELETE FROM events WHERE seq < ?')
    this.#setMeta = database.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)')
    this.#lot = { firstSeq, end: firstSeq, keys: [], keysDone: 0, deletesPerRow: 1 }
    this.#uncommitted = this.#lot
  }

  /** The oldest row that is there. */
  get firstSeq(): number {
    return this.#lot.firstSeq
  }

  /** Within the transaction of a step: what is before this row is not to come into the index any more. */
  get indexedFrom(): number {
    return this.#uncommitted.end
  }

  /** Within a transaction. A lot is begun once it is worth it. */
  step(keepFrom: number, { rows, deletesMin, deletesMax }: SweepAmount, lotMin = LOT_ROWS): Settle {
    let lot = this.#lot
    let deletes = 0
    let rowsLeft = rows
    while (deletes < deletesMin || (rowsLeft > 0 && deletes < deletesMax)) {
      if (lot.firstSeq === lot.end) {
        if (keepFrom - lot.end < lotMin) break
        lot = this.#begin(lot.end, Math.min(keepFrom, lot.end + LOT_ROWS))
        this.#setMeta.run(INDEXED_FROM, lot.end)
      }
      const wanted = Math.max(deletesMin - deletes, Math.ceil(rowsLeft * lot.deletesPerRow))
      const after = this.#delete(lot, Math.min(wanted, deletesMax - deletes))
      const done = after.keysDone - lot.keysDone + after.firstSeq - lot.firstSeq
      deletes += done
      rowsLeft -= done / lot.deletesPerRow
      lot = after
    }
    this.#uncommitted = lot
    return () => {
      this.#lot = lot
    }
  }

  /** Some topics of the index, or rows if none are left. */
  #delete(lot: Lot, count: number): Lot {
    const keysDone = Math.min(lot.keys.length, lot.keysDone + count)
    for (let at = lot.keysDone; at < keysDone; at++)
      this.#deletePostings.run(lot.keys[at]!, lot.end)
    const rows = count - (keysDone - lot.keysDone)
    if (rows === 0) return { ...lot, keysDone }
    const firstSeq = Math.min(lot.end, lot.firstSeq + rows)
    this.#deleteEvents.run(firstSeq)
    return { ...lot, keysDone, firstSeq }
  }

  #begin(firstSeq: number, endMax: number): Lot {
    const keys = new Set<number>()
    const paths = new Set<string>()
    let end = firstSeq
    let entries = 0
    for (const row of this.#topics.iterate(firstSeq, endMax)) {
      const [seq, topics, isPrivate, path] = row as unknown as Row
      end = seq + 1
      paths.add(String(path)) // a damaged one may be anything
      entries++
      for (const key of keysOfRow(topics, isPrivate)) {
        keys.add(key)
        entries++
      }
      if (entries >= LOT_ENTRIES) break
    }
    // Rows that are missing have no topics either.
    if (entries < LOT_ENTRIES) end = endMax
    for (const path of paths) keys.add(pathKey(path))
    return {
      firstSeq,
      end,
      keys: [...keys].toSorted((a, b) => a - b),
      keysDone: 0,
      deletesPerRow: (keys.size + end - firstSeq) / (end - firstSeq),
    }
  }
}

/** Events that are deleted together. Never mutated: a transaction that fails leaves the one from before. */
interface Lot {
  /** The oldest row that is there. */
  readonly firstSeq: number
  /** The lot ends before this row. */
  readonly end: number
  /** The keys of its topics, in the order of the index. */
  readonly keys: readonly number[]
  /** How many of them have nothing in the index any more. */
  readonly keysDone: number
  readonly deletesPerRow: number
}

type Row = [seq: number, topics: string, isPrivate: number, path: unknown]

function keysOfRow(topics: string, isPrivate: number): Iterable<number> {
  try {
    return keysOfEvent(JSON.parse(topics), isPrivate === 1)
  } catch {
    return [] // A damaged row: what it leaves in the index lies before the oldest event, where nobody looks.
  }
}

const LOT_ROWS = 4_096
/** A lot of events with many topics ends earlier: their numbers are in memory, and reading them takes time of a commit. */
const LOT_ENTRIES = 32_768
/** So that what has been left is made up for. */
const DELETES_PER_COMMIT = 32
