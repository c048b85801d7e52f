import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Cursor } from '../src/hub/event.ts'
import type { Publication } from '../src/publication/publication.ts'
import { openSqliteStore } from '../src/log/sqlite/sqlite-store.ts'
import { fanload, median, replay, row, startPubsubd, type Figures, type Peer } from './harness.ts'
import { appendTo } from '../test/log/append-to.ts'

/** Readers that ask for the past, of a server whose log is on disk: alone, beside live subscribers, and a crowd of them. */
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    events: { type: 'string', default: '1000000' },
    directory: { type: 'string', default: tmpdir() },
    only: { type: 'string', default: 'alone,beside,crowd' },
  },
})
const rounds = Number(values.rounds)
const parts = values.only.split(',')
const directory = mkdtempSync(join(values.directory, 'pubsubd-bench-replay-'))
process.on('exit', () => rmSync(directory, { recursive: true, force: true }))

/** What a shipped pubsub.yaml keeps. */
const SHIPPED_EVENTS = 100_000
const EVENTS_BEHIND = 10_000
/** Readers that are cut off have not all come equally far. */
const CUT_OFF_WITHIN = 100
const EVENTS_PER_COMMIT = 1_000

row('what', 'figure')
row('---', '---')
if (parts.includes('alone')) await alone(Number(values.events))
if (parts.includes('beside')) await beside()
if (parts.includes('crowd')) await crowd()

/** One reader that replays everything. */
async function alone(events: number): Promise<void> {
  const storage = join(directory, 'alone')
  await fill(storage, events)
  const perSecond: number[] = []
  const megabytes: number[] = []
  let idleMb = 0
  for (let round = 0; round < rounds; round++) {
    await using server = await startPubsubd({ backlog: events, storage })
    idleMb = residentMb(server)
    const sampling = setInterval(() => megabytes.push(residentMb(server)), 50)
    perSecond.push((await replay(server, { last: events - 1 }))['events_per_s']!)
    clearInterval(sampling)
  }
  row(`one reader, ${events} events: events/s`, Math.round(median(perSecond)))
  row(
    '… MB resident before, and at most',
    `${Math.round(idleMb)}, ${Math.round(Math.max(...megabytes))}`,
  )
}

/** Live subscribers, with and without 50 others that replay everything again and again. */
async function beside(): Promise<void> {
  const storage = join(directory, 'beside')
  await fill(storage, SHIPPED_EVENTS)
  const seconds = Number(values.seconds)
  const load = { subs: 100, rate: 50, payload: 100, 'pub-conns': 4, duration: seconds }
  const runs = { without: [] as Figures[], with: [] as Figures[] }
  let replays = 0
  let eventsPerSecond = 0
  // The log grows a little meanwhile and drops its oldest: the marker of the newest stored one stays.
  await using server = await startPubsubd({ backlog: SHIPPED_EVENTS, storage })
  for (let round = 0; round < rounds; round++) {
    runs.without.push(await fanload(server, load))
    const replaying = replay(server, {
      readers: 50,
      last: SHIPPED_EVENTS - 1,
      seconds: seconds + 2,
    })
    runs.with.push(await fanload(server, load))
    const figures = await replaying
    replays += figures['replays']!
    eventsPerSecond = figures['events_per_s']!
  }
  for (const [name, all] of Object.entries(runs))
    for (const figure of ['p50_ms', 'p99_ms', 'max_ms'])
      row(
        `100 live subscribers ${name} 50 that replay: ${figure}`,
        median(all.map((run) => run[figure]!)),
      )
  row('… replays meanwhile, and their events/s', `${replays}, ${Math.round(eventsPerSecond)}`)
}

/** After a restart 500 readers come back at once with their cursors. */
async function crowd(): Promise<void> {
  const storage = join(directory, 'crowd')
  const cursors = await fill(storage, SHIPPED_EVENTS)
  const file = join(directory, 'cursors')
  const at = cursors.length - EVENTS_BEHIND
  for (const [name, spread] of [
    ['at one place', 1],
    [`within ${CUT_OFF_WITHIN} events`, CUT_OFF_WITHIN],
    ['anywhere', EVENTS_BEHIND],
  ] as const) {
    const step = Math.max(1, Math.floor(spread / 500))
    const places = Array.from({ length: Math.min(spread, 500) }, (_, i) => cursors[at + i * step]!)
    writeFileSync(file, places.join('\n'))
    const all: number[] = []
    for (let round = 0; round < rounds; round++) {
      await using server = await startPubsubd({ backlog: SHIPPED_EVENTS, storage })
      const figures = await replay(server, {
        readers: 500,
        last: SHIPPED_EVENTS - 1,
        cursors: file,
        timeout: 60,
      })
      all.push(figures['live'] === 500 ? figures['all_live_s']! : Infinity)
    }
    row(
      `500 readers, ${EVENTS_BEHIND} events behind, cut off ${name}: s until all are live`,
      median(all),
    )
  }
}

/** Stores events that `replay.c` can tell apart. Returns the cursor of each. */
async function fill(storage: string, events: number): Promise<Cursor[]> {
  const { eventLog } = await openSqliteStore({
    directory: `${storage}.pubsubd`,
    eventsMax: events,
    maxAgeMs: 0,
    bytesMax: Infinity,
    reserveBytes: 0,
    durability: 'os',
    logger: (level, message) => console.error(level, message),
  })
  const cursors: Cursor[] = []
  for (let n = 0; n < events; n += EVENTS_PER_COMMIT) {
    const batch = Array.from({ length: Math.min(EVENTS_PER_COMMIT, events - n) }, (_, i) =>
      publication(n + i),
    )
    for (const { cursor } of await appendTo(eventLog, batch)) cursors.push(cursor)
  }
  await eventLog[Symbol.asyncDispose]()
  return cursors
}

/** 300 bytes, with two topics. */
function publication(n: number): Publication {
  const topics = [`common-${n % 20}`, `other-${(n * 7919) % 1_000}`]
  const marker = `@!${n.toString(16).padStart(8, '0')}`
  const payload = {
    type: 'json-object',
    text: JSON.stringify({ text: marker.padEnd(285, 'x') }),
  } as const
  return { topics, isPrivate: false, path: `/${topics.join('/')}`, payload }
}

function residentMb({ pid }: Peer): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1_024
}
