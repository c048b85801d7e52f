import type { Socket } from 'node:net'
import process from 'node:process'

/** Who has written and is told when the kernel has taken the rest. */
export interface DirectWriter {
  /** `status`: 0, or libuv's negative error number. */
  written(status: number): void
}

/** What stands below a TCP socket of Node. */
export interface DirectHandle {
  /** libuv's error number, or 0: then what the kernel did not take at once is kept, and its request is told. */
  writeBuffer(request: object, bytes: Uint8Array): number
}

/**
 * What is below a socket, so that bytes can go to the kernel without Node's `Writable` and without a request object for
 * each write: 8 to 9 % of the CPU of a fan-out. Node has no public way to do it. `null` where its insides are not what is
 * known here, and for TLS, whose writes never end at once: such a socket is written to in the ordinary way.
 */
export function directHandleOf(socket: Socket): DirectHandle | null {
  // Node's writes put a time-out off, these would not.
  if (insides === null || (socket.timeout ?? 0) > 0) return null
  const { _handle: handle } = socket as Socket & { readonly _handle?: unknown }
  return handle instanceof insides.TCP ? (handle as DirectHandle) : null
}

/** Nothing may be queued in the socket itself, which these bytes would overtake; they are not to change afterwards. */
export function writeDirectly(
  handle: DirectHandle,
  bytes: Uint8Array,
  writer: DirectWriter,
): 'sent' | 'queued' | 'refused' {
  const { WriteWrap, streamBaseState, kLastWriteWasAsync } = insides!
  const request = (spare ??= new WriteWrap())
  if (handle.writeBuffer(request, bytes) !== 0) return 'refused'
  if (streamBaseState[kLastWriteWasAsync] === 0) return 'sent'
  // Only now it belongs to this write. As in Node, it keeps alive what is under way.
  spare = null
  request.handle = handle
  request.buffer = bytes
  request.writer = writer
  request.oncomplete = onComplete
  return 'queued'
}

function onComplete(this: WriteRequest, status: number): void {
  this.writer!.written(status)
}

/** A write that ends at once leaves no trace in its request, so the next one takes it again. */
let spare: WriteRequest | null = null

/** Fields as in Node's lib/internal/stream_base_commons.js, createWriteWrap, and `writer`. */
interface WriteRequest {
  handle?: DirectHandle
  buffer?: Uint8Array
  writer?: DirectWriter
  oncomplete?: (this: WriteRequest, status: number) => void
}

interface Insides {
  readonly TCP: new () => object
  readonly WriteWrap: new () => WriteRequest
  /** What the last write came to; `kLastWriteWasAsync` is the place in it. */
  readonly streamBaseState: Int32Array
  readonly kLastWriteWasAsync: number
}

const insides = insidesOfNode()

function insidesOfNode(): Insides | null {
  try {
    const { binding } = process as unknown as {
      binding(this: void, name: string): Partial<Insides>
    }
    const { TCP } = binding('tcp_wrap')
    const { WriteWrap, streamBaseState, kLastWriteWasAsync } = binding('stream_wrap')
    if (typeof TCP !== 'function' || typeof WriteWrap !== 'function') return null
    if (typeof TCP.prototype.writeBuffer !== 'function') return null
    if (!(streamBaseState instanceof Int32Array)) return null
    if (kLastWriteWasAsync === undefined || !(kLastWriteWasAsync in streamBaseState)) return null
    return { TCP, WriteWrap, streamBaseState, kLastWriteWasAsync }
  } catch {
    return null // there is no such thing
  }
}
