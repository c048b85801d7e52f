import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { INDEXED_FROM } from './index-writer.ts'

/** Which rows a store had when it was last looked at, so that the next start sees whether some are gone. */
export interface StoreExtent {
  readonly headSeq: number
  /** The first and the last row that were there when the store was closed; `null`: it was not, or had none. */
  readonly rows: readonly [first: number, last: number] | null
}

export function keepExtent(database: DatabaseSync, extent: StoreExtent): void {
  database.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)').run(EXTENT, JSON.stringify(extent))
}

/** `null`: the store does not say, or not readably. */
export function keptExtent(database: DatabaseSync): StoreExtent | null {
  try {
    const row = database.prepare('SELECT value FROM meta WHERE name = ?').get(EXTENT)
    const { headSeq, rows } = JSON.parse(String(row?.['value'])) as StoreExtent
    if (!Number.isSafeInteger(headSeq)) return null
    return { headSeq, rows: Array.isArray(rows) && rows.every(Number.isSafeInteger) ? rows : null }
  } catch {
    return null
  }
}

/** Rows before this one were deleted for their age or number; those from it on are there, or lost. */
export function sweptTo(database: DatabaseSync): number {
  return new SweptTo(database).seq
}

/** The same, asked again and again. */
export class SweptTo {
  readonly #statement: StatementSync | null

  constructor(database: DatabaseSync) {
    try {
      this.#statement = database.prepare(`SELECT value FROM meta WHERE name = '${INDEXED_FROM}'`)
      this.#statement.setReturnArrays(true)
    } catch {
      this.#statement = null
    }
  }

  get seq(): number {
    try {
      const [seq = 1] = (this.#statement?.get() ?? []) as unknown as [number?]
      return Number.isSafeInteger(seq) && seq >= 1 ? seq : 1
    } catch {
      return 1
    }
  }
}

const EXTENT = 'extent'
