import type { Socket } from 'node:net'
import type { CloseReason } from '../hub/encoding.ts'
import type { Subscription } from '../hub/subscription.ts'
import { LINGER_MS, StreamSink } from '../sockets/stream-sink.ts'
import { ClientFrames, FrameError, type ControlFrame } from './client-frames.ts'
import { closeFrame, controlFrame, OPCODE } from './frame.ts'

/** A stream whose client may speak, too: it is answered, or told why the WebSocket is closed. */
export class WebSocketSink extends StreamSink {
  /** `null` until the client speaks: most never do. */
  #frames: ClientFrames | null = null
  /** `told`: our close frame has gone out, and the client's is awaited. `over`: nothing is awaited any more. */
  #state: 'open' | 'told' | 'over' = 'open'

  constructor(socket: Socket) {
    super(socket, null)
  }

  /** The connection stays until the client has answered, but not for long (RFC 6455 §7.1.1). */
  override end(reason: CloseReason, farewell: Uint8Array): void {
    this.#state = 'told'
    if (reason === 'stalled') return super.end(reason, farewell)
    this.write(farewell)
    setTimeout(() => this.socket.destroy(), LINGER_MS).unref()
  }

  /** What the client sends. */
  receive(chunk: Buffer, subscription: Subscription): void {
    if (this.#state === 'over') return
    try {
      this.#frames ??= new ClientFrames()
      this.#answer(this.#frames.read(chunk), subscription)
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      this.#close(closeFrame(error.closeCode, error.message), subscription)
    }
  }

  #answer(frames: readonly ControlFrame[], subscription: Subscription): void {
    const close = frames.find(({ opcode }) => opcode === OPCODE.close)
    if (close !== undefined) {
      const code = close.payload.subarray(0, 2) // without the reason, which is the client's own
      return this.#close(controlFrame(OPCODE.close, code), subscription)
    }
    // The newest alone may be answered (RFC 6455 §5.5.3), so that whoever never reads gets no endless queue.
    const ping = frames.findLast(({ opcode }) => opcode === OPCODE.ping)
    const isReading = this.queuedBytes < PONG_QUEUE_BYTES_MAX
    if (ping === undefined || this.#state !== 'open' || !isReading) return
    this.write(controlFrame(OPCODE.pong, ping.payload))
    subscription.written()
  }

  /** Half-closes behind our close frame, of which there is one. */
  #close(farewell: Buffer, subscription: Subscription): void {
    if (this.#state === 'open') {
      subscription.close()
      super.end('unsubscribed', farewell)
    } else this.socket.end()
    this.#state = 'over'
  }
}

/** With more than this still to be sent a ping is not answered, in bytes. */
const PONG_QUEUE_BYTES_MAX = 16_384
