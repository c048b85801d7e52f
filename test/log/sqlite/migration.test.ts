import assert from 'node:assert/strict'
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import type { Position, PublishedEvent } from '../../../src/hub/event.ts'
import type { Receipt } from '../../../src/hub/event-log.ts'
import { Hub } from '../../../src/hub/hub.ts'
import { MIGRATION_FROM_VERSION_1, SCHEMA, SCHEMA_VERSION } from '../../../src/log/sqlite/schema.ts'
import { StoreView } from '../../../src/log/tools/store-view.ts'
import { verifyStore } from '../../../src/log/tools/verify-store.ts'
import { StoredSubscriptions } from '../../../src/protocols/lonelyps/stored-subscriptions.ts'
import { ROW_LIMITS } from '../../consumers/world.ts'
import { sealed } from '../../../src/publication/envelope.ts'
import { publication } from '../../contracts/event-log.ts'
import { PLAIN, RecordingSink } from '../../hub/recording-sink.ts'
import { appendTo } from '../append-to.ts'
import { readAll, StoreFolder } from './store-folder.ts'

/**
 * Made by pubsubd 69b132e: two starts; public and private events and one of bytes; a key of two events; state, some of it of lonelyps; and
 * then the payload of `/damaged` was changed by hand. The JSON is what that version read of it.
 */
const STORE = new URL('./store-of-version-1.db.gz', import.meta.url)
const EXPECTED = JSON.parse(
  readFileSync(new URL('./store-of-version-1.json', import.meta.url), 'utf8'),
) as {
  readonly receipt: Omit<Receipt, 'firstPosition' | 'lastPosition'>
  readonly events: readonly Omit<PublishedEvent, 'position'>[]
}
const WHOLE = EXPECTED.events.filter(({ path }) => path !== '/damaged')
const ONCE = { key: 'k1', fingerprint: 'f1' }

function folderOfVersion1(): StoreFolder {
  const folder = new StoreFolder()
  writeFileSync(folder.file('events.db'), gunzipSync(readFileSync(STORE)))
  return folder
}

function pathsOf(lines: readonly string[]) {
  return lines.map((line) => line.split(' ')[0]).filter((path) => path !== 'gap')
}

function columnsOf(database: DatabaseSync) {
  return database.prepare('PRAGMA table_info(events)').all()
}

function withoutPosition({ position: _position, ...rest }: PublishedEvent) {
  return rest
}

test('a store of version 1 is taken over: events, cursors, keys and state are what they were', async () => {
  using folder = folderOfVersion1()
  for (const run of ['first', 'second']) {
    await using store = await folder.open({ keyWindowMs: 9e14 })
    const { log, stateStore } = store
    const own = run === 'first' ? [] : ['/new']
    const events = await readAll(log)
    assert.deepEqual(events.slice(0, WHOLE.length).map(withoutPosition), WHOLE)
    assert.deepEqual(
      events.slice(WHOLE.length).map(({ path }) => path),
      own,
    )
    for (const { cursor } of EXPECTED.events) assert.equal(log.resolve(cursor).type, 'found')
    const back = await Array.fromAsync(
      log.readBack((log.head + 1) as Position, { pageBytes: 1_000 }),
    )
    assert.deepEqual(
      back.flatMap((page) => page.events),
      events.toReversed(),
    )
    assert.equal(back.filter(({ gap }) => gap === 'damaged').length, 1)
    for (const path of new Set(EXPECTED.events.map((event) => event.path)))
      assert.deepEqual(
        await log.lastOf(path),
        events.findLast((event) => event.path === path) ?? null,
      )
    const { firstPosition, lastPosition, ...receipt } = await log.append([publication('/never')], {
      once: ONCE,
    })
    assert.deepEqual(receipt, EXPECTED.receipt)
    assert.equal(lastPosition - firstPosition, 1)
    await assert.rejects(
      log.append([publication('/a')], { once: { ...ONCE, fingerprint: 'other' } }),
      { code: 'IDEMPOTENCY_KEY_REUSED' },
    )
    assert.deepEqual(Buffer.from((await stateStore.get('kept', 'until the year 30000'))!), V)
    const limits = { ...ROW_LIMITS, subscriptionsMax: 9 }
    const rows = await StoredSubscriptions.load({
      state: stateStore,
      limits,
      onChange: () => {},
      isKnown: () => true,
    })
    assert.deepEqual(
      rows.of('http://receiver.example/').map(({ interest }) => interest.type),
      ['exact', 'glob'],
    )
    if (run === 'second') break
    const envelope = sealed({ door: 'a', bytes: Buffer.from('x') })
    const [event] = await appendTo(log, [{ ...publication('/new'), envelope }])
    assert.deepEqual((await readAll(log)).at(-1), event)
    assert.deepEqual(await log.lastOf('/new'), event)
  }
  assert.match(folder.told.join('\n'), /^warn the store .* was of version 1 and is of version 2/)
  assert.equal(folder.told.filter((line) => line.includes('version 1')).length, 1)
})

