/**
 * Records of a few whole numbers each, by number, outside of the garbage collector's reach: a million small objects held it up
 * for 200 ms at a time. The memory goes back piece by piece as records are freed.
 */
export class RecordPool {
  readonly #fields: number
  #pieces: Int32Array[] = []
  /** How many records of each piece are taken. */
  readonly #taken: number[] = []
  /** The first free record of each piece, which holds the next one; -1: none. */
  readonly #free: number[] = []
  /** Pieces with a free record; perhaps some that are full again, or gone. */
  readonly #open: number[] = []
  #size = 0

  /** `fields`: numbers in a record, each of 32 bits. */
  constructor(fields: number) {
    this.#fields = fields
  }

  /** Records that are taken. */
  get size(): number {
    return this.#size
  }

  get(record: number, field: number): number {
    return this.#pieces[record >>> PIECE_BITS]![(record & MASK) * this.#fields + field]!
  }

  set(record: number, field: number, value: number): void {
    this.#pieces[record >>> PIECE_BITS]![(record & MASK) * this.#fields + field] = value
  }

  /** A record of zeros. */
  take(): number {
    let piece = this.#open.at(-1)
    while (piece !== undefined && (this.#free[piece] ?? -1) < 0) {
      this.#open.pop()
      piece = this.#open.at(-1)
    }
    piece ??= this.#begin()
    const at = this.#free[piece]!
    const record = (piece << PIECE_BITS) | at
    this.#free[piece] = this.get(record, 0)
    this.set(record, 0, 0)
    this.#taken[piece]!++
    this.#size++
    return record
  }

  free(record: number): void {
    const piece = record >>> PIECE_BITS
    this.#size--
    if (--this.#taken[piece]! === 0) {
      this.#pieces[piece] = GONE
      this.#free[piece] = -1
      return
    }
    for (let field = 1; field < this.#fields; field++) this.set(record, field, 0)
    this.set(record, 0, this.#free[piece]!)
    if (this.#free[piece] === -1) this.#open.push(piece)
    this.#free[piece] = record & MASK
  }

  #begin(): number {
    const records = new Int32Array(this.#fields * (MASK + 1))
    for (let at = 0; at <= MASK; at++) records[at * this.#fields] = at === MASK ? -1 : at + 1
    const gone = this.#pieces.indexOf(GONE)
    const piece = gone === -1 ? this.#pieces.length : gone
    this.#pieces[piece] = records
    this.#taken[piece] = 0
    this.#free[piece] = 0
    this.#open.push(piece)
    return piece
  }
}

/** The bits of a record's number that say where it is in its piece: 4,096 records. */
const PIECE_BITS = 12
const MASK = 2 ** PIECE_BITS - 1

const GONE = new Int32Array(0)
