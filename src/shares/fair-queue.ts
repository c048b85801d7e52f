/**
 * What waits for something that is scarce, each for a share: an address, a user, whoever shall not have more of it than
 * others. Shares take turns, and within one it is first come, first served. When too many wait, the share that has the most of
 * them loses its newest: so whoever fills the queue shuts out himself, and a single one alone may fill it. Every operation takes
 * a time that does not grow with the number of shares.
 * Held by `test/shares/fair-queue.test.ts`.
 */
export class FairQueue<Waiting> {
  readonly #sizeMax: number
  #size = 0
  /** What waits of each share, the oldest first. The share whose turn is next is the first. */
  readonly #queues = new Map<string, Waiting[]>()
  /** The shares of which so many wait. */
  readonly #byLength: Set<string>[] = []

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax
  }

  get size(): number {
    return this.#size
  }

  /** Who does not wait any longer, as there are too many; perhaps the one that is added. */
  add(share: string, waiting: Waiting): Waiting | null {
    const queue = this.#queues.get(share) ?? []
    queue.push(waiting)
    this.#queues.set(share, queue)
    this.#moved(share, queue.length - 1, queue.length)
    return this.#size > this.#sizeMax ? this.#dropFromLongest(share) : null
  }

  /** Takes out whose turn it is. */
  next(): Waiting | undefined {
    const [turn] = this.#queues
    if (turn === undefined) return undefined
    const [share, queue] = turn
    const waiting = queue.shift()
    this.#moved(share, queue.length + 1, queue.length)
    this.#queues.delete(share)
    if (queue.length > 0) this.#queues.set(share, queue) // behind all others
    return waiting
  }

  /** Takes out who has given up waiting. */
  delete(share: string, waiting: Waiting): void {
    const queue = this.#queues.get(share)
    const at = queue?.indexOf(waiting) ?? -1
    if (queue === undefined || at === -1) return
    queue.splice(at, 1)
    this.#moved(share, queue.length + 1, queue.length)
    if (queue.length === 0) this.#queues.delete(share)
  }

  /** When shares have equally many, the one that has just come loses: those who wait already are nearer to their turn. */
  #dropFromLongest(newest: string): Waiting | null {
    const longest = this.#byLength.at(-1)!
    const share = longest.has(newest) ? newest : longest.values().next().value!
    const queue = this.#queues.get(share)!
    const dropped = queue.pop()!
    this.#moved(share, queue.length + 1, queue.length)
    if (queue.length === 0) this.#queues.delete(share)
    return dropped
  }

  #moved(share: string, from: number, to: number): void {
    this.#size += to - from
    this.#byLength[from]?.delete(share)
    if (to > 0) (this.#byLength[to] ??= new Set()).add(share)
    while (this.#byLength.length > 0 && !this.#byLength.at(-1)?.size) this.#byLength.pop()
  }
}
