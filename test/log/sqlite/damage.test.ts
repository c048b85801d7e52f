import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  cpSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import type { Position, PublishedEvent } from '../../../src/hub/event.ts'
import type { EventRecord } from '../../../src/log/sqlite/record.ts'
import { RowReader } from '../../../src/log/sqlite/row-reader.ts'
import { Salvage } from '../../../src/log/sqlite/salvage.ts'
import { openReader } from '../../../src/log/sqlite/schema.ts'
import { publication } from '../../contracts/event-log.ts'
import { readAll, StoreFolder, type OpenedStore } from './store-folder.ts'
import { appendTo } from '../append-to.ts'
import { takeLogOver } from './take-log-over.ts'

/** Small enough to copy often, large enough for inner pages, overflow pages and an index. */
const EVENTS = 9_000
const whole = new StoreFolder()
after(() => whole[Symbol.dispose]())
const events = await fill(whole)
takeLogOver(whole.directory)
const bySeq = new Map(rowsOf(whole).events.map((event) => [event.seq, event]))

test('whatever byte is flipped, nothing wrong is delivered, and nothing is missing without a told gap', () => {
  using folder = new StoreFolder()
  const bytes = readFileSync(whole.file('events.db'))
  const flip = fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }))
  fc.assert(
    fc.property(fc.array(flip, { minLength: 1, maxLength: 4 }), (flips) => {
      const damaged = Buffer.from(bytes)
      for (const [at, mask] of flips) damaged[at] = damaged[at]! ^ mask
      writeFileSync(folder.file('events.db'), damaged)
      check(folder)
    }),
    { numRuns: 20 },
  )
})

test('whatever page is lost, nothing wrong is delivered, and nothing is missing without a told gap', () => {
  using folder = new StoreFolder()
  const bytes = readFileSync(whole.file('events.db'))
  const pages = bytes.length / 4_096
  for (let page = 0; page < pages; page += Math.ceil(pages / 20))
    for (const value of [0, 0xa5]) {
      const damaged = Buffer.from(bytes)
      damaged.fill(value, page * 4_096, (page + 1) * 4_096)
      writeFileSync(folder.file('events.db'), damaged)
      check(folder)
    }
})

/** Of a damaged store, as a running server would read it, and as the next start salvages it. */
function check(folder: StoreFolder): void {
  let rows: ReturnType<typeof rowsOf>
  try {
    rows = rowsOf(folder)
  } catch (error) {
    assert.match(
      (error as Error).message,
      /malformed|not a database|no such table|no such column|syntax|encoding|format/,
    )
    return
  }
  const delivered = rows.events
  for (const event of delivered) assert.deepEqual(event, bySeq.get(event.seq))
  assert.ok(delivered.length === bySeq.size || rows.hasGap, 'told')
  assert.ok(delivered.length === bySeq.size || rows.damage.length > 0, 'told the operator')
  for (const event of rowsOf(folder, 'topic-3').events)
    assert.deepEqual(event, bySeq.get(event.seq))

  using salvage = new Salvage(folder.directory)
  const salvaged = [...salvage.events(Infinity)]
  for (const event of salvaged) assert.deepEqual(event, bySeq.get(event.seq))
  const lost = delivered.length - salvaged.length
  assert.ok(
    lost <= 0 || lost < EVENTS / 10,
    `${lost} of ${delivered.length} could be read, but were not salvaged`,
  )
}

test('one damaged record costs that record, and is told to readers and to the operator', async () => {
  using folder = copyOf(whole)
  edit(folder, 'UPDATE events SET payload = replace(payload, 4999, 4998) WHERE seq = 5000')
  await using store = await folder.open()
  const pages = await Array.fromAsync(store.log.read(0 as Position, { pageBytes: 65_536 }))
  assert.deepEqual(
    pages.flatMap((page) => page.events),
    events.filter((_, i) => i !== 4_999),
  )
  assert.equal(pages.filter(({ gap }) => gap === 'damaged').length, 1)
  assert.deepEqual(folder.told, [
    'error damage in the store: event 5000 is damaged; it is not delivered',
  ])
})

test('an index that leads to wrong events is not believed', async () => {
  using folder = copyOf(whole)
  edit(
    folder,
    `UPDATE postings SET seq = seq + 1 WHERE seq = 4006 AND topic_key = ${crc32('topic-5')}`,
  )
  await using store = await folder.open()
  const filters = [{ topics: ['topic-5'], privateOnly: false }]
  const read = await readAll(store.log, 0 as Position, filters)
  assert.deepEqual(
    read,
    events.filter(({ topics }) => topics.includes('topic-5')),
  )
})

test('a start with a damaged page puts the store aside and takes over all that is whole', async () => {
  using folder = copyOf(whole)
  overwrite(folder, leafOf(folder, 20))
  edit(folder, "INSERT INTO meta VALUES ('damaged', 1)")
  {
    await using store = await folder.open()
    assert.match(folder.told[0]!, /error .* is damaged .* files are now in/)
    assert.match(folder.told[1]!, /events that were whole in the damaged store were taken over/)
    const kept = await readAll(store.log)
    assert.ok(kept.length > EVENTS * 0.95 && kept.length < EVENTS, String(kept.length))
    assertSubsequence(kept, events)
    const { cursor, position } = events.at(-1)!
    assert.deepEqual(store.log.resolve(cursor), { type: 'found', at: position })
    await assertWorks(store)
  }
  folder.told.length = 0
  await using _again = await folder.open()
  assert.deepEqual(folder.told, [])
})

