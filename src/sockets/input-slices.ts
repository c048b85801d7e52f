import type { Socket } from 'node:net'
import { inLaterTurn, isTurnSpent } from '../ops/turn-budget.ts'

export interface SlicedReader {
  /** Where the first slice of these bytes ends: what is in it may cost a millisecond or two. */
  readonly endOfSlice: (bytes: Buffer) => number
  readonly take: (slice: Buffer) => void
  /** Whether what the socket brings is still for `take`. */
  readonly isReading: () => boolean
  /** Whether `take` must not be called until the reader itself has resumed the socket, whoever else resumes it. */
  readonly isPaused?: () => boolean
}

/** The name of the listener to `data`, by which `leaveHttp` finds it. */
export const SLICED_LISTENER = 'slicedOnData'

/**
 * Hands what a socket brings to its reader slice by slice. A socket has its first slices at once, as long as the turn of
 * the event loop has something left for it, and further ones in later turns, in a row with all other sockets that wait. What
 * waits is put back into the socket, which is paused: so it stays in front of what comes later, the end included, and goes
 * to whoever takes the socket over. Held by `test/sockets/input-slices.test.ts`.
 */
export class InputSlices {
  readonly #socket: Socket
  readonly #reader: SlicedReader
  readonly #listener: (chunk: Buffer) => void
  #state: 'open' | 'waiting' | 'called' = 'open'
  #rest: Buffer = NOTHING

  constructor(socket: Socket, reader: SlicedReader) {
    this.#socket = socket
    this.#reader = reader
    const slicedOnData = (chunk: Buffer) => this.#onData(chunk)
    this.#listener = slicedOnData
    socket.on('data', slicedOnData)
  }

  /** Bytes that were read already, in front of all that comes: when `take` may not be called now. */
  putBack(bytes: Buffer): void {
    if (bytes.length === 0) return
    // Whoever has paused it resumes it, and it waits for nothing else.
    const isPausedByOthers = this.#isPaused
    this.#socket.pause()
    this.#socket.unshift(bytes)
    if (!isPausedByOthers) this.#wait()
  }

  /** For a reader that hands the socket on: what of this chunk it has not been given. */
  takeRest(): Buffer {
    const rest = this.#rest
    this.#rest = NOTHING
    return rest
  }

  get #isPaused(): boolean {
    return this.#socket.isPaused() || this.#isReaderPaused
  }

  get #isReaderPaused(): boolean {
    return this.#reader.isPaused?.() === true
  }

  #onData(chunk: Buffer): void {
    if (this.#isReaderPaused) return this.putBack(chunk)
    if (this.#state === 'waiting' || (this.#state === 'open' && isTurnSpent())) {
      // It was resumed by others: those who wait for longer come first.
      this.#socket.pause()
      this.#socket.unshift(chunk)
      if (this.#state === 'open') this.#wait()
      return
    }
    this.#state = 'open'
    if (this.#reader.endOfSlice(chunk) >= chunk.length) {
      // Most chunks are one slice. To make no others of them, and not to look at the clock, saves a tenth of a short message.
      this.#reader.take(chunk)
      if (!this.#reader.isReading()) this.#leave()
      return
    }
    this.#rest = chunk
    const untilMs = performance.now() + SHARE_MS
    do {
      const slice = this.#rest.subarray(0, this.#reader.endOfSlice(this.#rest))
      this.#rest = this.#rest.subarray(slice.length)
      this.#reader.take(slice)
      if (!this.#reader.isReading()) return this.#leave()
    } while (this.#rest.length > 0 && !this.#isPaused && performance.now() < untilMs)
    this.putBack(this.takeRest())
  }

  #wait(): void {
    this.#state = 'waiting'
    inLaterTurn(() => {
      this.#state = 'called'
      if (this.#reader.isReading()) this.#socket.resume()
    })
  }

  /** The socket is not its reader's any more: somebody else reads on. */
  #leave(): void {
    this.#socket.off('data', this.#listener)
    const rest = this.takeRest()
    if (rest.length > 0) this.#socket.unshift(rest)
  }
}

const NOTHING = Buffer.alloc(0)

/** How long one socket may be served before others have their turn, in ms, when its slices are short. */
const SHARE_MS = 1
