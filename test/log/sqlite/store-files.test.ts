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

/** The files of a database with some frames in its write-ahead log, and a number more with each commit. */
class LookedAt implements Disposable {
  readonly place = new PlacedStore()
  files: StoreFiles
  readonly #database: DatabaseSync
  readonly #descriptors: readonly [number, number]

  constructor() {
    this.place.shell('mkdir $S')
    const path = this.place.folder.file('events.db')
    this.#database = new DatabaseSync(path)
    this.#database.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (n)')
    for (let n = 0; n < 4; n++) this.commit()
    this.#descriptors = [openSync(path, 'r'), openSync(`${path}-wal`, 'r')]
    this.files = this.#open()
  }

  #open(): StoreFiles {
    const path = this.place.folder.file('events.db')
    const [databaseDescriptor, logDescriptor] = this.#descriptors
    return new StoreFiles({
      directory: this.place.folder.directory,
      database: path,
      locks: [],
      databaseDescriptor,
      logDescriptor,
      frames: this.frames(),
      generation: 0,
    })
  }

  readonly frames = () =>
    (this.#database.prepare('PRAGMA wal_checkpoint(NOOP)').get() as { log: number }).log

  commit(): void {
    this.#database.exec('INSERT INTO t VALUES (1)')
  }

  /** What is there now is what is to be. */
  settle(): void {
    this.files = this.#open()
  }

  /** As a publication does. */
  write(): void {
    this.files.beforeWriting(this.frames)
    this.commit()
    this.files.afterWriting(this.frames())
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#descriptors) closeSync(descriptor)
    this.#database.close()
    this.place[Symbol.dispose]()
  }
}

test('one transaction at once behind another is looked at behind it only, unless somebody has looked in between', () => {
  const kinds = {
    'the database is overwritten':
      'printf x | dd of=$S/events.db bs=1 seek=100 conv=notrunc status=none',
    'the directory is moved': 'mv $S $S.old; cp -r $S.old $S',
    'the write-ahead log is emptied': ': > $S/events.db-wal',
  }
  for (const [name, how] of Object.entries(kinds)) {
    using it = new LookedAt()
    it.write()
    it.place.shell(how)
    it.files.beforeWriting(it.frames, { isNext: true })
    assert.throws(() => it.files.afterWriting(it.frames()), { code: 'FOREIGN_FILES' }, name)
    using other = new LookedAt()
    other.write()
    other.files.look(other.frames)
    other.place.shell(how)
    const isNext = () => other.files.beforeWriting(other.frames, { isNext: true })
    assert.throws(isNext, { code: 'FOREIGN_FILES' }, name)
  }
})

const OVERWRITE_IN_THE_MIDDLE =
  'dd if=/dev/zero of=$S/events.db-wal bs=4096 seek=2 count=1 conv=notrunc status=none'

test('a page in the middle of the write-ahead log that was overwritten since somebody looked is noticed before anything is written', () => {
  using it = new LookedAt()
  it.files.check(it.frames)
  it.write()
  it.files.check(it.frames)
  it.place.shell(OVERWRITE_IN_THE_MIDDLE)
  assert.throws(() => it.files.beforeWriting(it.frames), { code: 'FOREIGN_FILES' })
})

test('one that was overwritten behind a flush, before anybody looked, is noticed by the next look, though more was written meanwhile', () => {
  for (const writes of [0, 1, 3])
    for (const how of ['check', 'look'] as const) {
      using it = new LookedAt()
      it.files[how](it.frames)
      it.write()
      it.place.shell(OVERWRITE_IN_THE_MIDDLE)
      for (let n = 0; n < writes; n++) it.write()
      assert.throws(() => it.files[how](it.frames), { code: 'FOREIGN_FILES' })
    }
})

test('of a long write-ahead log looks see a part each, until all was seen, whether somebody writes meanwhile or not', () => {
  for (const isBusy of [false, true])
    for (const frame of [0, 1, 300, 599]) {
      using it = new LookedAt()
      for (let n = 0; n < 596; n++) it.commit()
      it.settle()
      it.files.look(it.frames)
      it.place.shell(
        `printf x | dd of=$S/events.db-wal bs=1 seek=${32 + 4_120 * frame + 100} conv=notrunc status=none`,
      )
      const looks = () => {
        for (let n = 0; n < 3; n++) {
          it.files.look(it.frames)
          if (isBusy) it.write()
        }
      }
      assert.throws(looks, { code: 'FOREIGN_FILES' }, `frame ${frame}, busy: ${isBusy}`)
    }
})

test('whoever writes and looks in turn finds all as it was left', () => {
  using it = new LookedAt()
  for (let n = 0; n < 5; n++) {
    it.write()
    it.files.check(it.frames)
  }
})

test('the database of another new store that is copied over a new one, with its times, is told apart from it', async () => {
  using one = new PlacedStore()
  using other = new PlacedStore()
  const running = await other.folder.open() // nothing has come to its database yet
  const store = await one.folder.open()
  try {
    await one.publish(store.log)
    one.shell(
      `touch -r $S/events.db $P/times && cp ${other.folder.file('events.db')} $S/events.db && touch -r $P/times $S/events.db`,
    )
    await assert.rejects(one.publish(store.log), { code: /UNAVAILABLE|UNKNOWN/ })
  } finally {
    await store[Symbol.asyncDispose]()
    await running[Symbol.asyncDispose]()
  }
})
