import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Position, PublishedEvent } from '../../../src/hub/event.ts'
import type { EventLog, Receipt } from '../../../src/hub/event-log.ts'
import { publication } from '../../contracts/event-log.ts'
import { CursorCodec } from '../../../src/log/cursor.ts'
import { SYSTEM_CLOCK } from '../../../src/log/log-clock.ts'
import { SCHEMA_VERSION } from '../../../src/log/sqlite/schema.ts'
import { readAll, StoreFolder } from './store-folder.ts'
import { appendTo } from '../append-to.ts'

test('a restart keeps events, cursors and times, and goes on behind them', async () => {
  using folder = new StoreFolder()
  let before: readonly PublishedEvent[]
  let head: Position
  {
    await using store = await folder.open()
    before = await appendTo(store.log, [publication('/a', { n: 1 }), publication('/private/b')])
    head = store.log.head
  }
  folder.clock.set(-3_600_000)
  await using store = await folder.open()
  assert.equal(store.log.head, head)
  assert.deepEqual(await readAll(store.log), before)
  for (const { cursor, position } of before)
    assert.deepEqual(store.log.resolve(cursor), { type: 'found', at: position })
  const [next] = await appendTo(store.log, [publication('/c')])
  assert.ok(next!.position > head)
  assert.ok(next!.publishedAtMs >= before[1]!.publishedAtMs)
  assert.deepEqual(await readAll(store.log, head), [next])
  assert.deepEqual(await readAll(store.log, (next!.position - 1) as Position), [next])
  assert.equal(folder.told.length, 1)
  assert.match(folder.told[0]!, /^warn the clock is 60 min behind the log/)
})

test('a machine that comes back with its clock a year ahead expires nothing and stamps nothing wrong', async () => {
  using folder = new StoreFolder()
  const limits = { maxAgeMs: 7 * DAY_MS }
  const startMs = folder.clock.wallMs()
  {
    await using store = await folder.open(limits)
    await store.log.append([publication('/a')])
  }
  folder.clock.reboot({ offMs: DAY_MS, wrongByMs: 365 * DAY_MS })
  {
    await using store = await folder.open(limits)
    await store.log.append([publication('/b')])
    assert.deepEqual(await paths(store.log), ['/a', '/b'])
  }
  folder.clock.pass(60_000)
  folder.clock.set(-365 * DAY_MS)
  await using store = await folder.open(limits)
  await store.log.append([publication('/c')])
  const events = await readAll(store.log)
  assert.deepEqual(
    events.map(({ path, publishedAtMs }) => [path, publishedAtMs - startMs]),
    [
      ['/a', 0],
      ['/b', 0],
      ['/c', DAY_MS + 60_000],
    ],
  )
  assert.match(folder.told.join('\n'), /leapt 276 days forward[^]*right again/)
})

const DAY_MS = 86_400_000

test('a reader that was at the head of the last run misses nothing in the next one', async () => {
  using folder = new StoreFolder()
  const heads: Position[] = []
  for (let run = 0; run < 4; run++) {
    await using store = await folder.open({ eventsMax: 2 })
    if (run !== 2) await appendTo(store.log, [publication(`/${run}`)])
    heads.push(store.log.head)
    const cursor = store.log.cursorOf(store.log.head)
    assert.equal(store.log.resolve(cursor).type, 'found')
  }
  await using store = await folder.open({ eventsMax: 2 })
  const { oldest } = store.log.status
  assert.deepEqual(
    heads.map((head) => head >= oldest - 1),
    [true, true, true, true],
  )
  assert.ok(heads[0]! - 1 < oldest - 1)
  await store.log.append([publication('/last')])
  assert.ok(heads[0]! < store.log.status.oldest - 1)
  assert.ok(heads[1]! >= store.log.status.oldest - 1)
  assert.deepEqual(await paths(store.log, heads[1]), ['/3', '/last'])
  assert.deepEqual(await paths(store.log, heads[0]), ['/3', '/last'])
})

