import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Position } from '../../src/hub/event.ts'
import { openSqliteStore } from '../../src/log/sqlite/sqlite-store.ts'
import { bodyOf } from './numbered-event.ts'
import { Random } from './random.ts'
import { readLog, replay } from './reader.ts'
import { Disk, FATES } from './replay-writes.ts'
import { missing } from '../programs.ts'
import { TracedServer, type SystemCall } from './traced-server.ts'

/** Another one tries other moments and other fates of the writes. */
const SEED = Number(process.env['CRASH_SEED'] ?? 1)

/** Moments at which the power fails; each is tried with several fates. */
const MOMENTS = Number(process.env['CRASH_MOMENTS'] ?? 25)

const MOMENTS_IF_NOT_FLUSHED = 8

/** Stores that are opened at once. */
const OPEN_AT_ONCE = 4

test(
  'whenever the power fails, the store has every event that anybody was told of, in order, and nothing else',
  { skip: missing('strace') },
  async (context) => {
    const directory = mkdtempSync(join(tmpdir(), 'pubsubd-power-'))
    try {
      const { calls, log } = await recordRun(directory, {
        durability: 'disk',
        bigEvents: BIG_EVENTS,
      })
      const { states, faults, warnings } = await tryPowerFailures(calls, log, directory, MOMENTS)
      context.diagnostic(`${calls.length} system calls, ${states} states of the disk, seed ${SEED}`)
      for (const [warning, times] of warnings) context.diagnostic(`${times} times: ${warning}`)
      assert.equal(faults.length, 0, `${faults.length} faults:\n${faults.slice(0, 10).join('\n')}`)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  },
)

test(
  'a store that leaves the flush to the kernel does not pass, so the test above can tell the difference',
  { skip: missing('strace') },
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'pubsubd-power-'))
    try {
      const { calls, log } = await recordRun(directory, { durability: 'os', bigEvents: 0 })
      const { faults } = await tryPowerFailures(calls, log, directory, MOMENTS_IF_NOT_FLUSHED)
      assert.ok(faults.some((fault) => fault.includes('was told of')))
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  },
)

interface Logged {
  readonly cursor: string
  readonly text: string
}

/**
 * Two lives of a server: many commits at once, enough for a checkpoint while others publish, an orderly end, and a kill.
 * The log is what it had at the end of all.
 */
async function recordRun(
  directory: string,
  { durability, bigEvents }: { durability: 'disk' | 'os'; bigEvents: number },
): Promise<{ calls: SystemCall[]; log: Logged[] }> {
  const bodies = new Map<number, string>()
  const random = new Random(SEED)
  const publish = async (server: TracedServer, path: string, fillLength?: number) => {
    const number = bodies.size
    const body = bodyOf(number, random, fillLength)
    bodies.set(number, body)
    const url = `http://127.0.0.1:${server.port}${path}`
    const answer = await fetch(url, { method: 'PUT', body })
    assert.equal(answer.status, 202)
    await answer.text()
  }
  const publishMany = (server: TracedServer, publishers: number, each: number) =>
    Promise.all(
      Array.from({ length: publishers }, async () => {
        for (let i = 0; i < each; i++) await publish(server, '/small')
      }),
    )

  const calls: SystemCall[] = []
  const take = async (server: TracedServer) => {
    const offset = calls.at(-1)?.endedAt ?? 0
    for (const call of await server.calls())
      calls.push({
        ...call,
        beganAt: call.beganAt + offset + 1,
        endedAt: call.endedAt + offset + 1,
      })
  }
  {
    await using server = await TracedServer.start({ directory, durability, trace: 'trace-1' })
    const isOpen = Promise.withResolvers<void>()
    const reading = replay(server.port, '/small', () => {
      isOpen.resolve()
      return true
    })
    await isOpen.promise
    await publishMany(server, 4, 5)
    for (let i = 0; i < bigEvents; i++) await publish(server, '/big', BIG_LENGTH)
    await publishMany(server, 4, 10)
    await server.stop('SIGTERM')
    await reading
    await take(server)
  }
  if (bigEvents > 0) assert.ok(hasCheckpointAmongAnswers(calls), 'no checkpoint while events came')
  {
    await using server = await TracedServer.start({ directory, durability, trace: 'trace-2' })
    await publishMany(server, 2, 4)
    await server.stop('SIGKILL')
    await take(server)
  }
  await using server = await TracedServer.start({ directory, durability, trace: null })
  const log = await readLog(server.port)
  return { calls, log: log.map(({ number, cursor }) => ({ cursor, text: bodies.get(number)! })) }
}

function hasCheckpointAmongAnswers(calls: readonly SystemCall[]): boolean {
  return calls
    .slice(calls.findIndex(tells), calls.findLastIndex(tells))
    .some(({ name, file }) => name === 'pwrite64' && file.endsWith('.db'))
}

/** Together more than the pages that a write-ahead log has before it is taken to the database. */
const BIG_EVENTS = 9
const BIG_LENGTH = 2_000_000

