import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { INDEXED_FROM, type Settle } from './index-writer.ts'
import { keysOfEvent } from './topic-keys.ts'

/**
 * Deletes old events, a lot of them at a time and a lot in small steps: first what the index has of them, topic by topic,
 * then the rows, so that a crash in between leaves nothing behind that is not found again.
 */
export class Sweeper {
  readonly #topics: StatementSync
  readonly #deletePostings: StatementSync
  readonly #deleteEvents: StatementSync
  readonly #setMeta: StatementSync
  #firstSeq: number
  /** The lot ends before this row. */
  #end: number
  /** Topics of the lot that are still in the index. */
  #keys: readonly number[] = []

  constructor(database: DatabaseSync, firstSeq: number) {
    this.#topics = database.prepare(
      'SELECT topics, is_private FROM events WHERE seq >= ? AND seq < ?',
    )
    this.#topics.setReturnArrays(true)
    this.#deletePostings = database.prepare('DELETE FROM postings WHERE topic_key = ? AND seq < ?')
    this.#deleteEvents = database.prepare('DELETE FROM events WHERE seq < ?')
    this.#setMeta = database.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)')
    this.#firstSeq = firstSeq
    this.#end = firstSeq
  }

  /** The oldest row that is there. */
  get firstSeq(): number {
    return this.#firstSeq
  }

  /** Within a transaction: `rows` rows, or as many topics of the index. A lot is begun once it is worth it. */
  step(keepFrom: number, rows: number, lotMin = LOT_ROWS): Settle {
    if (this.#end === this.#firstSeq) {
      if (keepFrom - this.#firstSeq < lotMin) return () => {}
      this.#begin(Math.min(keepFrom, this.#firstSeq + LOT_ROWS))
    }
    this.#setMeta.run(INDEXED_FROM, this.#end)
    if (this.#keys.length > 0) {
      for (const key of this.#keys.slice(0, rows)) this.#deletePostings.run(key, this.#end)
      return () => {
        this.#keys = this.#keys.slice(rows)
      }
    }
    const firstSeq = Math.min(this.#end, this.#firstSeq + rows)
    this.#deleteEvents.run(firstSeq)
    return () => {
      this.#firstSeq = firstSeq
    }
  }

  #begin(end: number): void {
    const keys = new Set<number>()
    for (const [topics, isPrivate] of this.#topics.all(this.#firstSeq, end) as unknown as Row[])
      for (const key of keysOfRow(topics, isPrivate)) keys.add(key)
    this.#keys = [...keys].toSorted((a, b) => a - b)
    this.#end = end
  }
}

type Row = [topics: string, isPrivate: number]

function keysOfRow(topics: string, isPrivate: number): Iterable<number> {
  try {
    return keysOfEvent(JSON.parse(topics), isPrivate === 1)
  } catch {
    return [] // A damaged row: what it leaves in the index lies before the oldest event, where nobody looks.
  }
}

const LOT_ROWS = 4_096