test('the cursor of an empty store is found when it has events, and after a restart', async () => {
  using folder = new StoreFolder()
  const cursors = []
  for (let run = 0; run < 3; run++) {
    await using store = await folder.open()
    cursors.push(store.log.cursorOf(store.log.head))
    for (const cursor of cursors) assert.equal(store.log.resolve(cursor).type, 'found')
  }
})

test('cursors of events that a restored backup does not have are foreign, the others go on', async () => {
  using folder = new StoreFolder()
  using backup = new StoreFolder()
  let kept: PublishedEvent | undefined
  let lost: readonly PublishedEvent[]
  {
    await using store = await folder.open()
    ;[kept] = await appendTo(store.log, [publication('/kept')])
  }
  cpSync(folder.directory, backup.directory, { recursive: true })
  {
    await using store = await folder.open()
    lost = await appendTo(store.log, [publication('/lost'), publication('/lost')])
  }
  await using store = await backup.open()
  await store.log.append(Array.from({ length: 10 }, () => publication('/new')))
  assert.deepEqual(store.log.resolve(kept!.cursor), { type: 'found', at: kept!.position })
  for (const { cursor } of lost) assert.deepEqual(store.log.resolve(cursor), { type: 'foreign' })
})

test('what is stored together with events is there after a restart', async () => {
  using folder = new StoreFolder()
  {
    await using store = await folder.open()
    const changes = [{ space: 's', key: 'k', value: Buffer.from('v') }]
    await store.log.commit({ publications: [publication('/a')], changes })
  }
  await using store = await folder.open()
  assert.deepEqual(Buffer.from((await store.stateStore.get('s', 'k'))!).toString(), 'v')
  assert.deepEqual(await paths(store.log), ['/a'])
})

test('events of the past keep their times, as far as times do not decrease', async () => {
  using folder = new StoreFolder()
  await using store = await folder.open()
  const publications = ['/a', '/b', '/c', '/d'].map((path) => publication(path))
  const timesMs = [1_000, 3_000, 2_000, folder.clock.wallMs() + 1]
  await store.log.commit({ publications, timesMs, changes: [] })
  assert.deepEqual(
    (await readAll(store.log)).map(({ publishedAtMs }) => publishedAtMs),
    [1_000, 3_000, 3_000, folder.clock.wallMs()],
  )
})

test('when the store cannot be read, the operator is told why, once', async () => {
  using folder = new StoreFolder()
  await using store = await folder.open()
  const other = new DatabaseSync(folder.file('events.db'))
  other.exec('DROP TABLE state')
  other.close()
  for (let n = 0; n < 3; n++)
    await assert.rejects(store.stateStore.get('space', 'key'), { code: 'LOG_UNAVAILABLE' })
  // That a stranger has written to it is told, too.
  const reads = folder.told.filter((line) => line.includes('cannot be read'))
  assert.deepEqual(reads, ['error the store cannot be read: no such table: state'])
})

test('what waits beyond the limit is refused, and what is larger than a commit goes alone', async () => {
  using folder = new StoreFolder()
  await using store = await folder.open({ durability: 'os' })
  const large = publication('/large', { text: 'x'.repeat(5_000_000) })
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, () => appendTo(store.log, [large])),
  )
  const refused = results.filter((result) => result.status === 'rejected')
  assert.ok(refused.length > 0 && refused.length < 10, `${refused.length} refused`)
  for (const { reason } of refused) assert.equal(reason.code, 'LOG_UNAVAILABLE')
  assert.equal((await paths(store.log)).length, 20 - refused.length)
})

test('after kill -9, every acknowledged event is there, each batch whole, in order', async () => {
  using folder = new StoreFolder()
  const acknowledged = new Set<number>()
  for (let round = 0; round < 3; round++) {
    const child = startChild(folder.directory, 'append')
    const lines = createInterface(child.stdout!)
    let left = 400
    for await (const line of lines) {
      if (line !== 'open') acknowledged.add(Number(line))
      if (--left === 0) child.kill('SIGKILL')
    }
    await using store = await folder.open({ clock: SYSTEM_CLOCK })
    const events = await readAll(store.log)
    const stored = events.map(({ payload }) => JSON.parse(payload.text))
    for (let i = 0; i < stored.length; i += 2) {
      assert.equal(stored[i].half, 'a')
      assert.deepEqual({ ...stored[i + 1], half: 'a' }, stored[i])
    }
    const numbers = new Set(stored.map(({ n }) => n))
    for (const n of acknowledged) assert.ok(numbers.has(n), `event ${n} is missing`)
    for (const topic of ['topic-3', 'b']) {
      const filters = [{ topics: [topic], privateOnly: false }]
      assert.deepEqual(
        await readAll(store.log, 0 as Position, filters),
        events.filter(({ topics }) => topics.includes(topic)),
      )
    }
  }
  assert.deepEqual(folder.told, [])
})

