import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Position, PublishedEvent } from '../../../src/hub/event.ts'
import { importPypubsubBacklog } from '../../../src/log/tools/import-pypubsub.ts'
import { openSqliteStore, type SqliteStore } from '../../../src/log/sqlite/sqlite-store.ts'

const START = 1_700_000_000

/** Lines as PyPubSub writes them, one event in a second each. */
function lines(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, index) => {
    const n = from + index
    return `{"timestamp": ${START + n}.25, "topics": ["t"], "json": {"n": ${n}, "pubsub_path": "/t"}, "private": false}\n`
  }).join('')
}

/** A directory with a store and a file of PyPubSub, and what was logged. */
class Site implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'pubsubd-import-'))
  readonly file = join(this.directory, 'backlog.json')
  limits = { eventsMax: 1_000_000, maxAgeMs: 0, bytesMax: 2 ** 30 }
  readonly #logged: string[] = []

  async open(): Promise<AsyncDisposable & SqliteStore> {
    const store = await openSqliteStore({
      directory: `${this.file}.pubsubd`,
      durability: 'os',
      reserveBytes: 0,
      ...this.limits,
      logger: (_level, message) => this.#logged.push(message),
    })
    return { ...store, [Symbol.asyncDispose]: () => store.eventLog[Symbol.asyncDispose]() }
  }

  /** Opens the store as a start of the server does, and imports; what was said of it. */
  async start(): Promise<string[]> {
    await using store = await this.open()
    return await this.import(store)
  }

  async import(store: SqliteStore): Promise<string[]> {
    this.#logged.length = 0
    await importPypubsubBacklog(this.file, store, {
      limits: this.limits,
      logger: (_level, message) => void this.#logged.push(message.replaceAll(this.file, 'FILE')),
    })
    return this.#logged.slice()
  }

  async events(): Promise<PublishedEvent[]> {
    await using store = await this.open()
    return await eventsOf(store)
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true })
  }
}

async function eventsOf({ eventLog }: SqliteStore): Promise<PublishedEvent[]> {
  const pages = await Array.fromAsync(eventLog.read(0 as Position, { pageBytes: 65_536 }))
  return pages.flatMap(({ events }) => events)
}

function numbers(events: readonly PublishedEvent[]): number[] {
  return events.map(({ payload }) => JSON.parse(payload.text).n)
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}

test('a file is imported once, with its times, and left as it was', async () => {
  using site = new Site()
  writeFileSync(site.file, lines(0, 2_500))
  const said = await site.start()
  assert.match(said[0]!, /^importing the backlog of PyPubSub from FILE, \d+ bytes$/)
  assert.deepEqual(said.slice(1), [
    'FILE: 2500 events imported. The file stays as it is and is not read again',
  ])
  assert.equal(readFileSync(site.file, 'utf8'), lines(0, 2_500))
  const events = await site.events()
  assert.deepEqual(numbers(events), range(0, 2_500))
  assert.deepEqual(
    events.map(({ publishedAtMs }) => publishedAtMs),
    range(0, 2_500).map((n) => (START + n) * 1_000 + 250),
  )
  assert.deepEqual(await site.start(), [])
  assert.deepEqual(await site.start(), [])
  assert.equal((await site.events()).length, 2_500)
})

test('broken lines are skipped and named', async () => {
  using site = new Site()
  writeFileSync(
    site.file,
    `{"torn\n${lines(0, 1)}\0\0\n[]\n${lines(1, 2)}${lines(2, 3).slice(0, 40)}`,
  )
  const said = await site.start()
  assert.deepEqual(said.slice(1), [
    'FILE: 2 events imported. The file stays as it is and is not read again',
    'FILE: 3 lines skipped, not valid JSON: lines 1, 3, 6',
    'FILE: 1 line skipped, not a JSON object: line 4',
  ])
  assert.deepEqual(numbers(await site.events()), [0, 1])
})

test('a file of nothing but garbage stops nothing', async () => {
  using site = new Site()
  writeFileSync(site.file, 'garbage\n'.repeat(5_000))
  const said = await site.start()
  assert.deepEqual(said.slice(1), [
    'FILE: 0 events imported. The file stays as it is and is not read again',
    'FILE: 5000 lines skipped, not valid JSON: lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 4990 more',
  ])
})

test('without a file, or with a directory of that name, nothing happens', async () => {
  using site = new Site()
  assert.deepEqual(await site.start(), [])
  mkdirSync(site.file)
  assert.deepEqual(await site.start(), [])
  assert.ok(existsSync(`${site.file}.pubsubd`))
})

