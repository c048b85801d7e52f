import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** A protocol on the HTTP port: its requests are whatever comes to paths below `/-/` and its name. */
export interface MountedDoor {
  /** Answers; `path` is what stands behind its name, as requested. `address`: the peer's, or that of a proxy which is trusted. Rejects on a bug only. */
  request(
    incoming: IncomingMessage,
    response: ServerResponse,
    peer: { readonly path: string; readonly address: string | null },
  ): Promise<void>
  /** The same for a WebSocket's handshake. The socket is its own from now on; `head` came behind the handshake. */
  upgrade(
    incoming: IncomingMessage,
    socket: Duplex,
    peer: { readonly path: string; readonly address: string | null; readonly head: Buffer },
  ): void
}
