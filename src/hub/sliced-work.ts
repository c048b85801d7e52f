import { beginWork } from '../ops/current-work.ts'
import { inLaterTurn } from '../ops/turn-budget.ts'

/**
 * Work that can wait a little and would take too long in one go: it is done in slices, in turns of the event loop that have
 * time left for it.
 */
export class SlicedWork {
  readonly #step: () => boolean
  #isScheduled = false

  /** `step`: a small part of it. `false`: nothing is left. */
  constructor(step: () => boolean) {
    this.#step = step
  }

  /** There is something to do. */
  start(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    inLaterTurn(() => this.#run())
  }

  #run(): void {
    this.#isScheduled = false
    beginWork('clearing up')
    const untilMs = performance.now() + SLICE_MS
    while (this.#step()) if (performance.now() > untilMs) return this.start()
  }
}

/** How long one slice may take, in ms. */
const SLICE_MS = 1
