import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { LogClock } from '../../../src/log/log-clock.ts'
import { CLOCK, clockMarkIn } from '../../../src/log/sqlite/clock-mark.ts'

test('a mark comes back as it was written, and one that is damaged or missing is none', () => {
  using database = new DatabaseSync(':memory:')
  assert.equal(clockMarkIn(database), null)
  database.exec('CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID')
  assert.equal(clockMarkIn(database), null)
  const { mark } = new LogClock()
  const write = (value: string | Uint8Array) =>
    database.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)').run(CLOCK, value)
  write(JSON.stringify(mark))
  assert.deepEqual(clockMarkIn(database), mark)
  for (const value of [
    '',
    'null',
    '7',
    '{',
    '{}',
    JSON.stringify({ ...mark, logMs: 'soon' }),
    JSON.stringify({ ...mark, leaps: null }),
    JSON.stringify({ ...mark, leaps: [null] }),
    JSON.stringify({ ...mark, leaps: [{ atMs: 1 }] }),
    Buffer.from([0xff]),
  ]) {
    write(value)
    assert.equal(clockMarkIn(database), null, String(value))
  }
})
