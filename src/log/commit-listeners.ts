import { throwLater, type OnBug } from '../hub/bug.ts'
import type { Position, PublishedEvent } from '../hub/event.ts'

type CommitListener = (events: readonly PublishedEvent[], head: Position) => void

/** Who is told of each commit. One that throws keeps neither the others from it, nor publishers from their receipts. */
export class CommitListeners {
  readonly #listeners = new Set<CommitListener>()
  readonly #onBug: OnBug

  constructor(onBug: OnBug = throwLater) {
    this.#onBug = onBug
  }

  add(listener: CommitListener): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  tell(events: readonly PublishedEvent[], head: Position): void {
    for (const listener of this.#listeners)
      try {
        listener(events, head)
      } catch (error) {
        this.#onBug('telling of a commit', error)
      }
  }
}
