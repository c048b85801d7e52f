import type { Socket } from 'node:net'

/** Never waits. How many of the bytes have been taken; negative: none could be. */
export type DirectSend = (descriptor: number, bytes: Uint8Array) => number

/**
 * The kernel's `send`, called for a fan-out: everything that Node and libuv keep of a socket is passed by, which at low
 * rates, when nothing of it is in the processor's cache, costs more than the call. Node has no way to do it; where the
 * library that has is not there, or the kernel is not Linux, sockets are written to in the ordinary way.
 */
const kernelSend = process.platform === 'linux' ? await load() : null

export const directSend: DirectSend = (descriptor, bytes) =>
  kernelSend?.(descriptor, bytes, bytes.length, FLAGS) ?? -1

/**
 * The file descriptor of a socket that bytes may be sent to around Node; -1: of none. Not of TLS, whose bytes are not those of
 * the kernel; nor where Node's insides are not what is known here, or are to count time-outs, which a write puts off.
 */
export function descriptorOf(socket: Socket): number {
  if (kernelSend === null || (socket.timeout ?? 0) > 0) return -1
  const { _handle: handle } = socket as Socket & { readonly _handle?: Handle | null }
  if (handle?.constructor.name !== 'TCP' || !Number.isInteger(handle.fd)) return -1
  return handle.fd as number
}

interface Handle {
  readonly fd?: unknown
}

/** MSG_DONTWAIT and MSG_NOSIGNAL (linux/socket.h): as Node has set up its sockets and signals anyway. */
const FLAGS = 0x40 | 0x4000

async function load(): Promise<Send | null> {
  try {
    const { default: koffi } = await import('koffi')
    const here = koffi.load(null)
    return here.func(
      'intptr_t send(int descriptor, const uint8_t *bytes, size_t length, int flags)',
    )
  } catch {
    return null // not installed, or not for this machine
  }
}

type Send = (descriptor: number, bytes: Uint8Array, length: number, flags: number) => number
