import type { Position } from '../../hub/event.ts'

/**
 * What becomes of the webhooks of the newest events, by their positions: so a notification finds its own, whichever process has
 * brought the event into the log. Kept only while some notification is under way.
 */
export class OfferedWebhooks {
  readonly #byPosition = new Map<Position, readonly Promise<number>[]>()
  #awaited = 0

  /** Until it is disposed of, what is offered is kept. */
  await(): Disposable {
    this.#awaited++
    return {
      [Symbol.dispose]: () => {
        if (--this.#awaited === 0) this.#byPosition.clear()
      },
    }
  }

  /** `counts`: of each receiver, how many it says have got the event. */
  add(position: Position, counts: readonly Promise<number>[]): void {
    if (this.#awaited === 0 || counts.length === 0) return
    this.#byPosition.set(position, counts)
    if (this.#byPosition.size <= EVENTS_MAX) return
    const [oldest] = this.#byPosition.keys()
    this.#byPosition.delete(oldest!)
  }

  of(position: Position): readonly Promise<number>[] {
    return this.#byPosition.get(position) ?? []
  }
}

/** A notification waits for its webhooks for seconds; whoever overtakes it by more events than these is not counted. */
const EVENTS_MAX = 10_000
