import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'

/** Where a log takes its time from. */
export interface ClockSources {
  /** Since the Unix epoch, in ms; somebody may set it at any moment. */
  wallMs(): number
  /** Since the machine started, in ms. Nobody sets it, and on some machines it stands still while they sleep. */
  monotonicMs(): number
  /** The same with the time it has slept. Dear, so it is asked only when the two others disagree. */
  uptimeMs(): number
  /** Which start of the machine they count from; `null`: nobody knows. */
  readonly bootId: string | null
}

export const SYSTEM_CLOCK: ClockSources = {
  wallMs: Date.now,
  monotonicMs: monotonicNowMs,
  uptimeMs: () => (process.platform === 'linux' ? uptime() * 1_000 : monotonicNowMs()),
  bootId: bootIdOfLinux(),
}

/** A time when the wall clock and the log's did not agree, in the log's time. */
export interface ClockLeap {
  readonly atMs: number
  /** How far the wall clock went beyond the log's; negative: how far back. */
  readonly byMs: number
  /** When they agreed again; `null`: not yet. */
  endMs: number | null
  /** The log has jumped to the wall clock: from `endMs` by so much. */
  followedByMs: number
}

/** What a store remembers of its clock, for the next start. */
export interface ClockMark {
  readonly logMs: number
  readonly steadyMs: number
  readonly wallMs: number
  readonly monotonicMs: number
  readonly uptimeMs: number
  readonly bootId: string | null
  readonly heldMs: number
  /** Oldest first. */
  readonly leaps: readonly ClockLeap[]
}

export interface ClockOptions {
  readonly sources?: ClockSources
  /** The clock's mark that an earlier run stored. */
  readonly mark?: ClockMark | null
  /** Time of the newest event: the log's never lies before it. */
  readonly newestMs?: number
  /** A leap has begun or ended. */
  readonly onLeap?: (message: string) => void
}

/**
 * The time of a log, which stamps events and says how old they are. It goes with the wall clock as long as that goes as
 * fast as the monotonic one. A leap forward is followed only once it has stood for as long as it is wide, at most for a
 * day; set back, the wall clock is waited for at half speed. So it never decreases, and a wall clock that is wrong for an
 * hour neither stamps nor expires anything (docs/decisions/0019-log-clock.md; test/log/log-clock.test.ts).
 */
export class LogClock {
  readonly #sources: ClockSources
  readonly #onLeap: (message: string) => void
  /** The log's time. */
  #ms: number
  /** What the wall clock may say at most without having leapt. */
  #steadyMs: number
  #wallMs: number
  #monotonicMs: number
  /** What the uptime was ahead of the monotonic clock: it grows by what the machine has slept. */
  #sleptMs: number
  #state: 'together' | 'held' | 'behind' = 'together'
  /** How long the leap has stood. */
  #heldMs = 0
  #leaps: ClockLeap[] = []

