import type { Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'
import type { CloseReason, Sink } from '../hub/encoding.ts'
import {
  directHandleOf,
  writeDirectly,
  type DirectHandle,
  type DirectWriter,
} from './direct-write.ts'

/** A stream's bytes go straight to its socket: what Node's HTTP layer would do for each chunk has been done for all. */
export class StreamSink implements Sink, DirectWriter {
  protected readonly socket: Socket
  readonly #endUnopened: ((reason: CloseReason) => void) | null
  /** `null`: the socket is written to in the ordinary way. */
  readonly #handle: DirectHandle | null
  /** Of the one write under way beside the socket's own queue, which begins behind it. */
  #directBytes = 0
  /** The socket does not know that it owes a `drain`. */
  #owesDrain = false

  /** `endUnopened` answers a request whose stream ends before anything of it was sent, if that can be. */
  constructor(socket: Socket, endUnopened: ((reason: CloseReason) => void) | null) {
    this.socket = socket
    this.#endUnopened = endUnopened
    this.#handle = directHandleOf(socket)
  }

  write(batch: Uint8Array): boolean {
    const socket = this.socket
    const handle = this.#handle
    if (handle !== null && this.queuedBytes === 0 && socket.writableCorked === 0) {
      const outcome = writeDirectly(handle, batch, this)
      if (outcome === 'sent') return true
      if (outcome === 'queued') {
        this.#directBytes = batch.length
        return this.#tellFull()
      }
      // The socket meets the same error, and deals with it.
    }
    return socket.write(batch) && this.#tellFull()
  }

  /** A direct write, at last. */
  written(status: number): void {
    const socket = this.socket
    this.#directBytes = 0
    if (status < 0) socket.destroy(new Error(`write ${getSystemErrorName(status)}`))
    else if (this.#owesDrain) {
      this.#owesDrain = false
      // With more than that in its own queue it has said so, and will drain by itself.
      if (socket.writableLength < socket.writableHighWaterMark) socket.emit('drain')
    }
  }

  get queuedBytes(): number {
    return this.#directBytes + this.socket.writableLength
  }

  /**
   * Node's own counts stand still while one write of many bytes is under way, so a slow but steady reader would look
   * stalled. How much of it the kernel has taken only the handle knows, as Node's own time-outs ask it.
   */
  get takenBytes(): number {
    const { _bytesDispatched: dispatched, _handle: handle } = this.socket as SocketInsides
    if (typeof dispatched === 'number' && typeof handle?.writeQueueSize === 'number')
      return dispatched - handle.writeQueueSize
    return this.socket.bytesWritten - this.queuedBytes
  }

  /**
   * What is queued still goes out, to a peer that reads it soon.
   */
  end(reason: CloseReason, farewell: Uint8Array | null): void {
    const socket = this.socket
    if (farewell === null) return this.#endUnopened?.(reason)
    socket.end(farewell)
    if (reason === 'stalled') socket.destroy()
    else setTimeout(() => socket.destroy(), LINGER_MS).unref()
  }

  /** As Node's own streams do it: false from so many bytes on. */
  #tellFull(): boolean {
    if (this.#directBytes === 0 || this.queuedBytes < this.socket.writableHighWaterMark) return true
    this.#owesDrain = true
    return false
  }
}

type SocketInsides = Socket & {
  readonly _bytesDispatched?: unknown
  readonly _handle?: { readonly writeQueueSize?: unknown } | null
}

/** How long a closed stream may take to read its last bytes, in ms. PyPubSub's readers are gone after 9 s at the latest. */
export const LINGER_MS = 5_000
