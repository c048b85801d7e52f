/**
 * Hands out a number of slots. A target may hold one, and further ones only as long as at least as many are left free for all
 * others: so whoever holds its slots for long has half of them at most, and leaves some to the next one. Targets that wait take turns.
 */
export class OutgoingSlots {
  readonly #slotsMax: number
  readonly #targets = new Map<string, Target>()
  #taken = 0

  constructor(slotsMax: number) {
    this.#slotsMax = slotsMax
  }

  get taken(): number {
    return this.#taken
  }

  /**
   * Waits for a slot; whoever gets one gives it back by `release`.
   * @throws the signal's reason; there is nothing to give back then.
   */
  async take(name: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const target = this.#targets.get(name) ?? { taken: 0, waiting: new Set() }
    this.#targets.set(name, target)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const giveUp = () => {
      target.waiting.delete(resolve)
      this.#forget(name, target)
      reject(signal.reason)
    }
    signal.addEventListener('abort', giveUp)
    target.waiting.add(resolve)
    this.#grant()
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  release(name: string): void {
    const target = this.#targets.get(name)!
    target.taken--
    this.#taken--
    this.#forget(name, target)
    this.#grant()
  }

  #grant(): void {
    // To the end of the line with whoever has got one; the loop comes to it again.
    for (const [name, target] of this.#targets) {
      const free = this.#slotsMax - this.#taken
      if (free === 0) return
      const [next] = target.waiting
      if (next === undefined || (target.taken > 0 && target.taken >= free)) continue
      target.waiting.delete(next)
      target.taken++
      this.#taken++
      this.#targets.delete(name)
      this.#targets.set(name, target)
      next()
    }
  }

  #forget(name: string, target: Target): void {
    if (target.taken === 0 && target.waiting.size === 0) this.#targets.delete(name)
  }
}

interface Target {
  taken: number
  readonly waiting: Set<() => void>
}
