/**
 * A map that never grows in one long step: a `Map` of a million entries that grows by one copies all of them, which took
 * 77 ms. What does not fit into the first one goes to one of many others, chosen by a hash that peers cannot foresee.
 */
export class SegmentedMap<K, V> {
  readonly #hashOf: (key: K) => number
  readonly #first = new Map<K, V>()
  #others: Map<K, V>[] | null = null
  #othersSize = 0

  constructor(hashOf: (key: K) => number) {
    this.#hashOf = hashOf
  }

  get size(): number {
    return this.#first.size + this.#othersSize
  }

  get(key: K): V | undefined {
    const value = this.#first.get(key)
    return value !== undefined || this.#others === null ? value : this.#otherOf(key).get(key)
  }

  /** The key must not be there yet. */
  add(key: K, value: V): void {
    if (this.#first.size < FIRST_SIZE_MAX) {
      this.#first.set(key, value)
      return
    }
    this.#others ??= Array.from({ length: OTHERS }, () => new Map())
    this.#otherOf(key).set(key, value)
    this.#othersSize++
  }

  /** The key must be there. */
  delete(key: K): void {
    if (this.#first.delete(key)) return
    this.#otherOf(key).delete(key)
    if (--this.#othersSize === 0) this.#others = null
  }

  *values(): IterableIterator<V> {
    yield* this.#first.values()
    for (const other of this.#others ?? []) yield* other.values()
  }

  #otherOf(key: K): Map<K, V> {
    return this.#others![(this.#hashOf(key) >>> 0) % OTHERS]!
  }
}

/** Differs from process to process. */
export function hashOfText(text: string): number {
  let hash = SEED
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), MULTIPLIER)
  return hash ^ (hash >>> 15)
}

const SEED = Math.floor(Math.random() * 2 ** 32)
const MULTIPLIER = 0x01000193 // of FNV-1a

/** Half of what fits before a `Map` grows to 262,144, which took 13 ms. */
const FIRST_SIZE_MAX = 98_304

const OTHERS = 256
