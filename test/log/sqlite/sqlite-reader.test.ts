import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import type { PublishedEvent } from '../../../src/hub/event.ts'
import type { Opened } from '../../../src/log/sqlite/sqlite-writer.ts'
import type { SqliteReader } from '../../../src/log/sqlite/sqlite-reader.ts'
import { readRuns } from '../../../src/log/sqlite/position-runs.ts'
import { WorkerPeer } from '../../../src/log/sqlite/worker-peer.ts'
import { publication } from '../../contracts/event-log.ts'
import { StoreFolder } from './store-folder.ts'
import { appendTo } from '../append-to.ts'

const SOURCE = new URL('../../../src/log/sqlite/sqlite-reader.ts', import.meta.url)
const EVENTS = 500

const folder = new StoreFolder()
const reader = new WorkerPeer<SqliteReader>(SOURCE, folder.directory, (error) => {
  throw error
})
const events: PublishedEvent[] = []

/** A store that nobody has open, of two starts; times go up by 7 ms now and then. */
before(async () => {
  for (let run = 0; run < 2; run++) {
    await using store = await folder.open()
    for (let n = 0; n < EVENTS / 20; n++) {
      folder.clock.pass(n % 3 === 0 ? 7 : 0)
      events.push(
        ...(await appendTo(
          store.log,
          Array.from({ length: 10 }, () => publication('/a')),
        )),
      )
    }
  }
  await reader.call('open', openedAs(folder))
})

after(async () => {
  await reader.call('close', undefined)
  await reader.terminate()
  folder[Symbol.dispose]()
})

function read(from: number, until: number) {
  return reader.call('page', { after: from, until, oldest: 1, filters: undefined, pageBytes: 1e9 })
}

function openedAs(store: StoreFolder): Pick<Opened, 'keys' | 'runs'> {
  using database = new DatabaseSync(store.file('events.db'))
  const key = (name: string) =>
    database.prepare('SELECT value FROM meta WHERE name = ?').get(name)!['value'] as Uint8Array
  return { keys: { tag: key('tag_key'), body: key('body_key') }, runs: readRuns(database) }
}

test('events are read with the cursors that they were given', async () => {
  const wanted = { after: 0, until: EVENTS, oldest: 1, filters: undefined, pageBytes: 1e9 }
  const page = await reader.call('page', wanted)
  assert.deepEqual(
    page.cursors,
    events.map(({ cursor }) => cursor),
  )
  assert.deepEqual(page.damage, [])
  assert.equal(page.reached, EVENTS)
})

test('the row before a time is that before the first event of then or later that is kept', async () => {
  const [first, last] = [events[0]!.publishedAtMs, events.at(-1)!.publishedAtMs]
  const range = fc.record({
    timeMs: fc.integer({ min: first - 10, max: last + 10 }),
    oldest: fc.integer({ min: 1, max: EVENTS + 1 }),
    head: fc.integer({ min: 0, max: EVENTS }),
  })
  await fc.assert(
    fc.asyncProperty(range, async ({ timeMs, oldest, head }) => {
      fc.pre(oldest <= head + 1)
      const kept = events.slice(oldest - 1, head)
      const found = kept.findIndex(({ publishedAtMs }) => publishedAtMs >= timeMs)
      const expected = found === -1 ? head : oldest + found - 1
      assert.equal(await reader.call('rowBefore', { timeMs, oldest, head }), expected)
    }),
  )
})

test('damage is told with the page on which it was met', async () => {
  using database = new DatabaseSync(folder.file('events.db'))
  database.exec("UPDATE events SET path = '/b' WHERE seq IN (3, 4)")
  const page = await read(0, 10)
  assert.equal(page.events.length, 8)
  assert.deepEqual(page.damage, ['event 3 is damaged', 'event 4 is damaged'])
  assert.deepEqual((await read(10, 20)).damage, [])
  assert.deepEqual((await read(3, 10)).damage, ['event 4 is damaged'])
})

test('it takes the write-ahead log to the database, and says what it could not', async () => {
  using writer = new DatabaseSync(folder.file('events.db'))
  writer.exec('PRAGMA wal_autocheckpoint = 0')
  const insert = writer.prepare(
    "INSERT OR REPLACE INTO state VALUES ('s', ?, zeroblob(3000), NULL)",
  )
  for (let n = 0; n < 50; n++) insert.run(`${n}`)
  const bytes = statSync(folder.file('events.db')).size
  assert.equal(await reader.call('checkpoint', undefined), 0)
  assert.ok(statSync(folder.file('events.db')).size > bytes)

  // Whoever reads what is in the log keeps later pages out of the database.
  using other = new DatabaseSync(folder.file('events.db'), { readOnly: true })
  other.exec('BEGIN')
  other.prepare('SELECT * FROM state').get()
  for (let n = 0; n < 50; n++) insert.run(`${n}`)
  assert.ok((await reader.call('checkpoint', undefined)) > 0)
  other.exec('COMMIT')
  assert.equal(await reader.call('checkpoint', undefined), 0)
})

test('state is read until it expires, in the order of its keys', async () => {
  using writer = new DatabaseSync(folder.file('events.db'))
  const insert = writer.prepare('INSERT INTO state VALUES (?, ?, ?, ?)')
  for (const [key, expiresAtMs] of [
    ['c', null],
    ['a', 1_000],
    ['b', 2_000],
  ] as const)
    insert.run('t', key, Buffer.from(key), expiresAtMs)
  const keysAt = async (nowMs: number, afterKey: string | null = null) =>
    (await reader.call('entries', { space: 't', afterKey, nowMs })).map(({ key }) => key)
  assert.deepEqual(await keysAt(999), ['a', 'b', 'c'])
  assert.deepEqual(await keysAt(1_000), ['b', 'c'])
  assert.deepEqual(await keysAt(2_000), ['c'])
  assert.deepEqual(await keysAt(0, 'a'), ['b', 'c'])
  const wanted = { space: 't', key: 'a' }
  const value = await reader.call('state', { ...wanted, nowMs: 999 })
  assert.deepEqual(Buffer.from(value!), Buffer.from('a'))
  assert.equal(await reader.call('state', { ...wanted, nowMs: 1_000 }), null)
})
