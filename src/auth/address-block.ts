import ipaddr from 'ipaddr.js'
import { isIPv6 } from 'node:net'

/**
 * What one peer has of the address space: an IPv4 address, or the first 64 bits of an IPv6 one, as every host may choose
 * the rest for each connection anew (RFC 8981). `address`: in its usual spelling; `null`, unknown: all of those are one.
 */
export function addressBlock(address: string | null): string {
  if (address === null) return 'unknown'
  if (!address.includes(':') || !isIPv6(address)) return address // the first is much the quicker one
  const bytes = ipaddr.parse(address).toByteArray().fill(0, 8)
  return `${ipaddr.fromByteArray(bytes).toString()}/64`
}