test('a store that another process has is refused with the id of that process, until it ends', async () => {
  using folder = new StoreFolder()
  const child = startChild(folder.directory)
  await once(child.stdout!, 'data')
  await assert.rejects(folder.open(), { message: new RegExp(`in use by process ${child.pid}$`) })
  child.kill('SIGKILL')
  await once(child, 'exit')
  await using _store = await folder.open()
  await assert.rejects(folder.open(), { message: new RegExp(`in use by process ${process.pid}$`) })
})

test('a store of a newer version is refused and left as it is', async () => {
  using folder = new StoreFolder()
  await (await folder.open())[Symbol.asyncDispose]()
  edit(folder, 'PRAGMA user_version = 99')
  await assert.rejects(folder.open(), { message: /has version 99 .* needs a newer server/ })
  edit(folder, `PRAGMA user_version = ${SCHEMA_VERSION}`)
  await using _store = await folder.open()
  assert.deepEqual(folder.told, [])
})

test('a store whose write-ahead log is gone is told, and goes on with what there is', async () => {
  using folder = new StoreFolder()
  let kept: PublishedEvent | undefined
  {
    await using store = await folder.open()
    ;[kept] = await appendTo(store.log, [publication('/kept')])
  }
  const child = startChild(folder.directory, 'append')
  for await (const line of createInterface(child.stdout!)) if (line === '10') break
  child.kill('SIGKILL')
  await once(child, 'exit')
  rmSync(folder.file('events.db-wal'))
  await using store = await folder.open()
  assert.match(folder.told.join('\n'), /warn .* write-ahead log is gone/)
  assert.deepEqual(await readAll(store.log), [kept])
})

test('a directory that is no database any more is put aside, and a new store begins', async () => {
  for (const content of ['not a database '.repeat(1_000), 'x']) {
    using folder = new StoreFolder()
    let event: PublishedEvent | undefined
    {
      await using store = await folder.open()
      ;[event] = await appendTo(store.log, [publication('/a')])
    }
    writeFileSync(folder.file('events.db'), content)
    await using store = await folder.open()
    assert.match(folder.told.join('\n'), /error .* is damaged .* files are now in .*damaged-/)
    assert.equal(store.log.resolve(event!.cursor).type, 'foreign')
    await store.log.append([publication('/b')])
    assert.deepEqual(await paths(store.log), ['/b'])
  }
})

test('space is used again: the file levels off while events come and go', async () => {
  using folder = new StoreFolder()
  await using store = await folder.open({ eventsMax: 3_000, durability: 'os' })
  using reader = new DatabaseSync(folder.file('events.db'), { readOnly: true })
  // Not the size of the files: when the write-ahead log is emptied depends on how busy the machine is.
  const size = reader.prepare('PRAGMA page_count')
  const sizes: number[] = []
  let last: readonly PublishedEvent[] = []
  for (let round = 0; round < 150; round++) {
    const batch = Array.from({ length: 500 }, (_, n) =>
      publication(`/topic-${n % 50}/${n}`, { round, text: 'x'.repeat(300) }),
    )
    last = await appendTo(store.log, batch)
    sizes.push(Number(size.get()!['page_count']))
  }
  assert.equal((await readAll(store.log)).length, 3_000)
  assert.deepEqual((await readAll(store.log)).slice(-500), last)
  const [before, after] = [sizes.slice(50, 100), sizes.slice(100)]
  assert.ok(Math.max(...after) <= Math.max(...before) * 1.1, sizes.join())
})

