import { crc32 } from 'node:zlib'
import type { DatabaseSync } from 'node:sqlite'
import type { CursorKeys } from '../cursor.ts'
import type { Run } from './position-runs.ts'

/** Without these the events of a store are there, and no cursor leads to them. */
export interface StoreIdentity {
  readonly keys: CursorKeys
  /** Oldest first. */
  readonly runs: readonly Run[]
}

/**
 * Writes it down twice, in tables that share no page, beside the tables that are read: one page that is lost takes none of
 * it along.
 */
export function keepIdentity(database: DatabaseSync, identity: StoreIdentity): void {
  const text = textOf(identity)
  database.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)').run(IDENTITY, text)
  database
    .prepare('INSERT OR REPLACE INTO state (space, key, value) VALUES (?, ?, ?)')
    .run(SPACE, IDENTITY, Buffer.from(text))
}

/** The one or the other copy; `null`: there is none that is whole. */
export function keptIdentity(database: DatabaseSync): StoreIdentity | null {
  return copyIn(database, COPY_IN_META) ?? copyIn(database, COPY_IN_STATE)
}

/** @returns `false`: what is read of the store is not what was written down; `null`: nothing was. */
export function isIdentityOf(database: DatabaseSync, identity: StoreIdentity): boolean | null {
  const kept = copyIn(database, COPY_IN_META)
  return kept === null ? null : textOf(kept) === textOf(identity)
}

function copyIn(database: DatabaseSync, sql: string): StoreIdentity | null {
  try {
    const value = database.prepare(sql).get()?.['value']
    return read(value instanceof Uint8Array ? Buffer.from(value).toString() : value)
  } catch {
    return null
  }
}

function textOf({ keys, runs }: StoreIdentity): string {
  const json = JSON.stringify({
    tag: Buffer.from(keys.tag).toString('hex'),
    body: Buffer.from(keys.body).toString('hex'),
    runs: runs.map(({ firstSeq, offset }) => [firstSeq, offset]),
  })
  return `${crc32(json)} ${json}`
}

function read(text: unknown): StoreIdentity | null {
  const [, sum, json] = (typeof text === 'string' && /^(\d+) (.*)$/s.exec(text)) || []
  if (json === undefined || crc32(json) !== Number(sum)) return null
  const { tag, body, runs } = JSON.parse(json) as {
    tag: string
    body: string
    runs: [number, number][]
  }
  return {
    keys: { tag: Buffer.from(tag, 'hex'), body: Buffer.from(body, 'hex') },
    runs: runs.map(([firstSeq, offset]) => ({ firstSeq, offset })),
  }
}

const IDENTITY = 'identity'
/** No door has a space of this name. */
const SPACE = 'store'
const COPY_IN_META = `SELECT value FROM meta WHERE name = '${IDENTITY}'`
const COPY_IN_STATE = `SELECT value FROM state WHERE space = '${SPACE}' AND key = '${IDENTITY}'`
