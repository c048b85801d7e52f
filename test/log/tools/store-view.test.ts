import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DatabaseSync } from 'node:sqlite'
import type { PublishedEvent } from '../../../src/hub/event.ts'
import { StoreView } from '../../../src/log/tools/store-view.ts'
import { publication } from '../../contracts/event-log.ts'
import { StoreFolder, type OpenedStore } from '../sqlite/store-folder.ts'
import { appendTo } from '../append-to.ts'

async function append({ log }: OpenedStore, count: number): Promise<PublishedEvent[]> {
  const batch = Array.from({ length: count }, (_, n) =>
    publication(n % 5 === 0 ? '/private/a' : '/a/b', { n, text: 'x'.repeat(500) }),
  )
  return [...(await appendTo(log, batch))]
}

function viewed(folder: StoreFolder, range?: { sinceMs?: number }) {
  const told: string[] = []
  using view = new StoreView(folder.directory, (message) => told.push(message))
  const pages = [...view.pages(range)]
  const events = pages.flatMap((page) => view.published(page.events))
  return { events, pages, told, count: view.count() }
}

test('a store that a server has open is seen as it was when the view was opened, with the cursors of its events', async () => {
  using folder = new StoreFolder()
  await using store = await folder.open({ durability: 'os', eventsMax: 2_000 })
  const before = await append(store, 2_000)
  const told: string[] = []
  using view = new StoreView(folder.directory, (message) => told.push(message))
  const events: PublishedEvent[] = []
  for (const page of view.pages()) {
    // Meanwhile all of them are dropped and deleted.
    await append(store, 2_000)
    assert.equal(page.gap, null)
    assert.equal(page.total, 2_000)
    events.push(...view.published(page.events))
    assert.equal(page.done, events.length)
  }
  assert.deepEqual(events, before)
  assert.deepEqual(view.count(), { kept: 2_000, missing: 0 })
  assert.equal(view.first()?.seq, 1)
  assert.equal(view.last()?.seq, 2_000)
  assert.deepEqual(told, [])
})

test('from a time on, those are seen that were published then or later', async () => {
  using folder = new StoreFolder()
  await using store = await folder.open({ durability: 'os' })
  const lots: PublishedEvent[][] = []
  for (let n = 0; n < 4; n++) {
    lots.push(await append(store, 10))
    folder.clock.pass(1_000)
  }
  const [first, second, third, fourth] = lots.map((lot) => lot[0]!.publishedAtMs)
  for (const [sinceMs, count] of [
    [0, 40],
    [first!, 40],
    [first! + 1, 30],
    [third!, 20],
    [fourth!, 10],
    [fourth! + 1, 0],
  ] as const) {
    const { events } = viewed(folder, { sinceMs })
    assert.deepEqual(events, lots.flat().slice(40 - count))
  }
  using view = new StoreView(folder.directory, () => {})
  assert.equal(view.countBetween(second!, third!), 20)
  assert.equal(view.countBetween(first! + 1, second! - 1), 0)
  assert.equal(view.countBetween(third!, second!), 0)
})

test('what is missing or damaged is told by its numbers, and the rest is seen', async () => {
  using folder = new StoreFolder()
  let all: PublishedEvent[]
  {
    await using store = await folder.open({ durability: 'os' })
    all = await append(store, 100)
  }
  {
    using database = new DatabaseSync(folder.file('events.db'))
    database.exec('DELETE FROM events WHERE seq BETWEEN 40 AND 49')
    database.exec("UPDATE events SET path = '/x' WHERE seq = 100")
  }
  const { events, pages, told, count } = viewed(folder)
  assert.deepEqual(
    events,
    all.filter((_, i) => !(i >= 39 && i <= 48) && i !== 99),
  )
  assert.deepEqual(told, ['events 40 to 49 are missing', 'event 100 is damaged'])
  assert.ok(pages.some(({ gap }) => gap !== null))
  assert.deepEqual(count, { kept: 90, missing: 10 })
  using view = new StoreView(folder.directory, () => {})
  assert.equal(view.last()?.seq, 99)
})

test('a store without events has none, and what is no store is not made', async () => {
  using folder = new StoreFolder()
  await (await folder.open())[Symbol.asyncDispose]()
  const { events, count } = viewed(folder)
  assert.deepEqual([events, count], [[], { kept: 0, missing: 0 }])
  using nothing = new StoreFolder()
  assert.throws(() => viewed(nothing), /unable to open/)
})
