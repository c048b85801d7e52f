import type { AddressList } from './address-list.ts'
import type { Identity } from './identity.ts'

export interface PublishPolicyOptions {
  /** Addresses that may publish. */
  readonly publishers: AddressList
  /** Topics that only identities who hold them may publish to. */
  readonly secureTopics: Iterable<string>
}

/** What whoever may not is told, at every door. */
export const MAY_NOT_PUBLISH =
  'your address is not among clients.payloaders, or the topic is one of clients.secure_topics'

/**
 * Who may publish what. `topics` are here all segments of the path as requested, a leading `private` included: `private`
 * itself can be secured.
 */
export class PublishPolicy {
  readonly #publishers: AddressList
  readonly #secureTopics: ReadonlySet<string>

  constructor({ publishers, secureTopics }: PublishPolicyOptions) {
    this.#publishers = publishers
    this.#secureTopics = new Set(secureTopics)
  }

  /** Only then does it matter who publishes; otherwise a directory need not be asked. */
  dependsOnIdentity(topics: readonly string[]): boolean {
    return topics.some((topic) => this.#secureTopics.has(topic))
  }

  /** `address` is `null` for a peer whose address is unknown. */
  mayPublish(
    topics: readonly string[],
    { address, identity }: { address: string | null; identity: Identity },
  ): boolean {
    const secured = topics.filter((topic) => this.#secureTopics.has(topic))
    if (secured.length > 0) return secured.every((topic) => identity.secureTopics.has(topic))
    return address !== null && this.#publishers.includes(address)
  }
}