test('a file that was cut off keeps what is left of it', async () => {
  for (const share of [0.9, 0.5]) {
    using folder = copyOf(whole)
    const { size } = statSync(folder.file('events.db'))
    truncateSync(folder.file('events.db'), Math.floor(size * share))
    await using store = await folder.open()
    assert.match(folder.told[0]!, /error .* is damaged/)
    assertSubsequence(await readAll(store.log), events)
    await assertWorks(store)
  }
})

test('damage that is found while writing costs no event that can be read, and no restart', async () => {
  using folder = copyOf(whole)
  const pageOf = (name: string) => {
    using database = new DatabaseSync(folder.file('events.db'))
    const row = database.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(name)
    return Number(row!['rootpage'])
  }
  const page = pageOf('state_expiry')
  await using store = await folder.open()
  const { head } = store.log
  rot(folder, page - 1)
  await assert.rejects(
    store.stateStore.apply([{ space: 's', key: 'k', value: Buffer.from('v'), expiresAtMs: 1e15 }]),
    { code: 'LOG_UNAVAILABLE' },
  )
  while (!store.log.status.writable) await new Promise((resolve) => setTimeout(resolve, 10))
  assert.match(folder.told.join('\n'), /is damaged .* files are now in/)
  assert.equal(store.log.head, head)
  assert.deepEqual(await readAll(store.log), events)
  assert.equal(store.log.resolve(events[0]!.cursor).type, 'found')
  await assertWorks(store)
})

test('damage among the oldest events does not keep new ones from being stored', async () => {
  using folder = copyOf(whole)
  const log = await folder.open()
  await log[Symbol.asyncDispose]()
  overwrite(folder, leafOf(folder, 0))
  {
    await using store = await folder.open({ eventsMax: 1_000 })
    for (let n = 0; n < 10; n++) await assertWorks(store)
    assert.equal((await readAll(store.log)).length, 1_000)
  }
  await using store = await folder.open({ eventsMax: 1_000 })
  assert.equal((await readAll(store.log)).length, 1_000)
  assert.equal(folder.told.filter((line) => line.includes('files are now in')).length, 1)
})

async function assertWorks({ log }: OpenedStore): Promise<void> {
  const appended = await appendTo(log, [publication('/new/a'), publication('/new/b')])
  assert.deepEqual((await readAll(log)).slice(-2), appended)
}

function assertSubsequence(some: readonly PublishedEvent[], all: readonly PublishedEvent[]): void {
  const byPosition = new Map(all.map((event) => [event.position, event]))
  for (const event of some) assert.deepEqual(event, byPosition.get(event.position))
}

async function fill(folder: StoreFolder): Promise<readonly PublishedEvent[]> {
  await using store = await folder.open({ durability: 'os' })
  const all: PublishedEvent[] = []
  for (let n = 0; n < EVENTS; n += 100)
    all.push(
      ...(await appendTo(
        store.log,
        Array.from({ length: 100 }, (_, i) =>
          publication(`/topic-${i % 7}/${n % 900 === 0 ? 'rare' : 'other'}`, {
            n: n + i,
            text: 'x'.repeat(i === 50 ? 9_000 : 60),
          }),
        ),
      )),
    )
  return all
}

function rowsOf(folder: StoreFolder, topic?: string) {
  using database = openReader(folder.directory)
  const damage: string[] = []
  const reader = new RowReader(database, (message) => damage.push(message))
  const filters = topic === undefined ? undefined : [{ topics: [topic], privateOnly: false }]
  const found: EventRecord[] = []
  let hasGap = false
  for (let reached = 0; reached < EVENTS;) {
    const page = reader.page({
      after: reached,
      until: EVENTS,
      oldest: 1,
      filters,
      pageBytes: 65_536,
    })
    assert.ok(page.reached > reached)
    found.push(...page.events)
    hasGap ||= page.gap !== null
    reached = page.reached
  }
  return { events: found, hasGap, damage }
}

function copyOf(folder: StoreFolder): StoreFolder {
  const copy = new StoreFolder()
  cpSync(folder.directory, copy.directory, { recursive: true })
  return copy
}

function edit(folder: StoreFolder, sql: string): void {
  using database = new DatabaseSync(folder.file('events.db'))
  database.exec(sql)
}

/** Counted from 0. */
function overwrite(folder: StoreFolder, page: number): void {
  const file = openSync(folder.file('events.db'), 'r+')
  writeSync(file, Buffer.alloc(4_096, 0xa5), 0, 4_096, page * 4_096)
  closeSync(file)
}

/** As a bad disk does: nobody has written to the file, so its time stays. */
function rot(folder: StoreFolder, page: number): void {
  const [file, times] = [folder.file('events.db'), folder.file('times')]
  execFileSync('touch', ['-r', file, times])
  overwrite(folder, page)
  execFileSync('touch', ['-r', times, file])
}

/** The page with the nth oldest lot of events, counted from 0. */
function leafOf(folder: StoreFolder, nth: number): number {
  using database = new DatabaseSync(folder.file('events.db'))
  const row = database
    .prepare(
      "SELECT pageno FROM dbstat WHERE name = 'events' AND pagetype = 'leaf' ORDER BY path LIMIT 1 OFFSET ?",
    )
    .get(nth)
  return Number(row!['pageno']) - 1
}