  constructor({ sources = SYSTEM_CLOCK, mark = null, newestMs = 0, onLeap }: ClockOptions = {}) {
    this.#sources = sources
    this.#onLeap = onLeap ?? (() => {})
    const uptimeMs = sources.uptimeMs()
    this.#monotonicMs = sources.monotonicMs()
    this.#sleptMs = uptimeMs - this.#monotonicMs
    this.#wallMs = sources.wallMs()
    const lastMs = Math.max(newestMs, mark?.logMs ?? 0)
    if (lastMs === 0) {
      this.#ms = this.#steadyMs = this.#wallMs
      return
    }
    this.#ms = lastMs
    this.#leaps = mark === null ? [] : mark.leaps.map((leap) => ({ ...leap }))
    const isSameBoot = mark !== null && mark.bootId !== null && mark.bootId === sources.bootId
    if (isSameBoot && this.#monotonicMs >= mark.monotonicMs) {
      this.#ms = mark.logMs
      this.#steadyMs = mark.steadyMs
      this.#heldMs = mark.heldMs
      const last = this.#leaps.at(-1)
      if (last?.endMs === null) this.#state = last.byMs > 0 ? 'held' : 'behind'
      const wallMs = this.#wallMs
      // In some containers the uptime begins with the container.
      const elapsedMs = Math.max(this.#monotonicMs - mark.monotonicMs, uptimeMs - mark.uptimeMs)
      this.#wallMs = mark.wallMs
      this.#step(elapsedMs, wallMs)
      this.#ms = Math.max(this.#ms, newestMs)
      this.#steadyMs = Math.max(this.#steadyMs, this.#ms)
    } else {
      this.#end()
      // Nobody knows how long the machine was off.
      this.#steadyMs = lastMs + OFF_MS_MAX
      this.#step(0, this.#wallMs)
    }
  }

  /** The log's time, in ms since the Unix epoch. Never decreases. */
  get nowMs(): number {
    const monotonicMs = this.#sources.monotonicMs()
    const wallMs = this.#sources.wallMs()
    let elapsedMs = Math.max(0, monotonicMs - this.#monotonicMs)
    this.#monotonicMs = monotonicMs
    if (wallMs > this.#steadyMs + elapsedMs + TOLERANCE_MS) {
      const sleptMs = this.#sources.uptimeMs() - monotonicMs
      elapsedMs += Math.max(0, sleptMs - this.#sleptMs)
      this.#sleptMs = sleptMs
    }
    this.#step(elapsedMs, wallMs)
    return Math.floor(this.#ms)
  }

  /** The log's time so long ago; leaps that it has followed do not count as age. */
  ago(ageMs: number): number {
    let atMs = this.nowMs
    let leftMs = ageMs
    for (const { endMs, followedByMs } of this.#leaps.toReversed()) {
      if (endMs === null || followedByMs === 0) continue
      const passedMs = atMs - (endMs + followedByMs)
      if (passedMs >= leftMs) break
      leftMs -= passedMs
      atMs = endMs
    }
    return atMs - leftMs
  }

  get mark(): ClockMark {
    return {
      logMs: this.nowMs,
      steadyMs: this.#steadyMs,
      wallMs: this.#wallMs,
      monotonicMs: this.#monotonicMs,
      uptimeMs: this.#sources.uptimeMs(),
      bootId: this.#sources.bootId,
      heldMs: this.#heldMs,
      leaps: this.#leaps.map((leap) => ({ ...leap })),
    }
  }

  #step(elapsedMs: number, wallMs: number): void {
    const wasSet = this.#wallMs >= EARLIEST_MS
    const wasHeld = this.#state === 'held'
    const leapMs = this.#wallMs - this.#steadyMs
    this.#wallMs = wallMs
    this.#steadyMs += elapsedMs
    const gapMs = wallMs - this.#steadyMs
    if (gapMs > TOLERANCE_MS) {
      this.#ms = Math.min(this.#steadyMs, this.#ms + elapsedMs)
      // One that is not yet set at all says nothing of what time it was before.
      if (!wasSet) this.#follow(gapMs)
      else if (wasHeld && Math.abs(gapMs - leapMs) <= TOLERANCE_MS) {
        this.#heldMs += elapsedMs
        if (this.#heldMs >= Math.min(gapMs, HELD_MS_MAX)) this.#follow(gapMs)
      } else this.#begin('held', gapMs)
    } else if (this.#ms - wallMs > TOLERANCE_MS) {
      if (this.#state !== 'behind') this.#begin('behind', wallMs - this.#ms)
      this.#ms = Math.max(wallMs, this.#ms + elapsedMs / 2)
    } else {
      this.#ms = Math.max(this.#ms, wallMs)
      this.#steadyMs = this.#ms
      if (this.#state === 'together') return
      this.#end()
      this.#onLeap(`the clock is right again: events have its time from ${iso(this.#ms)} on`)
    }
  }

  #begin(state: 'held' | 'behind', byMs: number): void {
    this.#note(state, byMs)
    this.#onLeap(
      state === 'held'
        ? `the clock leapt ${durationText(byMs)} forward, to ${iso(this.#wallMs)}: events go on by the log's own clock, ` +
            `now ${iso(this.#ms)}, unless that stands for ${durationText(Math.min(byMs, HELD_MS_MAX))}`
        : `the clock is ${durationText(-byMs)} behind the log, at ${iso(this.#wallMs)}: the times of events go on from ` +
            `${iso(this.#ms)}, at half speed until the clock is there`,
    )
  }

  #note(state: 'held' | 'behind', byMs: number): void {
    this.#end()
    this.#state = state
    this.#heldMs = 0
    this.#leaps.push({ atMs: Math.floor(this.#ms), byMs, endMs: null, followedByMs: 0 })
    this.#leaps = this.#leaps.slice(-LEAPS_KEPT)
  }

  #follow(byMs: number): void {
    if (this.#state !== 'held') this.#note('held', byMs)
    const leap = this.#leaps.at(-1)!
    leap.endMs = Math.floor(this.#ms)
    leap.followedByMs = this.#wallMs - leap.endMs
    this.#state = 'together'
    this.#ms = this.#steadyMs = this.#wallMs
    this.#onLeap(
      `the clock has been followed ${durationText(leap.followedByMs)} forward, to ${iso(this.#ms)}: ` +
        `events from ${iso(leap.atMs)} to ${iso(leap.endMs)} have times that are so much too early`,
    )
  }

  #end(): void {
    const leap = this.#leaps.at(-1)
    if (leap?.endMs === null) leap.endMs = Math.floor(this.#ms)
    this.#state = 'together'
  }
}

/** As `5 s`, `61 min`, `25 h` or `365 days`. */
export function durationText(ms: number): string {
  const [unit, name] = UNITS.find(([each]) => ms >= 2 * each) ?? [1_000, 's']
  return `${Math.round(ms / unit)} ${name}`
}

const UNITS = [
  [86_400_000, 'days'],
  [3_600_000, 'h'],
  [60_000, 'min'],
] as const

function iso(ms: number): string {
  return Number.isFinite(ms) && Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms)
}

/** Not `performance.now()`, which begins with the process. */
function monotonicNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

function bootIdOfLinux(): string | null {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return null
  }
}

/** Clocks are slewed, and threads are held up between two looks at them: below this nothing has leapt. */
const TOLERANCE_MS = 5_000
/** A leap that stands for so long is believed however wide it is. */
const HELD_MS_MAX = 86_400_000
/** How long a machine may have been off before a clock that says so has to stand for a while first. */
const OFF_MS_MAX = 90 * 86_400_000
/** 2023: before that there was no pubsubd, so a clock that says less has not been set since the machine started. */
const EARLIEST_MS = 1_672_531_200_000
const LEAPS_KEPT = 20
