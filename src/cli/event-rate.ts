/** How many events come lately, and when the last one came. */
export class EventRate {
  /** When the newest came, by `performance.now()`. */
  #times: number[] = []
  readonly #nowMs: () => number

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs
  }

  add(): void {
    if (this.#times.length >= NEWEST) this.#times = this.#times.slice(NEWEST / 2)
    this.#times.push(this.#nowMs())
  }

  /** `3.2/s, the last 0 s ago`; behind the first one. */
  describe(): string {
    const nowMs = this.#nowMs()
    const recent = this.#times.filter((ms) => ms > nowMs - SPAN_MS)
    // From the oldest of them on, or all of the span where that is older.
    const spanMs = recent.length === this.#times.length ? nowMs - (recent[0] ?? nowMs) : SPAN_MS
    const perSecond = recent.length / Math.max(spanMs / 1_000, 1)
    return `${perSecond.toFixed(1)}/s, the last ${ago(nowMs - this.#times.at(-1)!)} ago`
  }
}

function ago(ms: number): string {
  const s = Math.floor(ms / 1_000)
  if (s < 60) return `${s} s`
  return s < 3_600 ? `${Math.floor(s / 60)} min` : `${Math.floor(s / 3_600)} h`
}

const SPAN_MS = 10_000
/** Of so many the times are kept: where more come within the span, the rate is that of the newest. */
const NEWEST = 20_000
