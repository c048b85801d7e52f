/** Whether a character, given by its code point, is one that a step takes. */
export type Test = (codePoint: number) => boolean

/** A step of an automaton: takes one character, any number of them, or goes on in two places. */
export type Step =
  | { readonly type: 'one'; readonly test: Test }
  | { readonly type: 'many'; readonly test: Test }
  /** On with the next step, or behind the next three ones. Neither is a skip. */
  | { readonly type: 'skip' }

/** Steps that one skip leaves out. */
const SKIPPED = 3

const BITS = 32

/**
 * Follows all places of a pattern at once, as bits: a character costs a few instructions for each 32 steps, whatever the pattern
 * is. 64 KiB against 256 steps take some ms (test/hostile/lonelyps.test.ts).
 */
export class Automaton {
  readonly #steps: number
  readonly #words: number
  /** Places of the steps of each type. */
  readonly #one: Uint32Array
  readonly #many: Uint32Array
  readonly #skip: Uint32Array
  /** Code points at which the answer of some test may change, in ascending order, the first 0. */
  readonly #boundaries: readonly number[]
  /** For each interval between boundaries, the places whose tests take its characters. */
  readonly #taking: Uint32Array
  /** The intervals of ASCII. */
  readonly #intervals = new Uint16Array(128)

  /** `boundaries`: code points at which the answer of a test may change, in any order. */
  constructor(steps: readonly Step[], boundaries: Iterable<number>) {
    const words = Math.ceil((steps.length + 1) / BITS)
    this.#steps = steps.length
    this.#words = words
    this.#one = placesOf(steps, words, ({ type }) => type === 'one')
    this.#many = placesOf(steps, words, ({ type }) => type === 'many')
    this.#skip = placesOf(steps, words, ({ type }) => type === 'skip')
    this.#boundaries = [...new Set([0, ...boundaries])].toSorted((a, b) => a - b)
    this.#taking = new Uint32Array(this.#boundaries.length * words)
    for (const [at, codePoint] of this.#boundaries.entries())
      this.#taking.set(
        placesOf(steps, words, (step) => step.type !== 'skip' && step.test(codePoint)),
        at * words,
      )
    for (let codePoint = 0; codePoint < this.#intervals.length; codePoint++)
      this.#intervals[codePoint] = this.#search(codePoint)
  }

  accepts(text: string): boolean {
    const places = new Uint32Array(this.#words)
    places[0] = 1
    this.#goOn(places)
    for (let at = 0; at < text.length; at++) {
      const codePoint = text.codePointAt(at)!
      if (codePoint > 0xffff) at++
      if (!this.#take(places, codePoint)) return false
      this.#goOn(places)
    }
    return (places[this.#steps >>> 5]! & (1 << (this.#steps & 31))) !== 0
  }

  /** `false`: no step takes it. */
  #take(places: Uint32Array, codePoint: number): boolean {
    const interval =
      codePoint < this.#intervals.length ? this.#intervals[codePoint]! : this.#search(codePoint)
    const start = interval * this.#words
    let carry = 0
    let any = 0
    for (let word = 0; word < this.#words; word++) {
      const taken = places[word]! & this.#taking[start + word]!
      const passed = taken & this.#one[word]!
      const next = (passed << 1) | carry | (taken & this.#many[word]!)
      carry = passed >>> 31
      places[word] = next
      any |= next
    }
    return any !== 0
  }

  /** To where one may be without taking a character. No `many` is followed by another one, or by a skip. */
  #goOn(places: Uint32Array): void {
    let skipped = 0
    let passed = 0
    for (let word = 0; word < this.#words; word++) {
      const skips = places[word]! & this.#skip[word]!
      const reached =
        places[word]! |
        (skips << 1) |
        (skipped >>> 31) |
        (skips << (SKIPPED + 1)) |
        (skipped >>> (31 - SKIPPED))
      skipped = skips
      const many = reached & this.#many[word]!
      places[word] = reached | (many << 1) | (passed >>> 31)
      passed = many
    }
  }

  #search(codePoint: number): number {
    let low = 0
    let high = this.#boundaries.length
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if (this.#boundaries[middle]! <= codePoint) low = middle
      else high = middle
    }
    return low
  }
}

function placesOf(
  steps: readonly Step[],
  words: number,
  isOneOf: (step: Step) => boolean,
): Uint32Array {
  const places = new Uint32Array(words)
  for (const [at, step] of steps.entries())
    if (isOneOf(step)) places[at >>> 5] = places[at >>> 5]! | (1 << (at & 31))
  return places
}
