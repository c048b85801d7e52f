import type { LogLevel } from './logger.ts'

/**
 * Logs what may happen again and again: trouble is told at once, and then no more than once a minute, by its newest
 * message and the number of those in between. So a peer that comes back, or a disk that stays full, cannot fill the log,
 * and what is told last is true a minute later. Held by `test/ops/seldom-report.test.ts`.
 */
export class SeldomReport {
  readonly #logger: (level: LogLevel, message: string) => void
  readonly #level: LogLevel
  /** What was told within the last minute, by key. */
  readonly #recent = new Map<string, Recent>()

  constructor(logger: (level: LogLevel, message: string) => void, level: LogLevel) {
    this.#logger = logger
    this.#level = level
  }

  /**
   * `key` names the trouble, where one report is for several that must not hide each other, as bugs at different places.
   * It should not come from a peer: only so many are told apart.
   */
  add(message: string, key = ''): void {
    this.#tell(this.#level, message, key)
  }

  /** The trouble is over. Told at once as well, unless trouble of this minute is still untold: then it only may be over. */
  over(message: string, key = ''): void {
    const recent = this.#recent.get(this.#known(key))
    if (recent === undefined || recent.untold > 0) this.#tell('info', message, key)
    else this.#logger('info', message)
  }

  #tell(level: LogLevel, message: string, wantedKey: string): void {
    const key = this.#known(wantedKey)
    const recent = this.#recent.get(key)
    if (recent !== undefined) {
      recent.untold++
      recent.newest = { level, message }
      return
    }
    this.#logger(level, message)
    const timer = setInterval(() => this.#tellNewest(key), QUIET_MS).unref()
    this.#recent.set(key, { timer, untold: 0, newest: { level, message } })
  }

  #tellNewest(key: string): void {
    const recent = this.#recent.get(key)!
    if (recent.untold === 0) {
      clearInterval(recent.timer)
      this.#recent.delete(key)
      return
    }
    const { untold, newest } = recent
    recent.untold = 0
    const count = untold === 1 ? '' : ` (the newest of ${untold} such messages within a minute)`
    this.#logger(newest.level, `${newest.message}${count}`)
  }

  #known(key: string): string {
    return this.#recent.has(key) || this.#recent.size < KEYS_MAX ? key : ''
  }
}

interface Recent {
  readonly timer: NodeJS.Timeout
  /** Messages since the last that was told. */
  untold: number
  newest: { readonly level: LogLevel; readonly message: string }
}

const QUIET_MS = 60_000

/** Troubles told apart at one time. Those beyond share one place, so that keys cannot fill memory or log. */
const KEYS_MAX = 100
