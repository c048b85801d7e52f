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
  readonly #watched = new Map<Socket, Watched>()
  #timer: NodeJS.Timeout | null = null

  /** A peer that takes no byte for this long is closed, and for twice as long at most. */
  constructor(stallTimeoutMs: number) {
    this.#stallTimeoutMs = stallTimeoutMs
  }

  /** It is to get an answer that may wait for it. */
  watch(socket: Socket): void {
    if (this.#watched.has(socket)) return
    const forget = () => this.#forget(socket)
    socket.on('close', forget) // else what has gone would be kept until the next look
    this.#watched.set(socket, { takenBytes: -1, forget })
    this.#timer ??= setInterval(() => this.#look(), this.#stallTimeoutMs).unref()
  }

  #look(): void {
    for (const [socket, watched] of this.#watched) {
      const takenBytes = takenBytesOf(socket)
      const isOver = socket.writableLength === 0 || connectionOf(socket).stream !== null
      if (isOver) this.#forget(socket)
      else if (takenBytes === watched.takenBytes) socket.destroy()
      else watched.takenBytes = takenBytes
    }
  }

  #forget(socket: Socket): void {
    socket.off('close', this.#watched.get(socket)!.forget)
    this.#watched.delete(socket)
    if (this.#watched.size > 0) return
    clearInterval(this.#timer!)
    this.#timer = null
  }
}

interface Watched {
  /** What it had taken when it was looked at. */
  takenBytes: number
  readonly forget: () => void
}
