import { type AddressList, canonicalAddress } from './address-list.ts'

/**
 * Whose request it is: the socket's peer, or, where that is a trusted proxy, the last address in X-Forwarded-For that is
 * not one. Entries further left are what the client itself claimed.
 * `null`: unknown (garbage in the header of a trusted proxy); such a peer has no right that goes by address.
 */
export function clientAddress(
  socketAddress: string | undefined,
  xForwardedFor: string | undefined,
  trustedProxies: AddressList,
): string | null {
  let address = canonicalAddress(socketAddress ?? '')
  if (xForwardedFor === undefined) return address
  for (const entry of xForwardedFor.split(',').toReversed()) {
    if (address === null || !trustedProxies.includes(address)) return address
    address = canonicalAddress(withoutPort(entry.trim()))
  }
  return address
}

/** `1.2.3.4:567`, `[::1]:80` and `[::1]` lose their port and brackets. */
function withoutPort(entry: string): string {
  const [, bracketed, ipv4] = /^(?:\[([^\]]*)\](?::\d{1,5})?|([\d.]+):\d{1,5})$/.exec(entry) ?? []
  return bracketed ?? ipv4 ?? entry
}
