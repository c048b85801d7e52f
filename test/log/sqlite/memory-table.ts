import { DatabaseSync } from 'node:sqlite'
import {
  columnsOf,
  COLUMNS,
  PLACEHOLDERS,
  sizeOf,
  type EventRecord,
} from '../../../src/log/sqlite/record.ts'
import { SCHEMA } from '../../../src/log/sqlite/schema.ts'

/** The tables of a store in memory, for what works on them without threads. */
export class MemoryTable implements Disposable {
  readonly database = new DatabaseSync(':memory:')
  readonly events: EventRecord[] = []

  constructor() {
    this.database.exec(SCHEMA)
  }

  /** A row behind the last one. */
  append({ topics, isPrivate = false, payload = '{}' }: AppendedEvent): EventRecord {
    const last = this.events.at(-1)
    const record: EventRecord = {
      seq: this.events.length + 1,
      publishedAtMs: 1_700_000_000_000 + this.events.length,
      isPrivate,
      path: `/${topics.join('/')}`,
      topics: JSON.stringify(topics),
      payload,
      bytesBefore: last === undefined ? 0 : last.bytesBefore + sizeOf(last),
    }
    this.restore(record)
    this.events.push(record)
    return record
  }

  change(seq: number, assignment: string): void {
    this.database.prepare(`UPDATE events SET ${assignment} WHERE seq = ?`).run(seq)
  }

  remove(seq: number): void {
    this.database.prepare('DELETE FROM events WHERE seq = ?').run(seq)
  }

  /** Writes an event, as it was at first. */
  restore(record: EventRecord): void {
    this.database
      .prepare(`INSERT OR REPLACE INTO events (${COLUMNS}) VALUES ${PLACEHOLDERS}`)
      .run(...columnsOf(record))
  }

  /** What the parts write; a failure of the disk takes it back. */
  transaction<T>(write: () => T, outcome: 'committed' | 'failed' = 'committed'): T {
    this.database.exec('BEGIN')
    const result = write()
    this.database.exec(outcome === 'committed' ? 'COMMIT' : 'ROLLBACK')
    return result
  }

  /** The rows of the topic index, as `key seq`. */
  postings(): Set<string> {
    const rows = this.database.prepare('SELECT topic_key, seq FROM postings').all()
    return new Set(rows.map((row) => `${Number(row['topic_key'])} ${Number(row['seq'])}`))
  }

  /** Numbers of the events that are there. */
  seqs(): number[] {
    const rows = this.database.prepare('SELECT seq FROM events ORDER BY seq').all()
    return rows.map((row) => Number(row['seq']))
  }

  meta(name: string): number | undefined {
    const row = this.database.prepare('SELECT value FROM meta WHERE name = ?').get(name)
    return row && Number(row['value'])
  }

  [Symbol.dispose](): void {
    this.database.close()
  }
}

export interface AppendedEvent {
  readonly topics: readonly string[]
  readonly isPrivate?: boolean
  readonly payload?: string
}
