import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import type { AddressList } from '../../auth/address-list.ts'
import { clientAddress } from '../../auth/client-address.ts'
import { connectionOf } from '../../sockets/connection.ts'

/** Whose request it is. `null`: unknown; such a peer has no right that goes by address. */
export function peerAddress(request: IncomingMessage, trustedProxies: AddressList): string | null {
  const { socket, headers } = request
  const forwardedFor = headers['x-forwarded-for'] as string | undefined
  if (forwardedFor !== undefined)
    return clientAddress(socket.remoteAddress, forwardedFor, trustedProxies)
  const connection = connectionOf(socket)
  // A publisher's connection carries many requests, and an address takes 2 µs to parse.
  return (connection.address ??= clientAddress(socket.remoteAddress, undefined, trustedProxies))
}

export function isTls(request: IncomingMessage): boolean {
  return request.socket instanceof TLSSocket
}
