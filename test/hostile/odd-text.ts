import fc from 'fast-check'

/** A text as a recipe: it is short in print however long it is, and shrinks by its counts. */
export class OddText {
  readonly #parts: readonly (readonly [piece: string, times: number])[]

  constructor(parts: readonly (readonly [piece: string, times: number])[]) {
    this.#parts = parts.filter(([piece, times]) => piece !== '' && times > 0)
  }

  /** In full. */
  toString(): string {
    return this.#parts.map(([piece, times]) => piece.repeat(times)).join('')
  }

  get length(): number {
    return this.#parts.reduce((sum, [piece, times]) => sum + piece.length * times, 0)
  }

  /** `[["1",60000],"x"]` */
  toJSON(): unknown {
    return this.#parts.map(([piece, times]) => {
      const text = piece.length > 60 ? `${piece.slice(0, 60)}… (${piece.length})` : piece
      return times === 1 ? text : [text, times]
    })
  }
}

/**
 * Texts out of the pieces that mean something to a reader of such a text: some of them in front, some of them again and
 * again, often up to the whole length that is allowed, and some behind. That is what makes a reader slow that looks at
 * what it has seen before.
 */
export function oddText(pieces: readonly string[], lengthMax: number): fc.Arbitrary<OddText> {
  const few = (max: number) => fc.array(fc.constantFrom(...pieces), { maxLength: max })
  return fc
    .tuple(few(3), few(3), fc.integer({ min: 0, max: 2 * lengthMax }), few(3))
    .map(([before, again, times, behind]) => {
      const piece = again.join('')
      const ends = [...before, ...behind].join('').length
      // Half of the counts lie beyond what fits, and mean: as often as it fits.
      const fitting = Math.floor(Math.max(0, lengthMax - ends) / Math.max(1, piece.length))
      return new OddText([
        ...before.map((each) => [each, 1] as const),
        [piece, Math.min(times, fitting)],
        ...behind.map((each) => [each, 1] as const),
      ])
    })
}

/** The same piece again and again, in front of something else. */
export function repeated(piece: string, times: number, behind = ''): OddText {
  return new OddText([
    [piece, times],
    [behind, 1],
  ])
}