const V = Buffer.from('v')

test('a subscriber of the hub gets what a store of version 1 holds, and what comes then', async () => {
  using folder = folderOfVersion1()
  await using store = await folder.open()
  using hub = new Hub(store.log, {
    queueBytesMax: 1e6,
    stallTimeoutMs: 1e5,
    topicFiltersMax: 10,
    conditionsMax: 10,
  })
  const sink = new RecordingSink()
  hub.subscribe({
    wants: [{ topics: [], privateOnly: false }],
    rights: { key: 'all', seesNothing: false, maySee: () => true },
    from: 0 as Position,
    to: { encoding: PLAIN, sink, opening: new Uint8Array() },
  })
  await hub.publish([publication('/live')])
  await sink.until((lines) => pathsOf(lines).includes('/live'))
  assert.deepEqual(pathsOf(sink.lines), [...WHOLE.map(({ path }) => path), '/live'])
})

test('a store that was taken over has the tables of a new one, and the number that version 1 refuses', async () => {
  using folder = folderOfVersion1()
  await using _store = await folder.open()
  using database = new DatabaseSync(folder.file('events.db'), { readOnly: true })
  using fresh = new DatabaseSync(':memory:')
  fresh.exec(SCHEMA)
  assert.deepEqual(columnsOf(database), columnsOf(fresh))
  const version = database.prepare('PRAGMA user_version').get()!['user_version']
  // Its rule was: `if (version > SCHEMA_VERSION) throw`, with 1.
  assert.ok(Number(version) > 1 && version === SCHEMA_VERSION)
})

test('a migration that was killed at any moment is begun again, and none of the events is gone', async () => {
  const statements = MIGRATION_FROM_VERSION_1.split('\n').filter((line) => line.trim() !== '')
  for (let done = 0; done <= statements.length; done++) {
    using folder = folderOfVersion1()
    using killed = new StoreFolder()
    {
      using database = new DatabaseSync(folder.file('events.db'))
      // Everything is written at once, so that the write-ahead log has what is not committed.
      database.exec(
        'PRAGMA journal_mode = WAL; PRAGMA cache_size = 0; PRAGMA cache_spill = 1; BEGIN',
      )
      for (const statement of statements.slice(0, done)) database.exec(statement)
      database.exec("INSERT INTO state VALUES ('x', 'x', zeroblob(200000), NULL)")
      for (const suffix of ['', '-wal', '-shm'])
        if (existsSync(folder.file(`events.db${suffix}`)))
          copyFileSync(folder.file(`events.db${suffix}`), killed.file(`events.db${suffix}`))
      database.exec('ROLLBACK')
    }
    await using store = await killed.open({ keyWindowMs: 9e14 })
    assert.deepEqual((await readAll(store.log)).map(withoutPosition), WHOLE)
    assert.match(killed.told.join('\n'), /is of version 2/)
  }
})

test('tools read a store of version 1 as it is, and change nothing', () => {
  using folder = folderOfVersion1()
  const before = readFileSync(folder.file('events.db'))
  const damage: string[] = []
  assert.equal(
    verifyStore(
      folder.directory,
      (message) => damage.push(message),
      () => {},
    ),
    WHOLE.length,
  )
  assert.deepEqual(damage, ['event 6 is damaged'])
  using view = new StoreView(folder.directory, () => {})
  const events = [...view.pages()].flatMap((page) => view.published(page.events))
  assert.deepEqual(events.map(withoutPosition), WHOLE)
  assert.deepEqual(readFileSync(folder.file('events.db')), before)
})

test('a damaged store of version 1 is saved into one of version 2', async () => {
  using folder = folderOfVersion1()
  const bytes = readFileSync(folder.file('events.db'))
  writeFileSync(folder.file('events.db'), bytes.fill(0xa5, 100, 1_000))
  await using store = await folder.open()
  assert.deepEqual((await readAll(store.log)).map(withoutPosition), WHOLE)
  assert.match(folder.told.join('\n'), /is damaged/)
})