async function tryPowerFailures(
  calls: readonly SystemCall[],
  log: readonly Logged[],
  directory: string,
  moments: number,
): Promise<{ states: number; faults: string[]; warnings: Map<string, number> }> {
  const random = new Random(SEED)
  const places = new Map(log.map(({ cursor }, place) => [cursor, place]))
  const chosen = chooseMoments(calls, moments, random)
  const disk = new Disk(directory)
  const faults: string[] = []
  const warnings = new Map<string, number>()
  const open = new Set<Promise<void>>()
  let toldCount = 0
  let states = 0
  for (const [moment, { call, isEnd }] of momentsOf(calls).entries()) {
    if (isEnd) disk.end(call)
    else {
      disk.begin(call)
      for (const cursor of told(call))
        toldCount = Math.max(toldCount, (places.get(cursor) ?? Infinity) + 1)
    }
    if (!chosen.has(moment)) continue
    for (const fate of disk.hasUnflushed ? FATES : FATES.slice(0, 1)) {
      const copy = mkdtempSync(join(tmpdir(), 'pubsubd-power-state-'))
      disk.restore(copy, fate, random)
      const where = `moment ${moment} (${call.name} ${call.file}), ${fate}`
      const due = toldCount
      states++
      const trying = tryStore(join(copy, 'backlog.pubsubd'), log, due, (warning) => {
        warnings.set(warning, (warnings.get(warning) ?? 0) + 1)
      })
        .then(
          (fault) => void (fault === null || faults.push(`${where}: ${fault}`)),
          (error: Error) => void faults.push(`${where}: ${error.stack}`),
        )
        .finally(() => {
          rmSync(copy, { recursive: true, force: true })
          open.delete(trying)
        })
      open.add(trying)
      if (open.size >= OPEN_AT_ONCE) await Promise.race(open)
    }
  }
  await Promise.all(open)
  return { states, faults, warnings }
}

/** What is wrong with a store after a power failure; `null`: nothing. */
async function tryStore(
  directory: string,
  log: readonly Logged[],
  toldCount: number,
  onWarning: (message: string) => void,
): Promise<string | null> {
  let alarm: string | null = null
  const { eventLog } = await openSqliteStore({
    directory,
    eventsMax: 100_000,
    maxAgeMs: 0,
    bytesMax: 2 ** 40,
    reserveBytes: 0,
    durability: 'os',
    logger(level, message) {
      if (level === 'error') alarm ??= message
      if (level !== 'info') onWarning(message.replaceAll(directory, 'STORE').replace(STAMP, ''))
    },
  })
  try {
    let place = 0
    for await (const page of eventLog.read(0 as Position, { pageBytes: 1_000_000 })) {
      if (page.gap === 'damaged') return 'a record is damaged'
      for (const { cursor, payload } of page.events) {
        const due = log[place]
        if (due?.cursor !== cursor) return `at ${place} another event than before`
        if (due.text !== payload.text) return `the event at ${place} is changed`
        place++
      }
    }
    if (place < toldCount) return `has ${place} events, but somebody was told of ${toldCount}`
    const publication = {
      topics: ['small'],
      isPrivate: false,
      path: '/small',
      payload: { type: 'json-object', text: '{}' },
    } as const
    await eventLog.append([publication])
    return alarm
  } finally {
    await eventLog[Symbol.asyncDispose]()
  }
}

/** In the name of what was put aside. */
const STAMP = /-\d{4}-\d\d-\d\dT[-\d.]+Z/

/** Begins and ends of calls, in their order. */
function momentsOf(calls: readonly SystemCall[]): { call: SystemCall; isEnd: boolean }[] {
  const moments = calls.flatMap((call) => [
    { call, isEnd: false, line: call.beganAt },
    { call, isEnd: true, line: call.endedAt },
  ])
  return moments.toSorted((a, b) => a.line - b.line)
}

/** A flush or an answer is as likely as a moment within what lies between two of them, however much that is. */
function chooseMoments(calls: readonly SystemCall[], count: number, random: Random): Set<number> {
  const all = momentsOf(calls)
  const ends = [...all.entries()]
    .filter(([, { call }]) => call.name.endsWith('sync') || tells(call))
    .map(([moment]) => moment)
  const chosen = new Set<number>()
  while (chosen.size < Math.min(count, ends.length)) {
    const index = random.between(0, ends.length - 1)
    const end = ends[index]!
    chosen.add(random.chance(0.4) ? end : random.between((ends[index - 1] ?? -1) + 1, end))
  }
  return chosen
}

function tells(call: SystemCall): boolean {
  return told(call).length > 0
}

/** Cursors of the events that a call tells a peer of: in a 202, or in a stream. */
function told({ file, strings }: SystemCall): string[] {
  if (!file.includes('socket:')) return []
  return strings.flatMap((bytes) =>
    [
      ...bytes
        .toString('latin1')
        .matchAll(/(?:X-Pubsub-Cursor: |"pubsub_cursor": ")([-0-9a-f]{36})/g),
    ].map(([, cursor]) => cursor!),
  )
}