test('in a flood of ever new topics a store is not much larger than what is kept', async () => {
  using folder = new StoreFolder()
  await using store = await folder.open({ eventsMax: 3_000, durability: 'os' })
  using reader = new DatabaseSync(folder.file('events.db'), { readOnly: true })
  const rows = reader.prepare('SELECT count(*) AS n FROM events')
  for (let round = 0; round < 40; round++) {
    await store.log.append(
      Array.from({ length: 500 }, (_, n) => publication(`/a${round}-${n}/b${round}-${n}/c${n}`)),
    )
    const { n } = rows.get()!
    assert.ok(Number(n) <= 3_000 + 6_144 + 2 * 500, `${Number(n)} rows`)
  }
})

test('the cursors of a great batch are made in turns, and its events come in order, before those behind it', async (t) => {
  using folder = new StoreFolder()
  await using store = await folder.open({ durability: 'os' })
  const { mock } = t.mock.method(CursorCodec.prototype, 'ofEvents')
  const told: PublishedEvent[] = []
  using _listener = store.log.onCommit((events) => void told.push(...events))
  const batch = Array.from({ length: 2_000 }, (_, n) => publication('/a', { n }))
  const great = store.log.append(batch)
  await new Promise(setImmediate)
  await Promise.all([great, store.log.append([publication('/b')])])
  for (const { arguments: given } of mock.calls) assert.ok(given[0].length <= 500)
  assert.equal(told.length, 2_001)
  assert.deepEqual(told, await readAll(store.log))
})

test('what is kept stays below its size, and the size is that of what is kept', async () => {
  using folder = new StoreFolder()
  await using store = await folder.open({ bytesMax: 50_000, durability: 'os' })
  for (let n = 0; n < 50; n++) {
    await store.log.append([publication('/a', { text: 'x'.repeat(n * 100), n })])
    assert.ok(store.log.status.bytes <= 50_000)
    const kept = await readAll(store.log)
    assert.equal(kept[0]!.position, store.log.status.oldest)
    assert.equal(kept.at(-1)!.position, store.log.head)
    const text = kept.reduce((sum, { payload }) => sum + payload.text.length, 0)
    assert.ok(store.log.status.bytes >= text && store.log.status.bytes < text * 1.2 + 2_000)
  }
})

test('old events leave the disk though nothing new comes', { timeout: 20_000 }, async () => {
  using folder = new StoreFolder()
  await using store = await folder.open({ maxAgeMs: 1_000 })
  await store.log.append(Array.from({ length: 100 }, () => publication('/a/b')))
  folder.clock.pass(2_000)
  using reader = new DatabaseSync(folder.file('events.db'), { readOnly: true })
  const rows = reader.prepare(
    'SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM postings) AS n',
  )
  while (Number(rows.get()!['n']) > 1) await new Promise((resolve) => setTimeout(resolve, 50))
})

test('every file of a store is its owner’s alone, and a directory that anybody may write to is refused', async () => {
  using folder = new StoreFolder()
  const directory = folder.file('inner.pubsubd')
  {
    await using store = await folder.open({ directory })
    await store.log.append([publication('/a')])
    const names = readdirSync(directory)
    assert.ok(names.includes('events.db-wal'))
    for (const name of names)
      assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600, name)
  }
  chmodSync(directory, 0o707)
  await assert.rejects(
    folder.open({ directory }),
    /inner.pubsubd may be written by anybody.*chmod o-w/,
  )
  chmodSync(directory, 0o750)
  await using _store = await folder.open({ directory })
})

test('the directory is for its owner only, and nothing but the store is left in it', async () => {
  using folder = new StoreFolder()
  const directory = folder.file('inner.pubsubd')
  await (await folder.open({ directory }))[Symbol.asyncDispose]()
  assert.equal(statSync(directory).mode & 0o777, 0o700)
  for (const name of ['events.db-wal', 'events.db-shm', 'owner.pid'])
    assert.ok(!existsSync(`${directory}/${name}`), name)
})

