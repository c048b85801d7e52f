import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { CursorKeys } from '../cursor.ts'
import { COLUMNS, recordOf, type EventRecord } from './record.ts'
import { readRuns, type Run } from './runs.ts'
import { openReader } from './schema.ts'

/** What can still be read of a damaged store. */
export class Salvage implements Disposable {
  readonly #database: DatabaseSync

  /** @throws {Error} nothing can. */
  constructor(directory: string) {
    this.#database = openReader(directory)
    // SQLite then also opens a file that was cut off.
    this.#database.exec('PRAGMA writable_schema = 1')
  }

  keys(): CursorKeys | undefined {
    const rows = this.#all("SELECT name, value FROM meta WHERE name IN ('tag_key', 'body_key')")
    const values = new Map(rows.map((row) => [row['name'], row['value']]))
    const [tag, body] = [values.get('tag_key'), values.get('body_key')]
    return tag instanceof Uint8Array && body instanceof Uint8Array ? { tag, body } : undefined
  }

  runs(): Run[] {
    return this.#orNone(() => readRuns(this.#database))
  }

  /** What the state store kept, as rows of its table. */
  state() {
    return this.#all('SELECT space, key, value, expires_at_ms FROM state')
  }

  /** Those up to `lastSeq` that are as they were written, in order. */
  *events(lastSeq: number): Generator<EventRecord> {
    const rows = this.#statement(`SELECT ${COLUMNS} FROM events WHERE seq >= ? ORDER BY seq`)
    let next: number | undefined = 0
    while (next !== undefined) {
      try {
        for (const row of rows.iterate(next)) {
          const event = recordOf(row)
          if (event === null || event.seq < next || event.seq > lastSeq) continue
          next = event.seq + 1
          yield event
        }
        return
      } catch {
        next = this.#nextReadable(next)
      }
    }
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }

  /** Behind what is malformed, if anything is. */
  #nextReadable(seq: number): number | undefined {
    const row = this.#statement('SELECT length(payload) FROM events WHERE seq >= ? ORDER BY seq')
    const canRead = (from: number) => {
      try {
        row.get(from)
        return true
      } catch {
        return false
      }
    }
    let bad = seq
    let step = 1
    while (!canRead(bad + step)) {
      bad += step
      step *= 2
      if (step > SEQ_MAX) return undefined
    }
    let good = bad + step
    while (good - bad > 1) {
      const middle = Math.floor((good + bad) / 2)
      if (canRead(middle)) good = middle
      else bad = middle
    }
    return good
  }

  #statement(sql: string): StatementSync {
    const statement = this.#database.prepare(sql)
    statement.setReturnArrays(true)
    return statement
  }

  #all(sql: string) {
    return this.#orNone(() => this.#database.prepare(sql).all())
  }

  #orNone<T>(read: () => T[]): T[] {
    try {
      return read()
    } catch {
      return []
    }
  }
}

const SEQ_MAX = 2 ** 40
