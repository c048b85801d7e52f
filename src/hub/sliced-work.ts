import { beginWork } from '../ops/current-work.ts'

/**
 * Work that can wait a little and would take too long in one go: a slice of it in each turn of the event loop, so that
 * everybody else has the rest of the turn.
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
    setImmediate(() => this.#run())
  }

  #run(): void {
    this.#isScheduled = false
    beginWork('clearing up')
    const untilMs = performance.now() + SLICE_MS
    while (this.#step()) if (performance.now() > untilMs) return this.start()
  }
}

/** How long the main thread may be busy with it in one turn of the event loop. */
const SLICE_MS = 1
