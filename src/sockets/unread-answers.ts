import type { Socket } from 'node:net'
import { connectionOf } from './connection.ts'
import { takenBytesOf } from './stream-sink.ts'

/**
 * Closes connections whose peer takes nothing of its answers for a time: Node has no clock for those, so that whoever asks and
 * never reads would keep its connection, and all that waits to be sent, for ever. Streams are looked after by the hub. Held by
 * `test/sockets/unread-answers.test.ts`.
 */
export class UnreadAnswers {
  readonly #stallTimeoutMs: number
  /** What each had taken when it was looked at. */
  readonly #taken = new Map<Socket, number>()
  #timer: NodeJS.Timeout | null = null

  /** A peer that takes no byte for this long is closed, and for twice as long at most. */
  constructor(stallTimeoutMs: number) {
    this.#stallTimeoutMs = stallTimeoutMs
  }

  /** It is to get an answer that may wait for it. */
  watch(socket: Socket): void {
    if (this.#taken.has(socket)) return
    this.#taken.set(socket, -1)
    this.#timer ??= setInterval(() => this.#look(), this.#stallTimeoutMs).unref()
  }

  #look(): void {
    for (const [socket, before] of this.#taken) {
      const taken = takenBytesOf(socket)
      const isOver =
        socket.destroyed || socket.writableLength === 0 || connectionOf(socket).stream !== null
      if (isOver) this.#taken.delete(socket)
      else if (taken !== before) this.#taken.set(socket, taken)
      else {
        this.#taken.delete(socket)
        socket.destroy()
      }
    }
    if (this.#taken.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }
}
