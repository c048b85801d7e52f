/**
 * Tells of tries that fail one after another: the first at once, the others once a minute, with their number, so that a night without a server
 * is not thousands of lines.
 */
export class RetryReport {
  readonly #tell: (sentence: string) => void
  /** By `performance.now()`, since the last one that was told. */
  #toldMs = -Infinity
  #untold = 0

  constructor(tell: (sentence: string) => void) {
    this.#tell = tell
  }

  add(reason: string, waitMs: number): void {
    const nowMs = performance.now()
    // A wait that is longer than that is told for its own sake.
    if (nowMs - this.#toldMs < QUIET_MS && waitMs < QUIET_MS) {
      this.#untold++
      return
    }
    const before = this.#untold === 0 ? '' : ` (${this.#untold} tries since the last such line)`
    this.#toldMs = nowMs
    this.#untold = 0
    this.#tell(`${reason}; trying again in ${(waitMs / 1_000).toFixed(1)} s${before}`)
  }

  /** It works again: what fails next is told at once. */
  over(): void {
    this.#toldMs = -Infinity
    this.#untold = 0
  }
}

const QUIET_MS = 60_000
