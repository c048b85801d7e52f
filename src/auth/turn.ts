/** How an attempt may go on. */
export type Admission =
  /** To be judged now. `hasTurn`: no other one of its name and address is judged beside it. */
  | { readonly type: 'admitted'; readonly hasTurn: boolean }
  /** Its turn would come too late, or a newer attempt has it: it is not judged. */
  | { readonly type: 'postponed' }

/** A time at which one attempt is judged: of those who wait for it the one of the least rank, and of equal ones the newest. */
export class Turn {
  readonly atMs: number
  #rank = Infinity
  #holder: ((admission: Admission) => void) | null = null

  constructor(atMs: number) {
    this.atMs = atMs
  }

  /** The rank of the attempt that has the turn. */
  get rank(): number {
    return this.#rank
  }

  /** From now on it is the caller's, and whoever had it is postponed at once. */
  taken(rank: number): Promise<Admission> {
    this.#rank = rank
    this.#holder?.({ type: 'postponed' })
    return new Promise((resolve) => {
      this.#holder = resolve
    })
  }

  come(): void {
    this.#holder?.({ type: 'admitted', hasTurn: true })
  }
}
