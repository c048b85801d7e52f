/** Tells of trouble, a line a minute at most: a reader that comes again and again must not fill the log. */
export class SeldomReport {
  readonly #tell: (message: string) => void
  #untold = 0
  #quietUntilMs = -Infinity

  constructor(tell: (message: string) => void) {
    this.#tell = tell
  }

  add(message: string): void {
    const nowMs = performance.now()
    if (nowMs < this.#quietUntilMs) {
      this.#untold++
      return
    }
    const others = this.#untold === 0 ? '' : ` (and ${this.#untold} more like this)`
    this.#tell(`${message}${others}`)
    this.#untold = 0
    this.#quietUntilMs = nowMs + QUIET_MS
  }
}

const QUIET_MS = 60_000
