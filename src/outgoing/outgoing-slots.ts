/** Hands out a number of slots, at most so many of them to one host. Hosts that wait take turns. */
export class OutgoingSlots {
  readonly #slotsMax: number
  readonly #slotsPerHostMax: number
  readonly #hosts = new Map<string, Host>()
  #taken = 0

  constructor(slotsMax: number, slotsPerHostMax: number) {
    this.#slotsMax = slotsMax
    this.#slotsPerHostMax = slotsPerHostMax
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
    const host = this.#hosts.get(name) ?? { taken: 0, waiting: new Set() }
    this.#hosts.set(name, host)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const giveUp = () => {
      host.waiting.delete(resolve)
      this.#forget(name, host)
      reject(signal.reason)
    }
    signal.addEventListener('abort', giveUp)
    host.waiting.add(resolve)
    this.#grant()
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  release(name: string): void {
    const host = this.#hosts.get(name)!
    host.taken--
    this.#taken--
    this.#forget(name, host)
    this.#grant()
  }

  #grant(): void {
    for (const [name, host] of this.#hosts) {
      if (this.#taken === this.#slotsMax) return
      const [next] = host.waiting
      if (next === undefined || host.taken === this.#slotsPerHostMax) continue
      host.waiting.delete(next)
      host.taken++
      this.#taken++
      // To the end of the line; the loop comes to it again.
      this.#hosts.delete(name)
      this.#hosts.set(name, host)
      next()
    }
  }

  #forget(name: string, host: Host): void {
    if (host.taken === 0 && host.waiting.size === 0) this.#hosts.delete(name)
  }
}

interface Host {
  taken: number
  readonly waiting: Set<() => void>
}
