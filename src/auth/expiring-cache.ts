/** Keeps at most `entriesMax` values, each for its own time; the oldest give way. */
export class ExpiringCache<Value> {
  readonly #entries = new Map<string, { readonly value: Value; readonly untilMs: number }>()
  readonly #entriesMax: number

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax
  }

  get(key: string): Value | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.untilMs > performance.now()) return entry?.value
    this.#entries.delete(key)
    return undefined
  }

  set(key: string, value: Value, keptMs: number): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, untilMs: performance.now() + keptMs })
    if (this.#entries.size > this.#entriesMax)
      this.#entries.delete(this.#entries.keys().next().value!)
  }
}
