/**
 * The memory that notifications have while they come and until they are stored, of all connections together. When it is full, who has stood still
 * for the longest among those of the address with the most gives up, so that neither a crowd that stalls nor a great one that goes on
 * takes it from everybody else. Held by `test/protocols/lonelyps/message-memory.test.ts`.
 */
export class MessageMemory {
  readonly #bytesMax: number
  readonly #shares = new Map<string, Share>()
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /** `share`: whose it is, such as an address. `giveUp`: called once at most; what is held is free by then. */
  open(share: string, giveUp: () => void): HeldMemory {
    const holder = { share, bytes: 0, giveUp }
    return {
      hold: (bytes) => this.#hold(holder, bytes),
      [Symbol.dispose]: () => this.#hold(holder, 0),
    }
  }

  #hold(holder: Holder, bytes: number): void {
    this.#take(holder, bytes)
    while (this.#bytes > this.#bytesMax) {
      const victim = this.#victim()
      this.#take(victim, 0)
      victim.giveUp()
    }
  }

  #take(holder: Holder, bytes: number): void {
    const share = this.#shares.get(holder.share) ?? { bytes: 0, holders: new Set<Holder>() }
    share.holders.delete(holder)
    if (bytes > 0) share.holders.add(holder)
    share.bytes += bytes - holder.bytes
    this.#bytes += bytes - holder.bytes
    holder.bytes = bytes
    if (share.holders.size > 0) this.#shares.set(holder.share, share)
    else this.#shares.delete(holder.share)
  }

  #victim(): Holder {
    let greatest: Share | null = null
    for (const share of this.#shares.values())
      if (greatest === null || share.bytes > greatest.bytes) greatest = share
    const [oldest] = greatest!.holders
    return oldest!
  }
}

export interface HeldMemory extends Disposable {
  /** So many bytes from now on; it has moved on. Its own `giveUp` may be called meanwhile. */
  hold(bytes: number): void
}

interface Holder {
  readonly share: string
  bytes: number
  readonly giveUp: () => void
}

interface Share {
  bytes: number
  /** Who has not moved on for the longest first. */
  readonly holders: Set<Holder>
}
