import {
  closeSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { clockMarkIn } from './clock-mark.ts'
import { rowsInPages } from './raw-pages.ts'
import { COLUMN_COUNTS, recordOf, type EventRecord } from './record.ts'
import { readRuns, type Run } from './position-runs.ts'
import { columnsIn, databaseIn, openReader, SCHEMA } from './schema.ts'
import { keptExtent, sweptTo } from './store-extent.ts'
import { keptIdentity, type StoreIdentity } from './store-identity.ts'

/** What can still be read of a damaged store, which was put aside. */
export class Salvage implements Disposable {
  readonly #path: string
  readonly #database: DatabaseSync

  /** @throws {Error} nothing can. */
  constructor(directory: string) {
    this.#path = databaseIn(directory)
    takeLogOver(this.#path)
    if (!hasTables(directory)) {
      renewFirstPage(this.#path)
      takeLogOver(this.#path)
    }
    this.#database = openTolerantly(directory)
  }

  /** `null`: it is lost, or what there is of it cannot be relied on. */
  identity(): StoreIdentity | null {
    const kept = keptIdentity(this.#database)
    if (kept !== null) return kept
    const keys = this.#keys()
    const runs = this.#orNone(() => readRuns(this.#database))
    return keys !== undefined && isPlausible(runs) ? { keys, runs } : null
  }

  /** The newest row of which it is known that there was one; 0: none. */
  get headSeq(): number {
    return keptExtent(this.#database)?.headSeq ?? 0
  }

  /** Rows before this one were deleted in order. */
  get sweptTo(): number {
    return sweptTo(this.#database)
  }

  get clock() {
    return clockMarkIn(this.#database)
  }

  /** What the state store kept, as rows of its table. */
  state() {
    return this.#all('SELECT space, key, value, expires_at_ms FROM state')
  }

  /** Those up to `lastSeq` that are as they were written, as far as the tree leads to them, in order. */
  *events(lastSeq: number): Generator<EventRecord> {
    const columns = columnsIn(this.#database)
    const rows = this.#statement(`SELECT ${columns} FROM events WHERE seq >= ? ORDER BY seq`)
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

  /** As `events`, from whatever page holds them, in no order, some perhaps twice. */
  *eventsInPages(lastSeq: number): Generator<EventRecord> {
    const first = this.sweptTo
    for (const { rowid, values } of rowsInPages(this.#path, COLUMN_COUNTS)) {
      if (rowid < first || rowid > lastSeq) continue
      const event = recordOf([rowid, ...values.slice(1)])
      if (event !== null) yield event
    }
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }

  #keys() {
    const rows = this.#all("SELECT name, value FROM meta WHERE name IN ('tag_key', 'body_key')")
    const values = new Map(rows.map((row) => [row['name'], row['value']]))
    const [tag, body] = [values.get('tag_key'), values.get('body_key')]
    return tag instanceof Uint8Array && body instanceof Uint8Array ? { tag, body } : undefined
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

/** SQLite then also opens a file that was cut off. */
function openTolerantly(directory: string): DatabaseSync {
  const database = openReader(directory)
  database.exec('PRAGMA writable_schema = 1')
  return database
}

/** So that the file holds all there is, and its pages can be read one by one. */
function takeLogOver(path: string): void {
  try {
    using database = new DatabaseSync(path)
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  } catch {
    // Then the newest events are only where SQLite finds them.
  }
}

function hasTables(directory: string): boolean {
  try {
    using database = openTolerantly(directory)
    using sample = new DatabaseSync(':memory:')
    sample.exec(SCHEMA)
    return sameTables(database, sample)
  } catch {
    return false
  }
}

function sameTables(one: DatabaseSync, other: DatabaseSync): boolean {
  const [ours, theirs] = [one, other].map((database) =>
    JSON.stringify(database.prepare('SELECT name, rootpage FROM sqlite_schema ORDER BY 2').all()),
  )
  return ours === theirs
}

/**
 * The first page says where each table begins, and all stores have them in the same places: that of a new store does as well.
 * The damaged one is kept beside the file.
 */
function renewFirstPage(path: string): void {
  const pages = Math.max(Math.floor(statSync(path).size / PAGE_BYTES), TABLES)
  const template = `${path}-template`
  rmSync(template, { force: true })
  {
    using database = new DatabaseSync(template)
    database.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA journal_mode = WAL; ${SCHEMA}`)
  }
  const page = readFileSync(template).subarray(0, PAGE_BYTES)
  for (const suffix of ['', '-wal', '-shm']) rmSync(template + suffix, { force: true })
  page.writeUInt32BE(pages, 28)
  page.fill(0, 32, 40) // no list of free pages: nobody writes here any more
  const file = openSync(path, 'r+')
  try {
    const damaged = Buffer.alloc(PAGE_BYTES)
    readSync(file, damaged, 0, PAGE_BYTES, 0)
    writeFileSync(`${path}-page-1`, damaged, { mode: 0o600 })
    writeSync(file, page, 0, PAGE_BYTES, 0)
    // SQLite refuses them all where one of the tables would begin behind the end.
    ftruncateSync(file, pages * PAGE_BYTES)
  } finally {
    closeSync(file)
  }
}

/** Another table's page in their place would give anything. */
function isPlausible(runs: readonly Run[]): boolean {
  return (
    runs.length > 0 &&
    runs.every(
      ({ firstSeq, offset }, i) =>
        Number.isSafeInteger(firstSeq) &&
        Number.isSafeInteger(offset) &&
        firstSeq >= (runs[i - 1]?.firstSeq ?? 1) &&
        offset > (runs[i - 1]?.offset ?? 0) &&
        firstSeq + offset < POSITION_MAX,
    )
  )
}

/** The first page, and the first pages of the tables and the index, are among so many. */
const TABLES = 7
const PAGE_BYTES = 4_096
const SEQ_MAX = 2 ** 40
const POSITION_MAX = 2 ** 48
