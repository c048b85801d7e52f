import assert from 'node:assert/strict'
import { closeSync, cpSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs'
import { after, test } from 'node:test'
import type { PublishedEvent } from '../../../src/hub/event.ts'
import type { EventLog } from '../../../src/hub/event-log.ts'
import { Hub } from '../../../src/hub/hub.ts'
import { Salvage } from '../../../src/log/sqlite/salvage.ts'
import { StoreView } from '../../../src/log/tools/store-view.ts'
import { verifyStore } from '../../../src/log/tools/verify-store.ts'
import { publication } from '../../contracts/event-log.ts'
import { byteRequest, PLAIN, RecordingSink } from '../../hub/recording-sink.ts'
import { readAll, StoreFolder } from './store-folder.ts'
import { appendTo } from '../append-to.ts'
import { takeLogOver } from './take-log-over.ts'

const PAGE_BYTES = 4_096

/** What may happen to a page, counted from 0; `other`: one to take for it. */
const DAMAGES = {
  zeroed: (folder: StoreFolder, page: number) => overwrite(folder, page, Buffer.alloc(PAGE_BYTES)),
  'full of noise': (folder: StoreFolder, page: number) =>
    overwrite(
      folder,
      page,
      Buffer.from(Array.from({ length: PAGE_BYTES }, (_, i) => (i * 167 + page) % 251)),
    ),
  swapped: (folder: StoreFolder, page: number, other: number) => {
    const bytes = readFileSync(folder.file('events.db'))
    overwrite(folder, page, pageOf(bytes, other))
    overwrite(folder, other, pageOf(bytes, page))
  },
  'the first that is cut off': (folder: StoreFolder, page: number) =>
    truncateSync(folder.file('events.db'), page * PAGE_BYTES),
} as const

/** Three starts, private events, one that takes several pages, and some state: every kind of page. */
const small = new StoreFolder()
/** Trees of two levels. */
const large = new StoreFolder()
after(() => {
  small[Symbol.dispose]()
  large[Symbol.dispose]()
})
const smallEvents = await fill(small, 60)
const largeEvents = await fill(large, 1_500)

/** Pages that are tried; all of them with `SALVAGE_ALL` set, in minutes. An open of a store takes a tenth of a second. */
const all = process.env['SALVAGE_ALL'] === undefined ? null : Infinity
const TRIED = [
  ['small', small, smallEvents, 'zeroed', (page: number) => page < 8 || page === 12],
  ['small', small, smallEvents, 'full of noise', (page: number) => page === 3 || page === 10],
  ['small', small, smallEvents, 'swapped', (page: number) => page > 0 && page < 4],
  [
    'small',
    small,
    smallEvents,
    'the first that is cut off',
    (page: number) => page === 5 || page === 11,
  ],
  ['larger', large, largeEvents, 'zeroed', (page: number) => page === 3 || page === 50],
  ['larger', large, largeEvents, 'swapped', (page: number) => page === 40],
] as const

for (const [size, folder, events, damage, isTried] of TRIED)
  test(`of a ${size} store, whichever page is ${damage}, what is whole is found through the hub, and the rest told`, async () => {
    const pages = allPages(folder)
    for (const page of pages.filter((each) => each < (all ?? 0) || isTried(each))) {
      // Of a file that is cut off there nothing is left.
      if (page === 0 && damage === 'the first that is cut off') continue
      using damaged = copyOf(folder)
      DAMAGES[damage](damaged, page, pages.at(-1 - (page % 5))!)
      await check(
        damaged,
        events,
        `page ${page} ${damage}`,
        page === 3 || page === 12 || all !== null,
      )
    }
  })

test('what a damaged store can be read of page by page is what was written', () => {
  for (const damage of [DAMAGES.zeroed, DAMAGES.swapped])
    for (const page of allPages(small)) {
      using damaged = copyOf(small)
      damage(damaged, page, allPages(small).at(-1 - (page % 5))!)
      using salvage = new Salvage(damaged.directory)
      const found = [...salvage.eventsInPages(Infinity)]
      for (const { payload } of found)
        assert.ok(smallEvents.some((event) => event.payload.text === payload))
      assert.ok(new Set(found.map(({ seq }) => seq)).size > smallEvents.length - 25, `page ${page}`)
    }
})

/** A damaged store is opened, read in every way, restarted, and looked at from outside: all tell the same. */
async function check(
  folder: StoreFolder,
  events: readonly PublishedEvent[],
  what: string,
  isThorough: boolean,
): Promise<void> {
  let shown: string[]
  {
    await using store = await folder.open()
    const { log } = store
    const read = await readAll(log)
    const byText = new Map(events.map((event, i) => [lineOf(event), i]))
    const order = read.map((event) => byText.get(lineOf(event)))
    assert.ok(!order.includes(undefined), `${what}: only what was published`)
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a! - b!),
      `${what}: in order`,
    )

    const [lines, gaps] = await throughHub(log)
    shown = lines
    assert.deepEqual(lines, read.map(lineOf), `${what}: a replay of everything`)
    const lost = events.length - read.length
    assert.ok(lost === 0 || gaps > 0, `${what}: ${lost} are lost, and nobody is told`)
    if (lost > 0)
      assert.match(folder.told.join('\n'), /lost|damaged|missing/, `${what}: the operator`)
    assert.ok(lost < 30 || what.includes('cut off'), `${what}: ${lost} are lost`)

    for (const event of [events[0]!, events[20]!, events.at(-1)!]) {
      const resolution = log.resolve(event.cursor)
      if (resolution.type !== 'found') continue
      const due = events.slice(byText.get(lineOf(event))! + 1).map(lineOf)
      const rest = await readAll(log, resolution.at)
      assert.deepEqual(
        rest.map(lineOf),
        due.filter((line) => lines.includes(line)),
        `${what}: resumed`,
      )
    }
    for (const { publishedAtMs } of [events[5]!, events.at(-1)!]) {
      const since = await readAll(log, await log.positionAt(publishedAtMs))
      assert.deepEqual(
        since.map(lineOf),
        read.filter((event) => event.publishedAtMs >= publishedAtMs).map(lineOf),
        `${what}: since a time`,
      )
    }
    const filters = [{ topics: ['topic-2'], privateOnly: false }]
    assert.deepEqual(
      (await readAll(log, undefined, filters)).map(lineOf),
      read.filter(({ topics }) => topics.includes('topic-2')).map(lineOf),
      `${what}: by topic`,
    )
    const [appended] = await appendTo(log, [publication('/new', { what })])
    shown.push(lineOf(appended!))
  }
  if (!isThorough) return
  {
    await using store = await folder.open()
    assert.deepEqual((await readAll(store.log)).map(lineOf), shown, `${what}: after a restart`)
  }
  using view = new StoreView(folder.directory, () => {})
  const exported = [...view.pages()].flatMap((page) => view.published(page.events))
  assert.deepEqual(exported.map(lineOf), shown, `${what}: exported`)
  assert.equal(
    verifyStore(
      folder.directory,
      () => {},
      () => {},
    ),
    shown.length,
    `${what}: verified`,
  )
  await using store = await folder.open({ eventsMax: 10 })
  // What is lost counts as well, until it is too old.
  const retained = (await readAll(store.log)).map(lineOf)
  assert.ok(retained.length >= 1 && retained.length <= 10, what)
  assert.deepEqual(retained, shown.slice(-retained.length), `${what}: retained`)
}

