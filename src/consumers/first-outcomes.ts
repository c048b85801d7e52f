import type { Position } from '../hub/event.ts'

/**
 * What became of the newest events at their first tries, by their positions: so whoever published one finds its own, whichever
 * process has brought it into the log. Kept only while somebody waits for one.
 */
export class FirstOutcomes {
  readonly #byPosition = new Map<Position, readonly Promise<number>[]>()
  /** All events up to here have been offered. */
  #offeredTo: Position
  readonly #waiting = new Set<Waiting>()
  #awaited = 0

  constructor(head: Position) {
    this.#offeredTo = head
  }

  /** Until it is disposed of, outcomes are kept. */
  await(): Disposable {
    this.#awaited++
    return {
      [Symbol.dispose]: () => {
        if (--this.#awaited === 0) this.#byPosition.clear()
      },
    }
  }

  /** An event was offered to all consumers that want it. `counts`: for each of them, how many have got it. */
  add(position: Position, counts: readonly Promise<number>[]): void {
    if (this.#awaited > 0 && counts.length > 0) {
      this.#byPosition.set(position, counts)
      if (this.#byPosition.size > EVENTS_MAX) this.#forgetOldest()
    }
    this.#offeredTo = position
    for (const waiting of this.#waiting) if (waiting.position <= position) this.#resolve(waiting)
  }

  /** Nothing more is offered: whoever waits is told of nobody. */
  close(): void {
    for (const waiting of this.#waiting) this.#resolve(waiting)
  }

  /** Resolves once the event of this position has been offered to all. */
  async of(position: Position): Promise<readonly Promise<number>[]> {
    if (position > this.#offeredTo)
      await new Promise<void>((resolve) => this.#waiting.add({ position, resolve }))
    return this.#byPosition.get(position) ?? []
  }

  #resolve(waiting: Waiting): void {
    this.#waiting.delete(waiting)
    waiting.resolve()
  }

  #forgetOldest(): void {
    const [oldest] = this.#byPosition.keys()
    this.#byPosition.delete(oldest!)
  }
}

interface Waiting {
  readonly position: Position
  readonly resolve: () => void
}

/** Whoever waits for an outcome waits for seconds; if more events than these overtake him, his is not counted. */
const EVENTS_MAX = 10_000
