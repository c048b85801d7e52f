import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/**
 * Takes the write-ahead log of a closed store to its database. Where the disk is slow, closing leaves that to the next start: whoever
 * damages the database then damages nothing, as all of it is in the log once more.
 */
export function takeLogOver(directory: string): void {
  using database = new DatabaseSync(join(directory, 'events.db'))
  const { busy } = database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()!
  assert.equal(busy, 0)
}
