import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Position } from '../src/hub/event.ts'
import type { Publication } from '../src/publication/publication.ts'
import { bareAppends } from './bare-appends.ts'
import { openSqliteStore, type SqliteStore } from '../src/log/sqlite/sqlite-store.ts'

/**
 * The SQLite log without a server around it. Everything on one core: `taskset -c 0 node bench/log.ts`.
 * `--events 10000000` for the figures of a full store (some minutes, 6 GB); `--directory` for another disk.
 */
const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '1000000' },
    directory: { type: 'string', default: tmpdir() },
    durability: { type: 'string', default: 'disk' },
  },
})
const eventsMax = Number(values.events)
const directory = mkdtempSync(join(values.directory, 'pubsubd-bench-log-'))
process.on('exit', () => rmSync(directory, { recursive: true, force: true }))

const IN_FLIGHT = 64
const PAYLOAD = JSON.stringify({ text: 'x'.repeat(285) })
const COMMON_TOPICS = 20
const OTHER_TOPICS = 1_000
const RARE_EVENTS = 1_000

figure('append + fdatasync alone, p50', milliseconds(bareAppends(directory), 0.5))

{
  const store = await open()
  figure('one publisher, p50', milliseconds(await oneByOne(store, 3_000), 0.5))
  const { perSecond, commits } = await load(store, eventsMax)
  figure(`${IN_FLIGHT} in flight`, `${thousands(perSecond)} events/s`)
  figure('their commits, p50', milliseconds(commits, 0.5))
  figure('their commits, p99.9', milliseconds(commits, 0.999))
  figure('their commits, slowest', milliseconds(commits, 1))
  figure('database, bytes per event', String(Math.round(bytesOnDisk() / eventsMax)))

  const full = await timed(async () => count(store, undefined))
  figure('all events read', `${thousands(full.result / (full.ms / 1000))} events/s`)
  for (const topic of ['rare', 'common-0'])
    for (const label of ['', ' again']) {
      const { result, ms } = await timed(() => count(store, topic))
      figure(`${result} events of topic ${topic}${label}`, `${ms.toFixed(1)} ms`)
    }
  const middle = await timed(() => store.eventLog.positionAt(Date.now() - 1_000))
  figure('place of a time', `${middle.ms.toFixed(1)} ms`)
  await store.eventLog[Symbol.asyncDispose]()
}
{
  const { result: store, ms } = await timed(open)
  figure(`opened with ${eventsMax} events`, `${ms.toFixed(0)} ms`)
  const before = bytesOnDisk()
  const { perSecond, commits } = await load(store, eventsMax)
  figure(`${IN_FLIGHT} in flight, as many deleted`, `${thousands(perSecond)} events/s`)
  figure('their commits, p99.9', milliseconds(commits, 0.999))
  figure('their commits, slowest', milliseconds(commits, 1))
  figure('growth on the disk meanwhile', `${((bytesOnDisk() / before - 1) * 100).toFixed(1)} %`)
  figure(
    'write-ahead log',
    `${(statSync(join(directory, 'events.db-wal')).size / 1e6).toFixed(1)} MB`,
  )
  await store.eventLog[Symbol.asyncDispose]()
}

function open(): Promise<SqliteStore> {
  return openSqliteStore({
    directory,
    eventsMax,
    maxAgeMs: 0,
    bytesMax: Infinity,
    reserveBytes: 0,
    durability: values.durability === 'os' ? 'os' : 'disk',
    logger: (level, message) => console.error(level, message),
  })
}

function publication(n: number): Publication {
  const topics = [`common-${n % COMMON_TOPICS}`, `other-${(n * 7919) % OTHER_TOPICS}`]
  if (n % Math.ceil(eventsMax / RARE_EVENTS) === 0) topics[1] = 'rare'
  return {
    topics,
    isPrivate: false,
    path: `/${topics.join('/')}`,
    payload: { type: 'json-object', text: PAYLOAD },
  }
}

/** Publishers that each wait for their event before they send the next. */
async function load({ eventLog }: SqliteStore, events: number) {
  const commits: number[] = []
  let lastMs = performance.now()
  using _listener = eventLog.onCommit(() => {
    const nowMs = performance.now()
    commits.push(nowMs - lastMs)
    lastMs = nowMs
  })
  let next = 0
  const startMs = performance.now()
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      while (next < events) await eventLog.append([publication(next++)])
    }),
  )
  return { perSecond: events / ((performance.now() - startMs) / 1000), commits }
}

async function oneByOne({ eventLog }: SqliteStore, events: number): Promise<number[]> {
  const all: number[] = []
  for (let n = 0; n < events; n++) {
    const { ms } = await timed(() => eventLog.append([publication(n)]))
    all.push(ms)
  }
  return all
}

async function count({ eventLog }: SqliteStore, topic: string | undefined): Promise<number> {
  let events = 0
  const wanted = topic === undefined ? {} : { filters: [{ topics: [topic], privateOnly: false }] }
  for await (const page of eventLog.read(0 as Position, { ...wanted, pageBytes: 65_536 }))
    events += page.events.length
  return events
}

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const startMs = performance.now()
  const result = await work()
  return { result, ms: performance.now() - startMs }
}

function bytesOnDisk(): number {
  return statSync(join(directory, 'events.db')).size
}

function milliseconds(all: readonly number[], share: number): string {
  const sorted = all.toSorted((a, b) => a - b)
  return `${sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!.toFixed(2)} ms`
}

function thousands(number: number): string {
  return Math.round(number).toLocaleString('en')
}

function figure(what: string, value: string): void {
  console.log(`| ${what} | ${value} |`)
}
