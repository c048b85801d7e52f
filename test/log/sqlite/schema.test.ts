import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import {
  damaged,
  databaseIn,
  isDamage,
  openReader,
  SCHEMA,
} from '../../../src/log/sqlite/schema.ts'
import { StoreFolder } from './store-folder.ts'

test('a reader sees what a writer commits meanwhile, and can change nothing', () => {
  using folder = new StoreFolder()
  using writer = new DatabaseSync(databaseIn(folder.directory))
  writer.exec(`PRAGMA journal_mode = WAL; ${SCHEMA}`)
  using reader = openReader(folder.directory)
  const count = reader.prepare('SELECT count(*) AS n FROM runs')
  assert.equal(count.get()!['n'], 0)
  writer.exec('INSERT INTO runs VALUES (1, 2)')
  assert.equal(count.get()!['n'], 1)
  for (const sql of ['DELETE FROM runs', 'DROP TABLE runs', 'CREATE TABLE t (c)'])
    assert.throws(() => reader.exec(sql), /readonly/)
})

test('a store that is not there is not made by reading', () => {
  using folder = new StoreFolder()
  assert.throws(() => openReader(folder.directory), /unable to open/)
})

test('a file that is no database, or is malformed, is damage', () => {
  using folder = new StoreFolder()
  writeFileSync(databaseIn(folder.directory), 'not a database '.repeat(1_000))
  assert.ok(isDamage(errorOf(() => openReader(folder.directory))))

  using other = new StoreFolder()
  {
    using database = new DatabaseSync(databaseIn(other.directory))
    database.exec(SCHEMA)
  }
  const bytes = readFileSync(databaseIn(other.directory))
  writeFileSync(databaseIn(other.directory), bytes.fill(0xa5, 4_096))
  const read = () => {
    using reader = openReader(other.directory)
    reader.prepare('SELECT * FROM meta').all()
  }
  assert.ok(isDamage(errorOf(read)))
  assert.ok(isDamage(damaged('a key is missing')))
})

test('a full disk, a busy file, a missing table and an error of ours are no damage', () => {
  using database = new DatabaseSync(':memory:')
  database.exec('PRAGMA max_page_count = 1')
  assert.ok(!isDamage(errorOf(() => database.exec(SCHEMA))), 'full')
  assert.ok(!isDamage(errorOf(() => database.exec('SELECT * FROM nothing'))), 'no table')

  using folder = new StoreFolder()
  using holder = new DatabaseSync(databaseIn(folder.directory))
  holder.exec('BEGIN EXCLUSIVE')
  using second = new DatabaseSync(databaseIn(folder.directory), { timeout: 0 })
  assert.ok(!isDamage(errorOf(() => second.exec('BEGIN EXCLUSIVE'))), 'busy')
  assert.ok(!isDamage(new Error('database disk image is malformed')))
})

function errorOf(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return assert.fail('nothing was thrown')
}
