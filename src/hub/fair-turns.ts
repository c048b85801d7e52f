import { Queue } from './queue.ts'

/**
 * Who waits for a turn: shares take turns, and within one it is first come, first served. So however many of one share wait,
 * another one's first has its turn within one round of the shares. Held by `test/hub/fair-turns.test.ts`.
 */
export class FairTurns<Waiting> {
  /** The share whose turn is next is the first. None is empty. */
  readonly #shares = new Map<unknown, Queue<Waiting>>()

  /** `share`: whatever is the same for all who shall not have more turns than one other. */
  add(share: unknown, waiting: Waiting): void {
    let queue = this.#shares.get(share)
    if (queue === undefined) this.#shares.set(share, (queue = new Queue()))
    queue.push(waiting)
  }

  /** Takes out whose turn it is. */
  next(): Waiting | undefined {
    const [turn] = this.#shares
    if (turn === undefined) return undefined
    const [share, queue] = turn
    const waiting = queue.shift()
    if (queue.isEmpty) this.#shares.delete(share)
    else if (this.#shares.size > 1) {
      this.#shares.delete(share)
      this.#shares.set(share, queue) // behind all others
    }
    return waiting
  }
}
