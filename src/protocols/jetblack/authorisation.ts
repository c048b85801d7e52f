import type { Bus, Member } from './bus.ts'
import { ByPair } from './by-pair.ts'
import { encoded } from './encoder.ts'
import type { Entitled } from './entitlements.ts'
import type { FeedRules } from './feed-rules.ts'
import type { ClientMessage } from './messages.ts'
import { staleNotice, type Pair } from './publication.ts'

/** A connection that may have to be let in to a feed. */
export interface Admitted extends Member {
  /** It is let in: so many subscriptions that it has asked for take effect. */
  admitted(pair: Pair, adds: number): void
}

interface Asked {
  /** Subscriptions that wait for an answer. */
  pending: number
}

/**
 * Who is let in to feeds that have authorisers: all of these that are there are asked, and each answers when it likes. All of it is of this
 * process, and ends with the connections (dossier 4.1, 4.2 and 9, "Authorisers").
 */
export class Authorisation {
  readonly #bus: Bus
  readonly #rules: FeedRules
  readonly #asked = new Map<Admitted, ByPair<Asked>>()

  constructor(bus: Bus, rules: FeedRules) {
    this.#bus = bus
    this.#rules = rules
  }

  /** Whether it is let in already. `asked`: it will be told; `nobody`: there is nobody to ask, and nothing is remembered. */
  ask(member: Admitted, pair: Pair): 'admitted' | 'asked' | 'nobody' {
    if (this.#bus.isEntitled(member, pair)) return 'admitted'
    const authorisers = this.#bus.membersOf(this.#rules.authorisersOf(pair.feed))
    if (authorisers.length === 0) return 'nobody'
    let asked = this.#asked.get(member)
    if (asked === undefined) this.#asked.set(member, (asked = new ByPair<Asked>()))
    asked.getOrMake(pair, () => ({ pending: 0 })).pending++
    const { id: clientId, user, host } = member
    const { feed, topic } = pair
    for (const authoriser of authorisers)
      authoriser.send(
        encoded(
          { type: 'authorization-request', clientId, user, host, feed, topic },
          authoriser.wire,
        ),
      )
    return 'asked'
  }

  /** One that waits is not wanted any more. */
  takeBack(member: Admitted, pair: Pair): void {
    const asked = this.#asked.get(member)?.get(pair)
    if (asked !== undefined && asked.pending > 0) asked.pending--
  }

  /** Returns whether somebody has asked for it. */
  answer(message: ClientMessage & { readonly type: 'authorization-response' }): boolean {
    const { clientId, feed, topic, isRequired, entitlements } = message
    const member = this.#bus.memberOf(clientId) as Admitted | undefined
    const pair = { feed, topic }
    const asked = member === undefined ? undefined : this.#asked.get(member)?.get(pair)
    if (member === undefined || asked === undefined) return false
    if (isRequired && entitlements === null) {
      member.send(encoded(staleNotice(pair), member.wire))
      // Whoever was let in sees nothing any more.
      if (this.#bus.isEntitled(member, pair)) this.#bus.entitle(member, pair, NOTHING)
      return true
    }
    this.#bus.entitle(member, pair, isRequired ? new Set(entitlements) : null)
    const adds = asked.pending
    asked.pending = 0
    if (adds > 0) member.admitted(pair, adds)
    return true
  }

  leave(member: Admitted): void {
    this.#asked.delete(member)
  }
}

const NOTHING: Entitled = new Set()
