import { lookup, Resolver } from 'node:dns/promises'
import type { OutgoingPolicy } from './outgoing-policy.ts'

/**
 * The addresses of host names that peers chose. The system's own lookup knows more names (/etc/hosts, search domains), but it
 * occupies one of a few threads of the process until an answer comes, and whoever owns a name decides when that is: only names
 * that the operator named are looked up so. The others are asked of DNS, without a thread.
 */
export class OutgoingDns {
  readonly #policy: OutgoingPolicy
  readonly #resolver = new Resolver({ timeout: TRY_MS, tries: TRIES })

  /** `servers`: name servers instead of the system's, as `address:port`. */
  constructor(policy: OutgoingPolicy, servers?: readonly string[]) {
    this.#policy = policy
    if (servers !== undefined) this.#resolver.setServers(servers)
  }

  /**
   * Unjudged, of both families.
   * @throws {Error} with the `code` that Node gives it.
   */
  async addresses(host: string, port: number): Promise<readonly string[]> {
    if (this.#policy.namesHost(host, port))
      return (await lookup(host, { all: true })).map(({ address }) => address)
    if (/(?:^|\.)localhost\.?$/.test(host)) return ['127.0.0.1', '::1'] // RFC 6761, section 6.3
    const [ipv4, ipv6] = await Promise.allSettled([
      this.#resolver.resolve4(host),
      this.#resolver.resolve6(host),
    ])
    if (ipv4.status === 'rejected' && ipv6.status === 'rejected') throw ipv4.reason
    return [ipv4, ipv6].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
  }

  /** Ends what is under way. */
  close(): void {
    this.#resolver.cancel()
  }
}

/** In ms. The second try takes longer; both together less than the 5 s that a connection may take. */
const TRY_MS = 1_000
const TRIES = 2
