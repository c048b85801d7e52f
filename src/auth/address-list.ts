import ipaddr from 'ipaddr.js'
import { isIP, isIPv4 } from 'node:net'
import { OptionError } from './option-error.ts'

type Address = ipaddr.IPv4 | ipaddr.IPv6

/** Addresses and CIDR ranges. An IPv6 range never covers an IPv4 address, nor the reverse. */
export class AddressList {
  readonly #ranges: readonly (readonly [Address, prefixBits: number])[]
  /** The indices of addresses that were asked for: to find one takes a microsecond or two, and each publication asks. */
  readonly #known = new Map<string, number>()

  /** @throws {OptionError} one of the texts is no address and no range. */
  constructor(ranges: readonly string[]) {
    this.#ranges = ranges.map(parseRange)
  }

  /**
   * Whether every address of a range is in one of these.
   * @throws {OptionError} it is no address and no range.
   */
  covers(text: string): boolean {
    const [address, prefix] = parseRange(text)
    return this.#ranges.some(
      ([base, bits]) =>
        base.kind() === address.kind() && bits <= prefix && address.match(base, bits),
    )
  }

  /** `false` for a text that is no address. */
  includes(text: string): boolean {
    return this.indexOf(text) !== -1
  }

  /** How many ranges there are. */
  get size(): number {
    return this.#ranges.length
  }

  /** The index of the first range that has it; -1 for none, and for a text that is no address. */
  indexOf(text: string): number {
    const known = this.#known.get(text)
    if (known !== undefined) return known
    const address = parse(text)
    if (address === null) return -1
    const index = this.#ranges.findIndex(
      ([base, bits]) => base.kind() === address.kind() && address.match(base, bits),
    )
    if (text.length <= ADDRESS_LENGTH_MAX) this.#remember(text, index)
    return index
  }

  #remember(text: string, index: number): void {
    if (this.#known.size >= KNOWN_MAX) this.#known.clear()
    // A copy: what is cut out of a header would keep all of it.
    this.#known.set(Buffer.from(text, 'latin1').toString('latin1'), index)
  }
}

/** The usual spelling of an address; an IPv4-mapped one is the IPv4 address. `null`: not an address. */
export function canonicalAddress(text: string): string | null {
  // Node takes no other spelling of one. Each connection asks, and parsing takes 3 µs.
  return isIPv4(text) ? text : (parse(text)?.toString() ?? null)
}

/** Zone ids are dropped. ipaddr.js takes `127.1` and `0x7f.0.0.1` too, which nobody means who writes an address. */
function parse(text: string): Address | null {
  return isIP(text) === 0 ? null : ipaddr.process(inHexadecimal(text.replace(/%.*/, '')))
}

/** ipaddr.js reads `::127.0.0.1`, an IPv6 address with dots in it, as if it were `::ffff:127.0.0.1`. */
function inHexadecimal(address: string): string {
  return address.includes(':') && address.includes('.')
    ? new URL(`http://[${address}]`).hostname.slice(1, -1)
    : address
}

/** An address, `address/prefix` or `address/netmask` (IPv4); bits behind the prefix do not matter. */
function parseRange(text: string): readonly [Address, number] {
  const [host = '', suffix, ...rest] = text.split('/')
  if (isIP(host) === 0 || host.includes('%') || rest.length > 0)
    throw new OptionError(`${JSON.stringify(text)} is neither an address nor a CIDR range`)
  const written = ipaddr.parse(inHexadecimal(host))
  const address = ipaddr.process(inHexadecimal(host))
  const bitsMax = written.kind() === 'ipv4' ? 32 : 128
  // ::ffff:10.0.0.0/104 is 10.0.0.0/8, as the peers it means count as IPv4.
  const bitsAhead = written.kind() === address.kind() ? 0 : 96
  const bits = (suffix === undefined ? bitsMax : prefixBits(suffix, bitsMax)) - bitsAhead
  if (!(bits >= 0))
    throw new OptionError(`${JSON.stringify(text)} is no CIDR range: bad prefix or netmask`)
  return [address, bits]
}

/** `NaN` when it is neither a prefix length nor a netmask. */
function prefixBits(text: string, bitsMax: number): number {
  if (/^\d{1,3}$/.test(text)) return Number(text) <= bitsMax ? Number(text) : NaN
  if (bitsMax !== 32 || isIP(text) !== 4) return NaN
  return ipaddr.IPv4.parse(text).prefixLengthFromSubnetMask() ?? NaN
}

/** Addresses that are remembered. */
const KNOWN_MAX = 1_000
/** Of one without a zone (RFC 4291 §2.2, in its longest form). */
const ADDRESS_LENGTH_MAX = 45
