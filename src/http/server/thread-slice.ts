import { inLaterTurn } from '../../ops/turn-budget.ts'

/**
 * Keeps long work of the main thread short for everybody else: after each small part of it, whoever does it asks whether
 * its slice is over, and if so waits for the next one. All who wait share what the turns of the event loop have left for
 * such work. Held by `test/http/server/thread-slice.test.ts`.
 */
export class ThreadSlice {
  #endsMs = 0

  /** Everybody has their first slice when it is their turn, too. */
  get isOver(): boolean {
    return performance.now() > this.#endsMs
  }

  async next(): Promise<void> {
    await new Promise<void>(inLaterTurn)
    this.#endsMs = performance.now() + SLICE_MS
  }
}

/** In ms; what is done between two looks at the clock comes on top. */
const SLICE_MS = 2
