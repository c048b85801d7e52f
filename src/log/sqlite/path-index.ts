import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { PATHS_FROM } from './index-writer.ts'
import { pathKey } from './topic-keys.ts'

/**
 * The older part of the index of paths, which a store that was of version 1 does not have: made from the newest of these events to the
 * oldest, some rows at a time, so that neither the start nor a publisher waits for it.
 */
export class PathIndex {
  readonly #rows: StatementSync
  readonly #find: StatementSync
  readonly #insert: StatementSync
  readonly #setMeta: StatementSync
  #from: number

  constructor(database: DatabaseSync) {
    this.#rows = database.prepare(
      'SELECT seq, path FROM events WHERE seq >= ? AND seq < ? ORDER BY seq DESC',
    )
    this.#rows.setReturnArrays(true)
    this.#find = database.prepare('SELECT 1 FROM postings WHERE topic_key = ? LIMIT 1')
    this.#insert = database.prepare('INSERT OR IGNORE INTO postings VALUES (?, ?)')
    this.#setMeta = database.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)')
    const row = database.prepare('SELECT value FROM meta WHERE name = ?').get(PATHS_FROM)
    this.#from = Number(row?.['value'] ?? 1)
  }

  /** Nothing is missing of the events from `firstSeq` on. */
  isWhole(firstSeq: number): boolean {
    return this.#from <= firstSeq
  }

  /** Within a transaction. What is found under a key already is of a newer event. */
  step(firstSeq: number, rows: number): () => void {
    const from = Math.max(firstSeq, this.#from - rows)
    const seen = new Set<number>()
    for (const [seq, path] of this.#rows.all(from, this.#from) as unknown as [number, unknown][]) {
      const key = pathKey(String(path)) // a damaged one may be anything
      if (seen.has(key)) continue
      seen.add(key)
      if (this.#find.get(key) === undefined) this.#insert.run(key, seq)
    }
    this.#setMeta.run(PATHS_FROM, from)
    return () => {
      this.#from = from
    }
  }
}
