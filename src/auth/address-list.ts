import { BlockList, isIP, isIPv4, SocketAddress } from 'node:net'
import { OptionError } from './option-error.ts'

/** Addresses and CIDR ranges. An IPv6 range never covers an IPv4 address, nor the reverse. */
export class AddressList {
  /** One list per family: a single BlockList lets `::/0` cover IPv4 addresses. */
  readonly #ranges = { ipv4: new BlockList(), ipv6: new BlockList() }

  /** @throws {OptionError} one of the texts is no address and no range. */
  constructor(ranges: readonly string[]) {
    for (const text of ranges) {
      const { address, prefixBits } = parseAddressRange(text)
      this.#ranges[address.family].addSubnet(address, prefixBits)
    }
  }

  /** `false` for a text that is no address. */
  includes(text: string): boolean {
    const address = parseAddress(text)
    return address !== null && this.#ranges[address.family].check(address)
  }
}

/**
 * An address, `address/prefix` or `address/netmask` (IPv4); bits behind the prefix do not matter.
 * @throws {OptionError} it is none of these.
 */
function parseAddressRange(text: string): { address: SocketAddress; prefixBits: number } {
  const slash = text.indexOf('/')
  const host = slash === -1 ? text : text.slice(0, slash)
  const address = host.includes('%') ? null : parseAddress(host)
  if (address === null)
    throw new OptionError(`${JSON.stringify(text)} is neither an address nor a CIDR range`)

  const bitsMax = isIPv4(host) ? 32 : 128
  const prefixBits = slash === -1 ? bitsMax : parsePrefix(text.slice(slash + 1), bitsMax)
  // ::ffff:10.0.0.0/104 is 10.0.0.0/8, as the peers it means count as IPv4.
  const prefixBitsInFamily = address.family === 'ipv4' ? prefixBits - (bitsMax - 32) : prefixBits
  if (!(prefixBitsInFamily >= 0))
    throw new OptionError(`${JSON.stringify(text)} is no CIDR range: bad prefix or netmask`)
  return { address, prefixBits: prefixBitsInFamily }
}

/** Zone ids are dropped, and an IPv4-mapped IPv6 address is the IPv4 address. `null`: not an address. */
export function parseAddress(text: string): SocketAddress | null {
  const version = isIP(text)
  if (version === 0) return null
  if (version === 4) return new SocketAddress({ address: text, family: 'ipv4' })
  const address = new SocketAddress({ address: text, family: 'ipv6' })
  const mapped = /^::ffff:([\d.]+)$/.exec(address.address)?.[1]
  return mapped === undefined || !isIPv4(mapped)
    ? address
    : new SocketAddress({ address: mapped, family: 'ipv4' })
}

/** `NaN` when it is neither a prefix length nor a netmask. */
function parsePrefix(text: string, bitsMax: number): number {
  if (/^\d{1,3}$/.test(text)) return Number(text) <= bitsMax ? Number(text) : NaN
  if (bitsMax !== 32 || !isIPv4(text)) return NaN
  const bits = text
    .split('.')
    .map((byte) => Number(byte).toString(2).padStart(8, '0'))
    .join('')
  return /^1*0*$/.test(bits) ? bits.replaceAll('0', '').length : NaN
}
