/** What comes from a source, gathered while something else is going on, and taken as much at once as there is. */
export class ReadAhead<T> {
  readonly #limits: ReadAheadLimits<T>
  #waiting: T[] = []
  #size = 0
  #isOver = false
  #error: unknown = null
  #wake = () => {}
  #goOn = () => {}

  constructor(source: AsyncIterable<T>, limits: ReadAheadLimits<T>) {
    this.#limits = limits
    void this.#gather(source)
  }

  /**
   * The next items in their order; `null`: there are none, or the signal came. `isFull`: as many as may be taken at once, unless
   * the source is over.
   * @throws what the source threw, behind what came before.
   */
  async next({
    isFull,
    signal,
  }: {
    readonly isFull: boolean
    readonly signal: AbortSignal
  }): Promise<readonly T[] | null> {
    const wake = () => this.#wake()
    signal.addEventListener('abort', wake)
    while (
      !signal.aborted &&
      !this.#isOver &&
      (isFull ? !this.#isFull : this.#waiting.length === 0)
    )
      await new Promise<void>((resolve) => (this.#wake = resolve))
    signal.removeEventListener('abort', wake)
    // What has come with it in one piece, too.
    await new Promise((resolve) => setImmediate(resolve))
    if (signal.aborted) return null
    if (this.#waiting.length === 0) {
      if (this.#error !== null) throw this.#error
      return null
    }
    return this.#take()
  }

  async #gather(source: AsyncIterable<T>): Promise<void> {
    try {
      for await (const item of source) {
        this.#waiting.push(item)
        this.#size += this.#limits.sizeOf(item)
        this.#wake()
        while (this.#isFull) await new Promise<void>((resolve) => (this.#goOn = resolve))
      }
    } catch (error) {
      this.#error = error
    }
    this.#isOver = true
    this.#wake()
  }

  get #isFull(): boolean {
    return this.#waiting.length >= this.#limits.countMax || this.#size >= this.#limits.sizeMax
  }

  #take(): readonly T[] {
    const taken = this.#waiting
    this.#waiting = []
    this.#size = 0
    this.#goOn()
    return taken
  }
}

interface ReadAheadLimits<T> {
  /** Items taken at once at most. */
  readonly countMax: number
  /** Once they have this size together no more are added. */
  readonly sizeMax: number
  readonly sizeOf: (item: T) => number
}
