import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { test } from 'node:test'
import { publication } from '../../contracts/event-log.ts'
import type { PublishedEvent } from '../../../src/hub/event.ts'
import { eventLines } from '../../../src/log/tools/event-lines.ts'
import { exportedLine, parseExportedLine } from '../../../src/log/tools/exported-line.ts'
import {
  describeReport,
  importEvents,
  type ImportReport,
} from '../../../src/log/tools/import-events.ts'
import { readAll, StoreFolder, type OpenedStore } from '../sqlite/store-folder.ts'
import { appendTo } from '../append-to.ts'

const START_MS = 1_600_000_000_000

/** Lines of an export, each event with a number and its time. */
function lines(all: readonly number[], timeOf = (n: number) => START_MS + n): string {
  return all
    .map((n) =>
      exportedLine({
        topics: ['t'],
        isPrivate: n % 7 === 3,
        path: '/t',
        payload:
          n % 5 === 0
            ? { type: 'data', text: `{"data":"${n}"}` }
            : { type: 'json-object', text: `{ "n":${n} }` },
        publishedAtMs: timeOf(n),
        cursor: '',
        position: 0,
      } as unknown as PublishedEvent),
    )
    .join('')
}

function inTens(n: number): number {
  return START_MS + Math.floor(n / 10)
}

function atOnce(): number {
  return START_MS
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}

async function* chunk(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text)
}

/** `commitsMax`: then the process is killed, as it were. */
function importText(
  { log, stateStore }: OpenedStore,
  text: string,
  commitsMax = Infinity,
): Promise<ImportReport> {
  let commits = 0
  const eventLog = new Proxy(log, {
    get(target, name) {
      if (name === 'commit' && ++commits > commitsMax) throw new Error('killed')
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  return importEvents(eventLines(chunk(text), parseExportedLine), { eventLog, stateStore })
}

async function numbers({ log }: OpenedStore): Promise<number[]> {
  return (await readAll(log)).map(({ payload }) => Number(/\d+/.exec(payload.text)))
}

for (const [what, timeOf] of [
  ['of growing times', (n: number) => START_MS + n],
  ['of one time', () => START_MS],
  ['of falling times', (n: number) => START_MS - n],
  ['of the future', (n: number) => 8e12 + n],
] as const)
  test(`an import ${what} that was stopped goes on where it ended, and once more brings nothing`, async () => {
    using folder = new StoreFolder()
    const text = lines(range(0, 1_300), timeOf)
    {
      await using store = await folder.open()
      await assert.rejects(importText(store, text, 1), { message: 'killed' })
      assert.equal((await numbers(store)).length, 1_000)
    }
    await using store = await folder.open()
    const report = await importText(store, text)
    assert.deepEqual([report.imported, report.importedBefore], [300, 1_000])
    assert.deepEqual(await numbers(store), range(0, 1_300))
    const again = await importText(store, text)
    assert.deepEqual(
      [again.imported, again.importedBefore, again.duplicates, again.skipped.size],
      [0, 1_300, 0, 0],
    )
    assert.equal((await numbers(store)).length, 1_300)
  })

test('an import of old events that was killed keeps their times when it is run again, and new events have the present one', async () => {
  using folder = new StoreFolder()
  using killed = new StoreFolder()
  const text = lines(range(0, 1_300))
  {
    await using store = await folder.open()
    await assert.rejects(importText(store, text, 1), /killed/)
    cpSync(folder.directory, killed.directory, { recursive: true })
  }
  await using store = await killed.open()
  const { imported, importedBefore, timesChanged } = await importText(store, text)
  assert.deepEqual([imported, importedBefore, timesChanged], [300, 1_000, 0])
  const [event] = await appendTo(store.log, [publication('/now')])
  assert.ok(Math.abs(event!.publishedAtMs - killed.clock.wallMs()) < 60_000)
  assert.deepEqual(killed.told, [])
})

test('a file that has changed in between brings what is new, and the rest is named by its reason', async () => {
  using folder = new StoreFolder()
  await using store = await folder.open()
  await importText(store, lines(range(10, 1_500)))
  const changed = lines([5, ...range(10, 700)]) + 'torn\n' + lines([...range(700, 1_600)])
  const report = await importText(store, changed)
  assert.deepEqual(await numbers(store), range(10, 1_600))
  assert.deepEqual(describeReport(report), [
    '100 events imported',
    '1490 events left out: the store has them, word for word',
    '1 line skipped, older than all events of the store, which may have had them and dropped them for their age: line 1',
    '1 line skipped, not valid JSON: line 692',
  ])
})

test('of two files that overlap, the second brings what is not older, equal times too', async () => {
  using folder = new StoreFolder()
  await using store = await folder.open()
  await importText(store, lines(range(0, 95), inTens))
  const other = [50, 1_000, ...range(90, 120)]
  const report = await importText(
    store,
    lines(other, (n) => inTens(n === 1_000 ? 60 : n)),
  )
  assert.deepEqual(await numbers(store), range(0, 120))
  assert.equal(report.duplicates, 6)
  assert.deepEqual(describeReport(report).slice(2), [
    '1 line skipped, older than the newest event of the store, and not in it: line 2',
  ])
})

test('events that are said twice are two, in one file and in another', async () => {
  using folder = new StoreFolder()
  await using store = await folder.open()
  await importText(store, lines([1, 1, 2], atOnce))
  assert.deepEqual(await numbers(store), [1, 1, 2])
  const report = await importText(store, lines([1, 1, 1, 2], atOnce))
  assert.deepEqual([report.imported, report.duplicates], [1, 3])
  assert.deepEqual(await numbers(store), [1, 1, 2, 1])
})
