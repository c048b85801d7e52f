import type { Socket } from 'node:net'
import type { CloseReason, Sink } from '../hub/encoding.ts'
import { descriptorOf, directSend } from './direct-send.ts'

/** A stream's bytes go straight to its socket: what Node's HTTP layer would do for each chunk has been done for all. */
export class StreamSink implements Sink {
  protected readonly socket: Socket
  readonly #endUnopened: ((reason: CloseReason) => void) | null
  readonly #descriptor: number

  /** `endUnopened` answers a request whose stream ends before anything of it was sent, if that can be. */
  constructor(socket: Socket, endUnopened: ((reason: CloseReason) => void) | null) {
    this.socket = socket
    this.#endUnopened = endUnopened
    this.#descriptor = descriptorOf(socket)
  }

  write(batch: Uint8Array): boolean {
    const { descriptor } = this
    // What the kernel does not take, for now or for ever, the socket meets again, and deals with it.
    const sentBytes = descriptor < 0 ? 0 : Math.max(directSend(descriptor, batch), 0)
    if (sentBytes === batch.length) return true
    return this.socket.write(sentBytes === 0 ? batch : batch.subarray(sentBytes))
  }

  /** The file descriptor that bytes may be sent to around the socket, until it is written to; -1: none may be now. */
  get descriptor(): number {
    const { socket } = this
    // Nothing may overtake what is queued, or follow the end; a descriptor that is closed may be another connection's.
    const isIdle = socket.writableLength === 0 && socket.writableCorked === 0 && socket.writable
    return isIdle ? this.#descriptor : -1
  }

  get queuedBytes(): number {
    return this.socket.writableLength
  }

  get takenBytes(): number {
    return takenBytesOf(this.socket)
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

  destroy(): void {
    this.socket.destroy()
  }
}

/**
 * How many bytes the kernel has taken for a peer. Node's own counts stand still while one write of many bytes is under way, so a
 * slow but steady reader would look stalled. How much of it has gone only the handle knows, as Node's own time-outs ask it.
 */
export function takenBytesOf(socket: Socket): number {
  const { _bytesDispatched: dispatched, _handle: handle } = socket as SocketInsides
  if (typeof dispatched === 'number' && typeof handle?.writeQueueSize === 'number')
    return dispatched - handle.writeQueueSize
  return socket.bytesWritten - socket.writableLength
}

type SocketInsides = Socket & {
  readonly _bytesDispatched?: unknown
  readonly _handle?: { readonly writeQueueSize?: unknown } | null
}

/** How long a closed stream may take to read its last bytes, in ms. PyPubSub's readers are gone after 9 s at the latest. */
export const LINGER_MS = 5_000
