import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import { verifyStore } from '../../../src/log/tools/verify-store.ts'
import { publication } from '../../contracts/event-log.ts'
import { StoreFolder } from '../sqlite/store-folder.ts'

const EVENTS = 9_000
const whole = new StoreFolder()
after(() => whole[Symbol.dispose]())

before(async () => {
  await using store = await whole.open({ durability: 'os' })
  for (let n = 0; n < EVENTS; n += 300)
    await store.log.append(
      Array.from({ length: 300 }, (_, i) => publication(`/a/${(n + i) % 7}`, { n: n + i })),
    )
})

/** What is told of a copy of the store in which something was changed. */
function verifyAfter(sql: string): { readonly whole: number; readonly told: string[] } {
  using folder = new StoreFolder()
  cpSync(whole.directory, folder.directory, { recursive: true })
  {
    using database = new DatabaseSync(folder.file('events.db'))
    database.exec(sql)
  }
  const told: string[] = []
  let last = 0
  const count = verifyStore(
    folder.directory,
    (message) => told.push(message),
    (done, total) => {
      assert.ok(done >= last && done <= total)
      last = done
    },
  )
  return { whole: count, told }
}

test('of a store as it was written every event is counted, and nothing told', () => {
  assert.deepEqual(verifyAfter('SELECT 1'), { whole: EVENTS, told: [] })
})

test('each event that is damaged or missing is told by its number', () => {
  for (const [sql, lost, told] of [
    ["UPDATE events SET payload = '{}' WHERE seq = 5000", 1, ['event 5000 is damaged']],
    [
      'UPDATE events SET published_at_ms = 7 WHERE seq IN (1, 9000)',
      2,
      ['event 1 is damaged', 'event 9000 is damaged'],
    ],
    ['DELETE FROM events WHERE seq BETWEEN 100 AND 199', 100, ['events 100 to 199 are missing']],
    // The store remembers which it had: what it drops itself it takes off that.
    ['DELETE FROM events WHERE seq < 100', 99, ['events 1 to 99 are missing']],
  ] as const)
    assert.deepEqual(verifyAfter(sql), { whole: EVENTS - lost, told: [...told] }, sql)
})

test('an event that is not found under one of its topics is told, but no event that is not indexed yet', () => {
  const { whole: count, told } = verifyAfter('DELETE FROM postings WHERE seq IN (1, 8300)')
  assert.equal(count, EVENTS)
  // Of the oldest ones the index may go before the rows do.
  assert.deepEqual(told, [])

  const more = verifyAfter(`
    UPDATE meta SET value = 9000 WHERE name = 'indexed_to';
    DELETE FROM postings WHERE seq IN (1, 8300)`)
  assert.ok(more.told.includes('event 8300 is missing in the topic index'))
  assert.ok(!more.told.includes('event 1 is missing in the topic index'))
})

test('a store of a newer version is not looked at', () => {
  assert.throws(() => verifyAfter('PRAGMA user_version = 99'), /version 99.* use a newer one/)
})
