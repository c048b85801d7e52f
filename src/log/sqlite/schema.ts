import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { COLUMNS, COLUMNS_OF_VERSION_1 } from './record.ts'

/** pubsubd 69b132e and those before it know version 1, and refuse what is of a higher one. */
export const SCHEMA_VERSION = 2

/** A store is a directory; this is its database. */
export function databaseIn(directory: string): string {
  return join(directory, 'events.db')
}

/** Empty in most rows, where each takes one byte. Nothing writes the last yet: it is there for a chain of hashes over all events. */
const COLUMNS_SINCE_VERSION_2 = ['door TEXT', 'envelope BLOB', 'tags TEXT', 'chain BLOB']

/** In one transaction, and no row is touched, so it takes as long for a large store as for a small one. */
export const MIGRATION_FROM_VERSION_1 = `
  ${COLUMNS_SINCE_VERSION_2.map((column) => `ALTER TABLE events ADD COLUMN ${column};`).join('\n  ')}
  PRAGMA user_version = ${SCHEMA_VERSION};
`

/** Rows of one commit lie together in either table but `postings`, which is why it has the smallest rows possible. */
export const SCHEMA = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
  CREATE TABLE runs (first_seq INTEGER, position_offset INTEGER);
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY, published_at_ms INTEGER, is_private INTEGER, path TEXT, topics TEXT, payload TEXT,
    bytes_before INTEGER, crc INTEGER, ${COLUMNS_SINCE_VERSION_2.join(', ')});
  CREATE TABLE postings (topic_key INTEGER, seq INTEGER, PRIMARY KEY (topic_key, seq)) WITHOUT ROWID;
  CREATE TABLE state (
    space TEXT, key TEXT, value BLOB, expires_at_ms INTEGER, PRIMARY KEY (space, key)) WITHOUT ROWID;
  CREATE INDEX state_expiry ON state (expires_at_ms) WHERE expires_at_ms IS NOT NULL;
  PRAGMA user_version = ${SCHEMA_VERSION};
`

/** What `recordOf` expects, of a store of either version. */
export function columnsIn(database: DatabaseSync): string {
  try {
    database.prepare(`SELECT ${COLUMNS} FROM events`)
    return COLUMNS
  } catch {
    return COLUMNS_OF_VERSION_1
  }
}

/** A connection that only reads; the server may be writing meanwhile. */
export function openReader(directory: string): DatabaseSync {
  const database = new DatabaseSync(databaseIn(directory), { readOnly: true, timeout: 5_000 })
  database.exec(`PRAGMA query_only = 1; PRAGMA cache_size = -${READER_CACHE_KIB}`)
  return database
}

const READER_CACHE_KIB = 8_192

/** SQLite found the file malformed, as opposed to a full disk or a file that cannot be reached. */
export function isDamage(error: unknown): boolean {
  const { errcode } = error as { errcode?: number }
  return errcode !== undefined && DAMAGE_CODES.includes(errcode & 0xff)
}

/** Marks an error that says of a store what SQLite says of a file. */
export function damaged(message: string): Error {
  return Object.assign(new Error(message), { errcode: SQLITE_CORRUPT })
}

const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26
/** The low byte of an extended code is its primary one (sqlite.org/rescode.html). */
const DAMAGE_CODES = [SQLITE_CORRUPT, SQLITE_NOTADB]
