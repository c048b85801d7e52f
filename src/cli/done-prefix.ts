/** Things that are done in any order, and how far all before are done. */
export class DonePrefix {
  readonly #onMove: (cursor: string) => void
  readonly #entries: Entry[] = []

  /** Told the place behind which something is still to be done. */
  constructor(onMove: (cursor: string) => void) {
    this.#onMove = onMove
  }

  /** Not done yet. */
  get length(): number {
    return this.#entries.length
  }

  /** The next thing; call what is returned when it is done. `cursor`: its place, `null`: none to go on behind. */
  begin(cursor: string | null): () => void {
    const entry = { cursor, isDone: false }
    this.#entries.push(entry)
    return () => {
      entry.isDone = true
      this.#settle()
    }
  }

  #settle(): void {
    let done = 0
    let cursor: string | null = null
    for (const entry of this.#entries) {
      if (!entry.isDone) break
      done++
      cursor = entry.cursor ?? cursor
    }
    this.#entries.splice(0, done)
    if (cursor !== null) this.#onMove(cursor)
  }
}

interface Entry {
  readonly cursor: string | null
  isDone: boolean
}
