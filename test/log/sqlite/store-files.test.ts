import assert from 'node:assert/strict'
import { closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { StoreFiles } from '../../../src/log/sqlite/store-files.ts'
import { HARMFUL, HARMLESS, PlacedStore } from './file-operations.ts'
import { readAll } from './store-folder.ts'

const filled = await PlacedStore.fill()
after(() => filled[Symbol.dispose]())

/** A server that stops in order takes its open write-ahead log to a database that is where it was. */
const SAVED_BY_A_STOP = new Set([
  'the write-ahead log is deleted',
  'the write-ahead log and its index are deleted',
])

for (const [name, command] of Object.entries(HARMFUL))
  test(`once ${name}, nothing is stored, that is told, and the stop writes nothing`, async () => {
    using place = filled.copy()
    const { folder, acknowledged } = place
    await using store = await folder.open()
    await place.publish(store.log)
    place.copyLog()
    await place.publish(store.log)
    place.shell(command)
    await assert.rejects(place.publish(store.log), { code: 'LOG_UNAVAILABLE' })
    assert.match(folder.told.join('\n'), /^error events cannot be stored: \S+ (was|is|cannot)/m)
    if (!/over|emptied|cut off/.test(name))
      assert.deepEqual(await readAll(store.log), acknowledged, 'readers go on')
    const left = place.contents()
    await store[Symbol.asyncDispose]()
    if (!SAVED_BY_A_STOP.has(name)) return assert.equal(place.contents(), left)
    await using again = await folder.open()
    assert.deepEqual(await readAll(again.log), acknowledged)
    return undefined
  })

for (const [name, command] of Object.entries(HARMLESS))
  test(`once ${name}, events are stored as before, and are there after a restart`, async () => {
    using place = filled.copy()
    const { folder, acknowledged } = place
    {
      await using store = await folder.open()
      await place.publish(store.log)
      place.shell(command)
      await place.publish(store.log)
      await place.publish(store.log)
    }
    await using store = await folder.open()
    assert.deepEqual(await readAll(store.log), acknowledged)
    assert.deepEqual(folder.told, [])
  })

test('a page in the middle of the write-ahead log that was overwritten since somebody looked is noticed before anything is written', () => {
  using place = new PlacedStore()
  place.shell('mkdir $S')
  const path = place.folder.file('events.db')
  const database = new DatabaseSync(path)
  database.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (n)')
  for (let n = 0; n < 4; n++) database.exec(`INSERT INTO t VALUES (${n})`)
  const [databaseDescriptor, logDescriptor] = [openSync(path, 'r'), openSync(`${path}-wal`, 'r')]
  try {
    const frames = () =>
      (database.prepare('PRAGMA wal_checkpoint(NOOP)').get() as { log: number }).log
    const files = new StoreFiles({
      directory: place.folder.directory,
      database: path,
      locks: [],
      databaseDescriptor,
      logDescriptor,
      frames: frames(),
      generation: 0,
    })
    files.check(frames)
    files.beforeWriting(frames)
    files.afterWriting(frames())
    files.check(frames)
    place.shell(
      'dd if=/dev/zero of=$S/events.db-wal bs=4096 seek=2 count=1 conv=notrunc status=none',
    )
    assert.throws(() => files.beforeWriting(frames), { code: 'FOREIGN_FILES' })
  } finally {
    closeSync(databaseDescriptor)
    closeSync(logDescriptor)
    database.close()
  }
})
