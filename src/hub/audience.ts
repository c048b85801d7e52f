import type { PublishedEvent, Position } from './event.ts'
import type { CloseReason, DirectSend, SharedEncoding } from './encoding.ts'
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
  /** Something has thrown, nothing after `place` may have reached it: it ends. Must not throw. */
  fail(doing: string, error: unknown, place: Position): void
  /** It ends, as what is due to its audience is not known. Must not throw. */
  endAt(place: Position, reason: CloseReason): void
}

/** Of events those that are due to an audience, up to the first one of which that cannot be said, or that cannot be encoded. */
export interface DueEvents {
  readonly events: readonly PublishedEvent[]
  /** Each event's own bytes. */
  readonly frames: readonly Uint8Array[]
  readonly failure: { readonly error: unknown; readonly before: Position } | null
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
  place = -1
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
  due(events: readonly PublishedEvent[]): DueEvents {
    if (events.length === 0) return NOTHING_DUE
    const matches = matcherOf(this.group.filters)
    return this.dueOf(events.filter((event) => matches(event)))
  }

  /** Of events that have the right topics, those that are due here. */
  dueOf(candidates: readonly PublishedEvent[]): DueEvents {
    // Not the encoder of the rounds: it remembers an event of one, which this would push out.
    const { encoding } = this.encoder
    const events: PublishedEvent[] = []
    const frames: Uint8Array[] = []
    for (const event of candidates)
      try {
        if (!this.admits(event)) continue
        frames.push(encoding.event(event))
        events.push(event)
      } catch (error) {
        return { events, frames, failure: { error, before: before(event) } }
      }
    return { events, frames, failure: null }
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
      before: before(events[0]!),
      events,
      frames,
    }
    this.discard()
    // Around all of them: an attempt for each costs more, and one that fails is passed.
    for (let i = this.#live.length - 1; i >= 0; i--) i = this.#deliverFrom(i, batch)
  }

  /** What was gathered reaches nobody. */
  discard(): void {
    this.#events = []
    this.#frames = []
    this.#gatheredBytes = 0
  }

  /** What is due has thrown for an event: everybody here gets what was due before it, and ends. */
  fail(event: PublishedEvent): void {
    this.flush()
    for (let i = this.#live.length - 1; i >= 0; i--) this.#live[i]!.endAt(before(event), 'internal')
  }

  /** From a seat down to the first one, or to one that fails, whose number it gives back. */
  #deliverFrom(seat: number, batch: Batch): number {
    const { bytes } = batch
    let i = seat
    let asked: LiveMember | null = null
    try {
      for (; i >= 0; i--) {
        const descriptor = this.#descriptors[i]!
        const sentBytes = descriptor < 0 ? 0 : this.#send(descriptor, bytes)
        if (sentBytes === bytes.length) continue
        asked = this.#live[i]!
        asked.deliver(batch, Math.max(sentBytes, 0))
        asked = null
      }
    } catch (error) {
      // Perhaps its seat is another one's by now.
      const member = asked ?? this.#live[i]!
      member.fail('delivering a round', error, batch.before)
    }
    return i
  }
}

function before({ position }: PublishedEvent): Position {
  return (position - 1) as Position
}

const NOTHING_DUE: DueEvents = { events: [], frames: [], failure: null }

/**
 * A round's buffer is sent when it would grow beyond this, in bytes: well below a subscriber's queue limit, so that a
 * great round is not taken for a slow subscriber.
 */
const ROUND_BYTES_MAX = 262_144

const EMPTY = new Uint8Array()
