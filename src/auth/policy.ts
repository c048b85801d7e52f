import type { AddressList } from './address-list.ts'
import type { Identity } from './identity.ts'

export interface PolicyOptions {
  /** Addresses that may publish. */
  readonly publishers: AddressList
  /** Topics that only identities who hold them may publish to. */
  readonly secureTopics: Iterable<string>
}

/** Why somebody may publish. */
export type Permission =
  /** All topics of it that are secured are held. */
  | { readonly type: 'holder'; readonly secured: readonly SecuredTopic[] }
  /** No topic is secured, and the address is in this one of the ranges. */
  | { readonly type: 'publisher-address'; readonly rangeIndex: number }

/** Why somebody may not publish: all reasons there are, at every door. */
export type Refusal =
  /** What is published would be below `/-/`. */
  | { readonly type: 'reserved-path' }
  | { readonly type: 'secured-topic'; readonly secured: readonly SecuredTopic[] }
  /** `null`: it is not known. */
  | { readonly type: 'foreign-address'; readonly address: string | null }
  /** A browser asks for the page of another origin (`web-pages.ts`). */
  | { readonly type: 'foreign-page' }

export interface SecuredTopic {
  readonly topic: string
  readonly isHeld: boolean
}

export type PublishVerdict =
  | { readonly allowed: true; readonly reason: Permission }
  | { readonly allowed: false; readonly reason: Refusal }

export interface Publisher {
  /** `null`: unknown. */
  readonly address: string | null
  readonly identity: Identity
}

/**
 * Who may publish what. `segments` are here all segments of the path as requested, a leading `private` included: `private`
 * itself can be secured. What may be seen of private events says `privateViewOf` in `rights-of.ts`.
 */
export class Policy {
  #publishers!: AddressList
  #secureTopics!: ReadonlySet<string>
  /** The verdicts on addresses in each of the ranges. */
  #byRange!: readonly PublishVerdict[]

  constructor(options: PolicyOptions) {
    this.replace(options)
  }

  /** From the next publication on. */
  replace({ publishers, secureTopics }: PolicyOptions): void {
    this.#publishers = publishers
    this.#secureTopics = new Set(secureTopics)
    this.#byRange = Array.from({ length: publishers.size }, (_, rangeIndex) => ({
      allowed: true,
      reason: { type: 'publisher-address', rangeIndex },
    }))
  }

  /** Only then does it matter who publishes; otherwise a directory need not be asked, and the address decides. */
  dependsOnIdentity(segments: readonly string[]): boolean {
    return segments.some((topic) => this.#secureTopics.has(topic))
  }

  /** The same for a path of HTTP, where the server has pages of its own. */
  mayPublishPath(segments: readonly string[], publisher: Publisher): PublishVerdict {
    return segments[0] === OWN_PATH ? RESERVED : this.mayPublish(segments, publisher)
  }

  /** Whether somebody may publish there, whichever the door. */
  mayPublish(segments: readonly string[], { address, identity }: Publisher): PublishVerdict {
    if (this.dependsOnIdentity(segments)) {
      const topics = new Set(segments.filter((topic) => this.#secureTopics.has(topic)))
      const secured = Array.from(topics, (topic) => ({
        topic,
        isHeld: identity.secureTopics.has(topic),
      }))
      return secured.every(({ isHeld }) => isHeld)
        ? { allowed: true, reason: { type: 'holder', secured } }
        : { allowed: false, reason: { type: 'secured-topic', secured } }
    }
    // A login never stands for an address.
    const rangeIndex = address === null ? -1 : this.#publishers.indexOf(address)
    return (
      this.#byRange[rangeIndex] ?? { allowed: false, reason: { type: 'foreign-address', address } }
    )
  }
}

/** How a refusal is told to whoever is refused. It names nothing but what the peer has said itself, and settings. */
export function refusalText(reason: Refusal): string {
  return (TEXT_OF[reason.type] as (reason: Refusal) => string)(reason)
}

/** A missing reason does not compile. */
const TEXT_OF: { readonly [T in Refusal['type']]: (reason: Refusal & { type: T }) => string } = {
  'reserved-path': () =>
    "paths that begin with /-/ are the server's own, nothing can be published there",
  'secured-topic': ({ secured }) => {
    const { topic } = secured.find(({ isHeld }) => !isHeld)!
    return `the topic ${shown(topic)} is one of clients.secure_topics, and you have not logged in as somebody who may publish to it`
  },
  'foreign-address': ({ address }) =>
    `your address${address === null ? ', which is not known,' : ` ${address}`} is not among clients.payloaders`,
  'foreign-page': () =>
    'a web page asks whose origin is not listed in server.cors.origins, nor one of this server (server.hostnames)',
}

function shown(topic: string): string {
  return JSON.stringify(topic.length > SHOWN_MAX ? `${topic.slice(0, SHOWN_MAX)}…` : topic)
}

/** In UTF-16 units. */
const SHOWN_MAX = 64

/** As the first segment: the server's own pages are below it. */
const OWN_PATH = '-'

const RESERVED: PublishVerdict = { allowed: false, reason: { type: 'reserved-path' } }
