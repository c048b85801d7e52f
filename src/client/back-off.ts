/** Waits that grow with each failure in a row, with chance in them, so that a crowd that was cut off does not come back at once. */
export class BackOff {
  readonly #firstMs: number
  readonly #mostMs: number
  #failures = 0

  constructor(firstMs = 500, mostMs = 30_000) {
    this.#firstMs = firstMs
    this.#mostMs = mostMs
  }

  /**
   * How long to wait now, in ms; never less than the other side asked for. It may have asked everybody for the same, so chance
   * adds up to half of that.
   */
  next(askedMs = 0): number {
    const spanMs = Math.min(this.#mostMs, this.#firstMs * 2 ** this.#failures++)
    const leastMs = Math.min(askedMs, ASKED_MS_MAX)
    const furtherMs = Math.min(leastMs / 2, this.#mostMs) * Math.random()
    return leastMs + furtherMs + spanMs * (0.1 + 0.9 * Math.random())
  }

  /** It works again. */
  reset(): void {
    this.#failures = 0
  }
}

/** Longest wait that another side may ask for: a wrong clock there must not stop us for days. */
const ASKED_MS_MAX = 600_000
