import type { StateChange, StateEntry, StateStore } from '../../hub/state-store.ts'

/** Kept in this process, gone with it. */
export class MemoryStateStore implements StateStore {
  readonly #now: () => number
  readonly #spaces = new Map<string, Map<string, Kept>>()

  /** `now`: in ms since the Unix epoch. */
  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  get(space: string, key: string): Promise<Uint8Array | null> {
    const kept = this.#spaces.get(space)?.get(key)
    return Promise.resolve(kept !== undefined && this.#isShown(kept) ? kept.value : null)
  }

  apply(changes: readonly StateChange[]): Promise<void> {
    this.change(changes)
    return Promise.resolve()
  }

  /** As `apply`, for whoever stores something else in the same moment. */
  change(changes: readonly StateChange[]): void {
    for (const { space, key, value, expiresAtMs = Infinity } of changes) {
      const entries = this.#spaces.get(space) ?? new Map<string, Kept>()
      this.#spaces.set(space, entries)
      if (value === null) entries.delete(key)
      else entries.set(key, { value: Uint8Array.from(value), expiresAtMs })
    }
  }

  async *entries(space: string): AsyncGenerator<StateEntry> {
    const entries = this.#spaces.get(space) ?? new Map<string, Kept>()
    const keys = [...entries.keys()].toSorted((a, b) =>
      Buffer.compare(Buffer.from(a), Buffer.from(b)),
    )
    for (const key of keys) {
      const kept = entries.get(key)
      if (kept === undefined) continue
      if (this.#isShown(kept)) yield { key, value: kept.value }
      else entries.delete(key)
    }
  }

  #isShown({ expiresAtMs }: Kept): boolean {
    return expiresAtMs > this.#now()
  }
}

interface Kept {
  readonly value: Uint8Array
  readonly expiresAtMs: number
}
