import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { forgetWork, longestWork, type NamedWork } from './current-work.ts'
import type { LogLevel } from './logger.ts'
import { SeldomReport } from './seldom-report.ts'

/** A turn of the event loop that takes more CPU is told, in ms: nobody else was served meanwhile. */
export const TURN_MS_MAX = 200

/** One that the machine has held up for longer is told, in ms: on a busy one shorter ones come all the time. */
const HELD_UP_MS_MAX = 1_000

/**
 * Logs turns of the event loop that take too long, with what took longest in them. Whether a turn was ours is judged by the CPU
 * time of this thread: one in which the machine did not let us run is told as that, and only when it was long. Held by `test/ops/watchdog.test.ts`.
 *
 * An immediate without a reference ends each turn: it costs some 0.2 µs, and where nothing happens there are no turns. A
 * timer would wake an idle process, and see a turn of 200 ms only if it were due at its beginning.
 */
export class Watchdog implements Disposable {
  readonly #slow: SeldomReport
  readonly #heldUp: SeldomReport
  readonly #heldUpMsMax: number
  #immediate: NodeJS.Immediate
  #lastMs = performance.now()
  #lastIdleMs = performance.nodeTiming.idleTime
  #cpuMs = cpuMs()
  #cpuAtMs = this.#lastMs

  constructor(
    logger: (level: LogLevel, message: string) => void,
    { heldUpMsMax = HELD_UP_MS_MAX }: { readonly heldUpMsMax?: number } = {},
  ) {
    this.#slow = new SeldomReport(logger, 'warn')
    this.#heldUp = new SeldomReport(logger, 'info')
    this.#heldUpMsMax = heldUpMsMax
    this.#immediate = this.#next()
  }

  [Symbol.dispose](): void {
    clearImmediate(this.#immediate)
  }

  #next(): NodeJS.Immediate {
    return setImmediate(this.#endTurn).unref()
  }

  /** Made once, as there are thousands of turns in a second. */
  readonly #endTurn = (): void => {
    this.#immediate = this.#next()
    const nowMs = performance.now()
    const idleMs = performance.nodeTiming.idleTime
    const turnMs = nowMs - this.#lastMs - (idleMs - this.#lastIdleMs)
    const work = turnMs > TURN_MS_MAX ? longestWork(nowMs) : null
    forgetWork()
    this.#lastMs = nowMs
    this.#lastIdleMs = idleMs
    if (turnMs <= TURN_MS_MAX && nowMs - this.#cpuAtMs < CPU_EVERY_MS) return
    const before = this.#cpuMs
    this.#cpuMs = cpuMs()
    this.#cpuAtMs = nowMs
    if (turnMs > TURN_MS_MAX) this.#tell(turnMs, Math.min(turnMs, this.#cpuMs - before), work)
  }

  #tell(turnMs: number, turnCpuMs: number, work: NamedWork | null): void {
    const cpu = `${turnCpuMs.toFixed(0)} ms of CPU`
    const clock = `${turnMs.toFixed(0)} ms`
    const longest =
      work === null
        ? ''
        : `; the longest part of it: ${shortened(work.name)}, ${work.ms.toFixed(0)} ms`
    if (turnCpuMs > TURN_MS_MAX)
      this.#slow.add(`nobody was served for ${clock}: one turn took ${cpu}${longest}`)
    else if (turnMs > this.#heldUpMsMax)
      this.#heldUp.add(
        `nobody was served for ${clock}, of which this process ran for ${turnCpuMs.toFixed(0)} ms only: ` +
          `the machine was busy, the process was stopped, or it waited for a disk${longest}`,
      )
  }
}

/** How old the figure may be that a turn's CPU is counted from: asking for it takes longer than all the rest. */
const CPU_EVERY_MS = 20

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

/** A request line may have 64 KiB. */
function shortened(name: string): string {
  return name.length <= NAME_MAX ? name : `${name.slice(0, NAME_MAX)}… (${name.length} characters)`
}

const NAME_MAX = 300
