import ipaddr from 'ipaddr.js'
import { isIP, isIPv4, isIPv6 } from 'node:net'
import { AddressList } from '../auth/address-list.ts'
import { OptionError } from '../auth/option-error.ts'

export interface OutgoingPolicyOptions {
  /** Addresses, CIDR ranges, host names, and `host:port`, that may be asked although they are not public. */
  readonly allow: readonly string[]
  /** What the operator calls `allow`, for messages. */
  readonly setting: string
}

/** A url from outside that is not asked. The message may name an address inside: it is for the log, not for the peer. */
export class OutgoingRefusedError extends Error {
  override get name(): string {
    return this.constructor.name
  }
}

/**
 * Which urls that a peer handed in this server asks. Whatever it reaches, a peer reaches through it: without being named,
 * only public addresses.
 */
export class OutgoingPolicy {
  readonly #rules: readonly Rule[]
  readonly #setting: string

  /** @throws {OptionError} an entry of `allow` is none of what it may be. */
  constructor({ allow, setting }: OutgoingPolicyOptions) {
    this.#rules = allow.map(parseRule)
    this.#setting = setting
  }

  /**
   * The url as it will be asked. A host name may still turn out to have no address that is allowed.
   * @throws {OutgoingRefusedError}
   */
  check(urlText: string): URL {
    if (urlText.length > URL_CHARACTERS_MAX) throw tooLong(urlText)
    // URL drops some of these silently, and the peer would be asked for another url than the one it gave.
    if (/[\p{Cc}\s]/u.test(urlText))
      throw new OutgoingRefusedError('the url has a space or a control character in it')
    const url = URL.parse(urlText)
    if (url === null || !/^https?:$/.test(url.protocol))
      throw new OutgoingRefusedError('the url is no http or https url')
    if (url.username !== '' || url.password !== '')
      throw new OutgoingRefusedError('the url has credentials in it')
    // Non-ASCII characters grow when they are escaped.
    if (url.href.length > URL_CHARACTERS_MAX) throw tooLong(url.href)
    if (url.hostname.length > HOST_CHARACTERS_MAX)
      throw new OutgoingRefusedError(
        `the url's host has ${url.hostname.length} characters, the limit is ${HOST_CHARACTERS_MAX}`,
      )
    const host = hostOf(url)
    if (isIP(host) !== 0) this.allowedAddresses(host, portOf(url), [host])
    return url
  }

  /**
   * Those of a host's addresses that may be connected to.
   * @throws {OutgoingRefusedError} there are some, and it is none of them.
   */
  allowedAddresses(host: string, port: number, addresses: readonly string[]): readonly string[] {
    if (this.namesHost(host, port)) return addresses
    const allowed = addresses.filter((address) => isPublic(address) || this.#names(address, port))
    const [refused] = addresses
    if (allowed.length > 0 || refused === undefined) return allowed
    const what = host === refused ? refused : `${host} has the address ${refused}, which`
    throw new OutgoingRefusedError(`${what} is not public, and ${this.#setting} does not name it`)
  }

  /** Whether `allow` has a host by its name: it may then have any address. */
  namesHost(host: string, port: number): boolean {
    const name = withoutRootDot(host)
    return this.#rules.some((rule) => rule.name === name && isForPort(rule, port))
  }

  #names(address: string, port: number): boolean {
    return this.#rules.some((rule) => rule.addresses?.includes(address) && isForPort(rule, port))
  }
}

/** Longest url that is asked, in characters. RFC 9110, section 4.1 has servers take 8,000. */
const URL_CHARACTERS_MAX = 8_000

/** Longest name that DNS can hold (RFC 1035, section 2.3.4), in characters. */
const HOST_CHARACTERS_MAX = 253

function tooLong(url: string): OutgoingRefusedError {
  return new OutgoingRefusedError(
    `the url has ${url.length} characters, the limit is ${URL_CHARACTERS_MAX}`,
  )
}

/** A url's host as sockets take it: an IPv6 address has no brackets. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1')
}

export function portOf(url: URL): number {
  return Number(url.port || (url.protocol === 'https:' ? 443 : 80))
}

/** One entry of `allow`, either a name or addresses. */
interface Rule {
  readonly name: string | null
  readonly addresses: AddressList | null
  /** `null`: every port. */
  readonly port: number | null
}

function isForPort(rule: Rule, port: number): boolean {
  return rule.port === null || rule.port === port
}

/** @throws {OptionError} */
function parseRule(text: string): Rule {
  if (isIP(text) !== 0 || text.includes('/'))
    return { name: null, addresses: new AddressList([text]), port: null }
  const [, host = '', portText] = /^(\[.*\]|[^:]*)(?::(\d{1,5}))?$/.exec(text) ?? []
  const port = portText === undefined ? null : Number(portText)
  const address = host.replace(/^\[(.*)\]$/, '$1')
  if (port !== 0 && (port ?? 0) < 65_536) {
    if (address === host ? isIPv4(address) : isIPv6(address))
      return { name: null, addresses: new AddressList([address]), port }
    const name = URL.parse(`http://${host}/`)?.hostname ?? ''
    // What is an address in an odd spelling, such as 0x7f.1, is taken for a name by the one who reads it.
    if (NAME.test(host) && isIP(name) === 0 && name !== '')
      return { name: withoutRootDot(name), addresses: null, port }
  }
  throw new OptionError(
    `${JSON.stringify(text)} is neither an address, a CIDR range, a host name, nor host:port`,
  )
}

/** Letters of any script: a url may have them in its host. No `*`, which would match nothing. */
const NAME = /^[\p{L}\p{M}\p{N}._-]+$/u

/** `localhost.` is `localhost`. */
function withoutRootDot(host: string): string {
  return host.replace(/\.$/, '')
}

/**
 * Whether an address is one that the whole internet may ask. IPv4 addresses that stand in IPv6 ones (mapped, NAT64, 6to4,
 * Teredo) are not, whichever they are: they would be a way around.
 */
function isPublic(address: string): boolean {
  if (isIPv4(address)) return ipaddr.IPv4.parse(address).range() === 'unicast'
  if (!isIPv6(address) || address.includes('%')) return false
  // In hexadecimal, as ipaddr.js reads ::1.2.3.4 as if it were ::ffff:1.2.3.4.
  const parsed = ipaddr.IPv6.parse(new URL(`http://[${address}]`).hostname.slice(1, -1))
  return parsed.range() === 'unicast' && parsed.match(GLOBAL_UNICAST, GLOBAL_UNICAST_BITS)
}

/**
 * All that is given out of IPv6 for public use (IANA, IPv6 Address Space). ipaddr.js calls the rest unicast as well, ::7f00:1
 * among it, which some systems take for 127.0.0.1.
 */
const GLOBAL_UNICAST = ipaddr.IPv6.parse('2000::')
const GLOBAL_UNICAST_BITS = 3
