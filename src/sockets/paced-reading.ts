import type { Socket } from 'node:net'

/**
 * Reads from many sockets no faster, all in all, than so many bytes in each round: those that have waited longest come
 * first, and where few wait each gets more. Held by `test/sockets/paced-reading.test.ts`.
 */
export class PacedReading {
  readonly #roundMs: number
  readonly #roundBytes: number
  readonly #waiting = new Set<PacedSocket>()
  #rounds: NodeJS.Timeout | null = null

  constructor({ roundMs, roundBytes }: { readonly roundMs: number; readonly roundBytes: number }) {
    this.#roundMs = roundMs
    this.#roundBytes = roundBytes
  }

  /** What is returned is to be told of every piece that was read. */
  of(socket: Socket): (bytes: number) => void {
    const paced: PacedSocket = { socket, leftBytes: TURN_BYTES }
    return (bytes) => {
      paced.leftBytes -= bytes
      if (paced.leftBytes <= 0) this.#wait(paced)
    }
  }

  #wait(paced: PacedSocket): void {
    paced.socket.pause()
    this.#waiting.add(paced)
    this.#rounds ??= setInterval(() => this.#round(), this.#roundMs).unref()
  }

  #round(): void {
    const shareBytes = Math.max(TURN_BYTES, this.#roundBytes / this.#waiting.size)
    let leftBytes = this.#roundBytes
    for (const paced of this.#waiting) {
      if (leftBytes <= 0) return
      this.#waiting.delete(paced)
      if (paced.socket.destroyed) continue
      leftBytes -= shareBytes
      paced.leftBytes = shareBytes
      paced.socket.resume()
    }
    if (this.#rounds !== null) clearInterval(this.#rounds)
    this.#rounds = null
  }
}

interface PacedSocket {
  readonly socket: Socket
  /** What is left of its turn. */
  leftBytes: number
}

/** What one socket may read at least, once it is its turn: less than that costs more calls than bytes. */
const TURN_BYTES = 131_072
