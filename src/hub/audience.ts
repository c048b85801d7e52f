import type { PublishedEvent, Position } from './event.ts'
import type { DirectSend, SharedEncoding } from './encoding.ts'
import type { EventPredicate } from './predicate.ts'
import type { Rights } from './rights.ts'
import type { AudienceGroup } from './audience-group.ts'
import { matcherOf } from './topics.ts'

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

/** What subscribers have in common who are due the same bytes. */
export interface AudienceTraits {
  /** All who want the same topics. */
  readonly group: AudienceGroup<Audience>
  /** All of these must match, too. */
  readonly conditions: readonly EventPredicate[]
  readonly rights: Rights
  readonly encoder: EventEncoder
}

/** A live subscription as its audience knows it. */
export interface LiveMember {
  /** Its place among the live members; kept for the audience, which alone changes it. */
  seat: number
  /** Where bytes for it may be sent without asking it; -1: it has to `deliver`. */
  readonly descriptor: number
  /** What was gathered of a round. `sentBytes`: so many of its bytes were sent to the descriptor. */
  deliver(batch: Batch, sentBytes: number): void
}

/** What an audience has gathered of one round. */
export interface Batch {
  /** Of all its events. */
  readonly bytes: Uint8Array
  /** The position before its first event. */
  readonly before: Position
  readonly events: readonly PublishedEvent[]
  /** Each event's own bytes. */
  readonly frames: readonly Uint8Array[]
}

/** Subscribers who are due the same bytes: the same wishes, the same rights, the same encoding. */
export class Audience {
  readonly id: number
  readonly key: string
  readonly group: AudienceGroup<Audience>
  readonly conditions: readonly EventPredicate[]
  readonly rights: Rights
  readonly encoder: EventEncoder
  /** Its subscriptions, behind ones included. */
  members = 0
  readonly #live: LiveMember[] = []
  /** Of each of them, where its bytes go without a look at anything else of it; -1: it has to be asked. */
  readonly #descriptors: number[] = []
  readonly #send: DirectSend
  #events: PublishedEvent[] = []
  #frames: Uint8Array[] = []
  #gatheredBytes = 0

  constructor(id: number, key: string, traits: AudienceTraits, send: DirectSend) {
    this.id = id
    this.key = key
    this.group = traits.group
    this.conditions = traits.conditions
    this.rights = traits.rights
    this.encoder = traits.encoder
    this.#send = send
  }

  /** Only between rounds, at the head: then nothing is missed and nothing comes twice. */
  join(member: LiveMember): void {
    member.seat = this.#live.length
    this.#live.push(member)
    this.#descriptors.push(member.descriptor)
  }

  leave(member: LiveMember): void {
    const last = this.#live.pop()!
    const descriptor = this.#descriptors.pop()!
    if (last === member) return
    this.#live[member.seat] = last
    this.#descriptors[member.seat] = descriptor
    last.seat = member.seat
  }

  /** It has been written to otherwise. */
  written(member: LiveMember): void {
    this.#descriptors[member.seat] = member.descriptor
  }

  /** Of an event that has the right topics: whether it is due here. */
  admits(event: PublishedEvent): boolean {
    if (event.isPrivate && !this.rights.maySee(event)) return false
    return this.conditions.every((condition) => condition.matches(event))
  }

  /** Of any events, those that are due here. */
  due(events: readonly PublishedEvent[]): readonly PublishedEvent[] {
    if (events.length === 0) return events
    const matches = matcherOf(this.group.filters)
    return events.filter((event) => matches(event) && this.admits(event))
  }

  /** True when the event is the first of this round. The index has already seen that it is wanted. */
  gather(event: PublishedEvent): boolean {
    if (this.#live.length === 0 || !this.admits(event)) return false
    const bytes = this.encoder.encode(event)
    const isFirst = this.#events.length === 0
    if (this.#gatheredBytes + bytes.length > ROUND_BYTES_MAX) this.flush()
    this.#events.push(event)
    this.#frames.push(bytes)
    this.#gatheredBytes += bytes.length
    return isFirst
  }

  /** One buffer, one write per subscriber. From last to first, because one that falls behind gives up its seat. */
  flush(): void {
    const events = this.#events
    const frames = this.#frames
    if (events.length === 0) return
    const batch: Batch = {
      bytes: frames.length === 1 ? frames[0]! : Buffer.concat(frames),
      before: (events[0]!.position - 1) as Position,
      events,
      frames,
    }
    this.#events = []
    this.#frames = []
    this.#gatheredBytes = 0
    const { bytes } = batch
    for (let i = this.#live.length - 1; i >= 0; i--) {
      const descriptor = this.#descriptors[i]!
      const sentBytes = descriptor < 0 ? 0 : this.#send(descriptor, bytes)
      if (sentBytes !== bytes.length) this.#live[i]!.deliver(batch, Math.max(sentBytes, 0))
    }
  }
}

/**
 * A round's buffer is sent when it would grow beyond this, in bytes: well below a subscriber's queue limit, so that a
 * great round is not taken for a slow subscriber.
 */
const ROUND_BYTES_MAX = 262_144

const EMPTY = new Uint8Array()