test('times never decrease and never lie in the future', async () => {
  using site = new Site()
  const future = lines(2, 3).replace(`${START + 2}`, '8000000000')
  writeFileSync(site.file, `${lines(1, 2)}${lines(0, 1)}${future}${lines(3, 4)}`)
  const before = Date.now()
  const said = await site.start()
  assert.match(said.at(-1)!, /^FILE: 3 of them got another time: /)
  const events = await site.events()
  assert.deepEqual(numbers(events), [1, 0, 2, 3])
  const [first, second, third, fourth] = events.map(({ publishedAtMs }) => publishedAtMs)
  assert.deepEqual([first, second], [(START + 1) * 1_000 + 250, (START + 1) * 1_000 + 250])
  assert.ok(third! >= before && third! <= Date.now())
  assert.equal(fourth, third)
})

test('an import that was interrupted goes on where it stopped', async () => {
  using site = new Site()
  writeFileSync(site.file, lines(0, 5_000))
  {
    await using store = await site.open()
    let commits = 0
    const breaking = {
      stateStore: store.stateStore,
      eventLog: {
        head: store.eventLog.head,
        status: store.eventLog.status,
        read: store.eventLog.read.bind(store.eventLog),
        positionAt: store.eventLog.positionAt.bind(store.eventLog),
        timeAgo: store.eventLog.timeAgo.bind(store.eventLog),
        commit(work: Parameters<typeof store.eventLog.commit>[0]) {
          if (++commits > 2) return Promise.reject(new Error('the disk is full'))
          return store.eventLog.commit(work)
        },
      },
    }
    await assert.rejects(
      importPypubsubBacklog(site.file, breaking, { limits: site.limits, logger: () => {} }),
      /^Error: server\.backlog\.storage: .+ is not imported completely: the disk is full$/,
    )
  }
  assert.equal((await site.events()).length, 2_000)
  const said = await site.start()
  assert.match(said[1]!, /3000 events imported/)
  assert.match(said[2]!, /2000 events were imported before, and this went on behind them/)
  assert.deepEqual(numbers(await site.events()), range(0, 5_000))
})

test('a file whose events all have one time, interrupted and touched, is imported once and whole', async () => {
  using site = new Site()
  const same = lines(0, 2_500).replaceAll(/"timestamp": [\d.]+/g, `"timestamp": ${START}`)
  writeFileSync(site.file, same.split('\n').slice(0, 1_000).join('\n'))
  await site.start()
  writeFileSync(site.file, same)
  await site.start()
  assert.deepEqual(numbers(await site.events()), range(0, 2_500))
  utimesSync(site.file, START, START)
  const said = await site.start()
  assert.match(said[1]!, /^FILE: 0 events imported/)
  assert.match(said[2]!, /^FILE: 2500 events were imported before/)
  assert.equal((await site.events()).length, 2_500)
})

test('while the store would keep nothing, nothing is imported, and that is told', async () => {
  using site = new Site()
  writeFileSync(site.file, lines(0, 4))
  const plenty = site.limits
  for (const [limits, told] of [
    [{ ...plenty, eventsMax: 0 }, /^FILE: nothing is imported, as server\.backlog\.size is 0: /],
    [
      { ...plenty, maxAgeMs: 1_000 },
      /^FILE: nothing is imported: by server\.backlog\.max_age .* all of the 4 events/,
    ],
    [{ ...plenty, bytesMax: 10 }, /^FILE: nothing is imported: by server\.backlog\.max_bytes /],
  ] as const) {
    site.limits = limits
    const said = await site.start()
    assert.equal(said.length, 1)
    assert.match(said[0]!, told)
  }
  site.limits = { ...plenty, eventsMax: 3 }
  const said = await site.start()
  assert.equal(
    said[0],
    'FILE: of 4 events the store keeps the newest 3 (server.backlog.size); it will drop the others at once',
  )
  assert.deepEqual(numbers(await site.events()), [1, 2, 3])
})

test('of a file that has changed since, only what is newer is imported', async () => {
  using site = new Site()
  writeFileSync(site.file, lines(0, 100))
  await site.start()
  writeFileSync(site.file, lines(50, 150))
  const said = await site.start()
  assert.match(said[1]!, /^FILE: 50 events imported/)
  assert.match(said[2]!, /^FILE: 50 events left out: the store has them, word for word$/)
  assert.equal(said.length, 3)
  assert.deepEqual(numbers(await site.events()), range(0, 150))
  assert.deepEqual(await site.start(), [])
})

test('events older than those of the store are not put behind them, and that is told', async () => {
  using site = new Site()
  {
    await using store = await site.open()
    const payload = { type: 'json-object', text: '{"n": -1}' } as const
    await store.eventLog.append([{ topics: [], isPrivate: false, path: '/', payload }])
  }
  writeFileSync(site.file, lines(0, 3))
  const said = await site.start()
  assert.deepEqual(said.slice(1), [
    'FILE: 0 events imported. The file stays as it is and is not read again',
    'FILE: 3 lines skipped, older than all events of the store, which may have had them and dropped them for their age: lines 1, 2, 3',
    'FILE: to have those too, import it into an empty store: stop the server, move the store out of the way ' +
      '(its directory ends in .pubsubd), start again',
  ])
  assert.deepEqual(numbers(await site.events()), [-1])
})
