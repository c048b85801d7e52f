import type { PublishedEvent, Position } from './event.ts'
import type { SharedEncoding } from './encoding.ts'
import type { Rights } from './rights.ts'
import type { Subscription } from './subscription.ts'
import type { Indexed, TopicFilter } from './topics.ts'
import { filterMatches } from './topics.ts'

/** One event after another is offered to every audience that wants it; those that share an encoding share its bytes. */
export class EventEncoder {
  readonly encoding: SharedEncoding
  #event: PublishedEvent | null = null
  #bytes: Uint8Array = EMPTY

  constructor(encoding: SharedEncoding) {
    this.encoding = encoding
  }

  encode(event: PublishedEvent): Uint8Array {
    if (event !== this.#event) {
      this.#bytes = this.encoding.event(event)
      this.#event = event
    }
    return this.#bytes
  }
}

/** Subscribers who are due the same bytes: the same wishes, the same rights, the same encoding. */
export class Audience implements Indexed {
  readonly id: number
  readonly key: string
  readonly filters: readonly TopicFilter[]
  readonly rights: Rights
  readonly encoder: EventEncoder
  foundIn = 0
  /** Its subscriptions, behind ones included. */
  members = 0
  readonly #live: Subscription[] = []
  #gathered: Uint8Array[] = []
  #gatheredBytes = 0
  #firstGathered: Position | null = null

  constructor(
    id: number,
    key: string,
    filters: readonly TopicFilter[],
    rights: Rights,
    encoder: EventEncoder,
  ) {
    this.id = id
    this.key = key
    this.filters = filters
    this.rights = rights
    this.encoder = encoder
  }

  /** Only between rounds, at the head: then nothing is missed and nothing comes twice. */
  join(subscription: Subscription): void {
    subscription.seat = this.#live.length
    this.#live.push(subscription)
  }

  leave(subscription: Subscription): void {
    const last = this.#live.pop()!
    if (last === subscription) return
    this.#live[subscription.seat] = last
    last.seat = subscription.seat
  }

  maySee(event: PublishedEvent): boolean {
    return !event.isPrivate || this.rights.maySee(event)
  }

  wants(event: PublishedEvent): boolean {
    return this.filters.some((filter) => filterMatches(filter, event)) && this.maySee(event)
  }

  /** True when the event is the first of this round. The index has already seen that it is wanted. */
  gather(event: PublishedEvent): boolean {
    if (this.#live.length === 0 || !this.maySee(event)) return false
    const bytes = this.encoder.encode(event)
    const isFirst = this.#firstGathered === null
    if (this.#gatheredBytes + bytes.length > ROUND_BYTES_MAX) this.flush()
    this.#firstGathered ??= event.position
    this.#gathered.push(bytes)
    this.#gatheredBytes += bytes.length
    return isFirst
  }

  /** One buffer, one write per subscriber. From last to first, because one that falls behind gives up its seat. */
  flush(): void {
    if (this.#firstGathered === null) return
    const batch = this.#gathered.length === 1 ? this.#gathered[0]! : Buffer.concat(this.#gathered)
    const before = (this.#firstGathered - 1) as Position
    this.#gathered = []
    this.#gatheredBytes = 0
    this.#firstGathered = null
    for (let i = this.#live.length - 1; i >= 0; i--) this.#live[i]!.deliver(batch, before)
  }
}

/**
 * A round's buffer is sent when it would grow beyond this, in bytes: well below a subscriber's queue limit, so that a
 * great round is not taken for a slow subscriber.
 */
const ROUND_BYTES_MAX = 262_144

const EMPTY = new Uint8Array()
