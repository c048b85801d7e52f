/**
 * Loaded into the server's process (`node --import`): measures what each turn of its event loop costs, and answers
 * `watched-server.ts`. It measures the CPU time of the server's thread, so that a busy machine changes nothing about it.
 */
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import process from 'node:process'

export interface TurnReport {
  readonly type: 'turns'
  /** CPU of the dearest turn since the last report, in ms, without that of collecting garbage. */
  readonly worstMs: number
  /** The longest that the event loop was late since then by the wall clock, in ms: for reading only. */
  readonly delayMs: number
}

export interface RestReport {
  readonly type: 'rest'
  /** What is left after a collection: objects, and buffers outside of the heap. */
  readonly heapBytes: number
  /** What keeps the process alive, by its kind. */
  readonly handles: Readonly<Record<string, number>>
}

export type Question = TurnReport['type'] | RestReport['type']

const delay = monitorEventLoopDelay({ samplePerIteration: true })
delay.enable()

/** A turn that took long enough to be looked at. Times are those of `performance.now()`. */
interface LongTurn {
  readonly beganMs: number
  readonly endedMs: number
  readonly cpuMs: number
}

const LONG_MS = 10

let longTurns: LongTurn[] = []
let lastMs = cpuMs()
let lastNowMs = performance.now()

/*
 * On a busy machine one collection of a heap of 40 MB takes 100 ms, and comes in whichever turn it likes: it is no part of what an
 * input costs. What an input leaves behind is looked at by itself.
 */
let collections: { readonly beganMs: number; readonly endedMs: number }[] = []
new PerformanceObserver((list) => {
  for (const { startTime, duration } of list.getEntries())
    collections.push({ beganMs: startTime, endedMs: startTime + duration })
}).observe({ entryTypes: ['gc'] })

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

/** Once in each turn: an immediate without a reference runs behind what the poll brought, and wakes nobody. */
function endOfTurn(): void {
  const [spentMs, nowMs] = [cpuMs(), performance.now()]
  // Some kernels count whole ticks, late: a thread was seen to have 135 ms of CPU in a turn that was over sooner.
  const turnMs = Math.min(spentMs - lastMs, nowMs - lastNowMs)
  if (turnMs > LONG_MS) longTurns.push({ beganMs: lastNowMs, endedMs: nowMs, cpuMs: turnMs })
  lastMs = spentMs
  lastNowMs = nowMs
  setImmediate(endOfTurn).unref()
}
endOfTurn()

/** Without the collections in it, as much of its CPU as they have of its time. */
function ownCpuMs({ beganMs, endedMs, cpuMs: spentMs }: LongTurn): number {
  const collectedMs = collections.reduce(
    (sum, each) =>
      sum + Math.max(0, Math.min(each.endedMs, endedMs) - Math.max(each.beganMs, beganMs)),
    0,
  )
  return spentMs * (1 - Math.min(1, collectedMs / (endedMs - beganMs)))
}

function turnReport(): TurnReport {
  const worstMs = Math.max(0, ...longTurns.map(ownCpuMs))
  const report = { type: 'turns', worstMs, delayMs: delay.max / 1e6 } as const
  longTurns = []
  collections = []
  delay.reset()
  return report
}

function restReport(): RestReport {
  for (let i = 0; i < 3; i++) globalThis.gc!()
  const { heapUsed, external } = process.memoryUsage() // `external` has the array buffers in it
  const handles: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo())
    // Timers come and go with the second, and immediates with the turn.
    if (kind !== 'Timeout' && kind !== 'Immediate') handles[kind] = (handles[kind] ?? 0) + 1
  return { type: 'rest', heapBytes: heapUsed + external, handles }
}

process.on('message', (question: Question) => {
  // Two turns later: what came with the question belongs to the turn that is not over yet.
  setImmediate(() =>
    setImmediate(() => process.send!(question === 'turns' ? turnReport() : restReport())),
  )
})
// A server that cannot start shall end.
process.channel?.unref()
// The test that started the server is gone.
process.on('disconnect', () => process.exit())