/** What a subscriber of everything gets, private events too, and how many gaps it is told of. */
async function throughHub(log: EventLog): Promise<[lines: string[], gaps: number]> {
  const options = {
    queueBytesMax: 1e9,
    stallTimeoutMs: 1e9,
    topicFiltersMax: 10,
    conditionsMax: 10,
  }
  using hub = new Hub(log, options)
  const sink = new RecordingSink()
  const rights = { key: 'all', seesNothing: false, maySee: () => true }
  const from = hub.beforeOldest
  hub.subscribe(
    byteRequest({
      wants: [{ topics: [], privateOnly: false }],
      rights,
      from,
      encoding: PLAIN,
      sink,
      opening: new Uint8Array(),
    }),
  )
  await sink.until((lines) => lines.includes('alive'))
  const lines = sink.lines.filter((line) => !line.startsWith('gap '))
  return [lines, sink.lines.length - lines.length]
}

function lineOf({ path, payload }: Pick<PublishedEvent, 'path' | 'payload'>): string {
  return `${path} ${payload.text}`
}

async function fill(folder: StoreFolder, count: number): Promise<readonly PublishedEvent[]> {
  const events: PublishedEvent[] = []
  for (let start = 0; start < 3; start++) {
    await using store = await folder.open({ durability: 'os' })
    for (let n = 0; n < count / 3; n += 10) {
      const batch = Array.from({ length: 10 }, (_, i) =>
        publication(i === 3 ? `/private/topic-${i}` : `/topic-${i}/a`, {
          start,
          n: n + i,
          text: 'x'.repeat(n === 10 && i === 5 ? 9_000 : 100),
        }),
      )
      events.push(...(await appendTo(store.log, batch)))
      folder.clock.pass(100)
    }
    const value = Buffer.from('v'.repeat(500))
    await store.stateStore.apply([{ space: 's', key: `${start}`, value, expiresAtMs: 1e15 }])
  }
  takeLogOver(folder.directory)
  return events
}

function copyOf(folder: StoreFolder): StoreFolder {
  const copy = new StoreFolder()
  cpSync(folder.directory, copy.directory, { recursive: true })
  copy.clock.pass(folder.clock.wallMs() - copy.clock.wallMs())
  return copy
}

function allPages(folder: StoreFolder): number[] {
  const pages = readFileSync(folder.file('events.db')).length / PAGE_BYTES
  return Array.from({ length: pages }, (_, page) => page)
}

function pageOf(bytes: Buffer, page: number): Buffer {
  return bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES)
}

function overwrite(folder: StoreFolder, page: number, bytes: Buffer): void {
  const file = openSync(folder.file('events.db'), 'r+')
  writeSync(file, bytes, 0, PAGE_BYTES, page * PAGE_BYTES)
  closeSync(file)
}
