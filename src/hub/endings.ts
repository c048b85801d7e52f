import type { CloseReason } from './encoding.ts'
import { SlicedWork } from './sliced-work.ts'

/** A stream that is about to end: nothing is due to it any more, and it has not been told yet. */
export interface Ending {
  /** Must not throw: held by `test/hub/containment.test.ts`. */
  tellEnd(reason: CloseReason, retryAfterMs: number): void
}

/**
 * Telling a stream that it ends takes some 20 µs, and thousands may end by one cause. The first ones of a turn of the event
 * loop are told at once, the others bit by bit.
 */
export class Endings {
  readonly #waiting: { readonly ending: Ending; readonly why: Parameters<Ending['tellEnd']> }[] = []
  readonly #work = new SlicedWork(() => this.#tellNext())
  #leftInTurn = AT_ONCE_MAX

  add(ending: Ending, ...why: Parameters<Ending['tellEnd']>): void {
    if (this.#leftInTurn === AT_ONCE_MAX) setImmediate(() => (this.#leftInTurn = AT_ONCE_MAX))
    if (this.#leftInTurn > 0) {
      this.#leftInTurn--
      ending.tellEnd(...why)
    } else {
      this.#waiting.push({ ending, why })
      this.#work.start()
    }
  }

  #tellNext(): boolean {
    const next = this.#waiting.pop()
    next?.ending.tellEnd(...next.why)
    return this.#waiting.length > 0
  }
}

/** Some 2 ms. */
const AT_ONCE_MAX = 100