function startChild(directory: string, ...words: string[]): ChildProcess {
  const program = fileURLToPath(new URL('child-store.ts', import.meta.url))
  return spawn(process.execPath, [program, directory, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

function edit(folder: StoreFolder, sql: string): void {
  using database = new DatabaseSync(folder.file('events.db'))
  database.exec(sql)
}

async function paths(log: Parameters<typeof readAll>[0], after?: Position): Promise<string[]> {
  return (await readAll(log, after)).map(({ path }) => path)
}

test('sqlite: a key is known after a restart, with the cursors of the first time', async () => {
  using folder = new StoreFolder()
  const keyed = { key: 'k', fingerprint: 'f' }
  let before
  {
    await using store = await folder.open()
    await store.log.append([publication('/before')])
    before = await store.log.append([publication('/a'), publication('/b')], { once: keyed })
  }
  await using store = await folder.open()
  assert.deepEqual(
    await store.log.append([publication('/a'), publication('/b')], { once: keyed }),
    before,
  )
  await assert.rejects(
    store.log.append([publication('/a')], { once: { ...keyed, fingerprint: 'g' } }),
    {
      code: 'IDEMPOTENCY_KEY_REUSED',
    },
  )
  assert.equal((await readAll(store.log)).length, 3)
})

test('sqlite: keys beyond their number are not kept on the disk, nor known after a restart', async () => {
  using folder = new StoreFolder()
  {
    await using opened = await folder.open({ keysMax: 5 })
    for (let key = 0; key < 20; key++) await storeOnce(opened.log, key)
  }
  assert.equal(receiptsIn(folder), 5)
  {
    await using opened = await folder.open({ keysMax: 2 })
    for (const key of [18, 19, 20]) await storeOnce(opened.log, key)
    assert.equal((await readAll(opened.log)).length, 21)
  }
  assert.equal(receiptsIn(folder), 2)
  await using opened = await folder.open({ keysMax: 2 })
  for (const key of [19, 20]) await storeOnce(opened.log, key)
  assert.equal((await readAll(opened.log)).length, 21)
  await storeOnce(opened.log, 0)
  assert.equal((await readAll(opened.log)).length, 22)
})

test('sqlite: a receipt whose event is gone, as that of a commit undone before a crash, makes no repeat a no-op', async () => {
  using folder = new StoreFolder()
  {
    await using opened = await folder.open()
    await storeOnce(opened.log, 'kept')
    await storeOnce(opened.log, 'undone')
  }
  using database = new DatabaseSync(folder.file('events.db'))
  database.exec(`DELETE FROM events WHERE path = '/undone'; DELETE FROM meta WHERE name = 'extent'`)
  database.close()
  for (let run = 0; run < 2; run++) {
    await using opened = await folder.open()
    await storeOnce(opened.log, 'kept')
    if (run === 0) await appendTo(opened.log, [publication('/other')])
    else await storeOnce(opened.log, 'undone')
    await storeOnce(opened.log, 'kept')
    const expected = run === 0 ? ['/kept', '/other'] : ['/kept', '/other', '/undone']
    assert.deepEqual(await paths(opened.log), expected)
  }
})

test('sqlite: a key is known longer than its event is kept', async () => {
  using folder = new StoreFolder()
  let receipt
  {
    await using opened = await folder.open({ eventsMax: 1 })
    receipt = await storeOnce(opened.log, 'once')
  }
  for (let run = 0; run < 3; run++) {
    await using opened = await folder.open({ eventsMax: 1 })
    await opened.log.append([publication(`/${run}`)])
    assert.deepEqual(await storeOnce(opened.log, 'once'), receipt)
    assert.deepEqual(await paths(opened.log), [`/${run}`])
  }
})

/** Each key with an event of its own. */
function storeOnce(log: EventLog, key: string | number): Promise<Receipt> {
  return log.append([publication(`/${key}`)], { once: { key: String(key), fingerprint: 'f' } })
}

function receiptsIn(folder: StoreFolder): unknown {
  using database = new DatabaseSync(folder.file('events.db'), { readOnly: true })
  return database.prepare("SELECT count(*) AS count FROM state WHERE space <> 'store'").get()![
    'count'
  ]
}
