import type { Position } from './event.ts'

/** Bytes of one subscriber's own, each told while everything up to a position had been delivered to those who are live. In order. */
export class Asides {
  #bytes = 0
  readonly #waiting: (Aside | undefined)[] = []
  /** Those before it have been taken. */
  #first = 0

  get isEmpty(): boolean {
    return this.#first === this.#waiting.length
  }

  /** Of all that wait. */
  get bytes(): number {
    return this.#bytes
  }

  add(after: Position, bytes: Uint8Array): void {
    this.#waiting.push({ after, bytes })
    this.#bytes += bytes.length
  }

  /** What comes before the event at a position, and is taken by that. */
  takeBefore(position: Position): Uint8Array[] {
    const taken: Uint8Array[] = []
    for (;;) {
      const next = this.#waiting[this.#first]
      if (next === undefined || next.after >= position) return taken
      this.#waiting[this.#first++] = undefined
      this.#bytes -= next.bytes.length
      taken.push(next.bytes)
    }
  }
}

interface Aside {
  readonly after: Position
  readonly bytes: Uint8Array
}
