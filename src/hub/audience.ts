import type { PublishedEvent, Position } from './event.ts'
import type { AudienceGroup } from './audience-group.ts'
import type { CloseReason, SharedEncoding, Sink } from './encoding.ts'
import { EVENT_OVERHEAD_BYTES } from './event-log.ts'
import type { FanOut, FanOutSeats } from './fan-out.ts'
import type { AskedPredicate } from './predicate.ts'
import { isForAll, type Rights } from './rights.ts'
import { withLast } from './with-last.ts'

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

/** What subscribers have in common who are due the same. */
export interface AudienceTraits {
  /** All who want the same. */
  readonly group: AudienceGroup<Audience>
  /** All of these must match, too. */
  readonly conditions: readonly AskedPredicate[]
  readonly rights: Rights
  /** `null`: its members get events, and make their own bytes of them. */
  readonly encoder: EventEncoder | null
  /** Whose subscriptions they are. Absent: of no door that has a name. */
  readonly door?: string | undefined
}

/** A live subscription as its audience knows it. */
export interface LiveMember {
  /** Its place among the live members; kept for the audience, which alone changes it. */
  seat: number
  /** What its audience's bytes may be sent to without asking it; `null`: it has to `deliver`. */
  readonly directSink: Sink | null
  /** What was gathered of a round. `sentBytes`: so many of its bytes were sent to its sink. */
  deliver(batch: Batch, sentBytes: number): void
  /** Something has thrown, nothing after `place` may have reached it: it ends. Must not throw. */
  fail(doing: string, error: unknown, place: Position): void
  /** It ends, as what is due to its audience is not known. Must not throw. */
  endAt(place: Position, reason: CloseReason): void
}

/** A subscription of an audience that is not live, as the audience knows it. */
export interface WaitingMember {
  /** Everything that it has not been given yet is still kept. */
  readonly canCatchUp: boolean
}

/** The events that are due to an audience, up to the first one of which that cannot be said, or that cannot be encoded. */
export interface DueEvents {
  readonly events: readonly PublishedEvent[]
  /** Each event's own bytes; none where events are what members get. */
  readonly frames: readonly Uint8Array[]
  readonly failure: { readonly error: unknown; readonly before: Position } | null
  /** How many were looked at. Fewer than were given, or none: the rest is for a later turn, as predicates have taken their time. */
  readonly lookedAt: number
}

/** What is delivered together, in one go. */
export interface Round {
  readonly events: readonly PublishedEvent[]
  /** Somebody asks to how many they are due, those included that are behind. */
  readonly isCounted: boolean
}

/** Told of each event that was due to an audience, to how many of its subscriptions. */
export type CountDue = (
  event: PublishedEvent,
  subscriptions: number,
  door: string | undefined,
) => void

/** What an audience has gathered of one round. */
export interface Batch {
  /** The bytes of all its events. */
  readonly bytes: Uint8Array
  /** The position before its first event. */
  readonly before: Position
  readonly events: readonly PublishedEvent[]
  /** Each event's own bytes. None, as the bytes, where events are what members get. */
  readonly frames: readonly Uint8Array[]
}

/** Subscribers who are due the same: the same wants, the same rights, the same encoding. */
export class Audience {
  readonly id: number
  readonly key: string
  place = -1
  readonly group: AudienceGroup<Audience>
  readonly conditions: readonly AskedPredicate[]
  readonly rights: Rights
  readonly encoder: EventEncoder | null
  readonly door: string | undefined
  /** An event up to here is due to nobody as a live one: they are held back, as its conditions were not asked about that. */
  since = -1
  /** Its subscriptions, those included that are behind or about to end. */
  members = 0
  readonly #live: LiveMember[] = []
  readonly #seats: FanOutSeats
  /** Those that are behind. `null`: nobody has been. */
  #behind: Set<WaitingMember> | null = null
  #events: readonly PublishedEvent[] = NONE
  #frames: readonly Uint8Array[] = NONE
  #gatheredBytes = 0
  /** All of this round that are due, those included that have been flushed. */
  #dueInRound: readonly PublishedEvent[] = NONE
  /** Where in this round members have ended because they had all that they asked for. */
  #finishedAt: readonly Position[] = NONE

  constructor(id: number, key: string, traits: AudienceTraits, fanOut: FanOut) {
    this.id = id
    this.key = key
    this.group = traits.group
    this.conditions = traits.conditions
    this.rights = traits.rights
    this.encoder = traits.encoder
    this.door = traits.door
    this.#seats = fanOut.seats()
  }

  /** Only between rounds, at the head: then nothing is missed and nothing comes twice. */
  join(member: LiveMember): void {
    member.seat = this.#live.length
    this.#live.push(member)
    this.#seats.add(member.directSink)
  }

  leave(member: LiveMember): void {
    const last = this.#live.pop()!
    this.#seats.remove(member.seat)
    if (last === member) return
    this.#live[member.seat] = last
    last.seat = member.seat
  }

  /** It has been written to otherwise. */
  written(member: LiveMember): void {
    this.#seats.update(member.seat, member.directSink)
  }

  /** It is not live, and catches up. */
  addBehind(member: WaitingMember): void {
    this.#behind ??= new Set()
    this.#behind.add(member)
  }

  removeBehind(member: WaitingMember): void {
    this.#behind?.delete(member)
  }

  /** A member has ended, in the middle of a round, as it has had everything up to here. */
  finished(place: Position): void {
    if (this.#dueInRound.length > 0) this.#finishedAt = withLast(this.#finishedAt, place)
  }

  /** Whether an event that is wanted is due here. */
  admits(event: PublishedEvent): boolean {
    return this.#maySee(event) && this.conditions.every((condition) => condition.matches(event))
  }

  /**
   * Asks its conditions about an event that is wanted, one after the other, up to the first that it does not match: what `admits`
   * will ask. What throws is asked again, and told then.
   */
  *ask(event: PublishedEvent): Generator<void, void> {
    try {
      if (!this.#maySee(event)) return
      for (const condition of this.conditions) {
        const isMatch = condition.matches(event)
        yield
        if (!isMatch) return
      }
    } catch {}
  }

  /** The events that are due here; among the first ones only, where predicates take long: see `lookedAt`. */
  due(events: readonly PublishedEvent[]): DueEvents {
    if (events.length === 0) return NOTHING_DUE
    const matches = this.group.matcher()
    const hasPredicates = this.group.predicates.size > 0
    return this.#dueOf(
      events,
      (event, untilMs) =>
        matches(event) ||
        (hasPredicates && this.#maySee(event) && this.group.isWantedByPredicates(event, untilMs)),
      hasPredicates || this.conditions.length > 0,
    )
  }

  /** The same for events of a page, which has been read with the group's filters. */
  dueOfPage(events: readonly PublishedEvent[]): DueEvents {
    if (this.group.readFilters === undefined) return this.due(events)
    return this.#dueOf(events, () => true, this.conditions.length > 0)
  }

  /** True when the event is the first of this round. The index has already seen that it is wanted. */
  gather(event: PublishedEvent, { events, isCounted }: Round): boolean {
    const isLive = this.#live.length > 0
    const isDue = isLive || (isCounted && this.#behind !== null)
    if (!isDue || event.position <= this.since || !this.admits(event)) return false
    // What throws has changed nothing yet.
    const frame = isLive ? this.encoder?.encode(event) : undefined
    const isFirst = this.#dueInRound.length === 0
    // Mostly a round is one event, and its list is that of all audiences then.
    const isAll = events.length === 1
    this.#dueInRound = isAll ? events : withLast(this.#dueInRound, event)
    if (isLive) this.#gatherLive(event, frame, isAll ? events : null)
    return isFirst
  }

  /** `only`: the list of it, if nothing else comes in this round. */
  #gatherLive(
    event: PublishedEvent,
    frame: Uint8Array | undefined,
    only: readonly PublishedEvent[] | null,
  ): void {
    const bytes = frame?.length ?? event.payload.text.length + EVENT_OVERHEAD_BYTES
    if (this.#gatheredBytes + bytes > ROUND_BYTES_MAX) this.flush()
    this.#events = only ?? withLast(this.#events, event)
    if (frame !== undefined) this.#frames = withLast(this.#frames, frame)
    this.#gatheredBytes += bytes
  }

  /** One buffer, one write per subscriber. From last to first, because one that falls behind gives up its seat. */
  flush(): void {
    const events = this.#events
    const frames = this.#frames
    if (events.length === 0) return
    const batch: Batch = {
      bytes: frames.length > 1 ? Buffer.concat(frames) : (frames[0] ?? EMPTY),
      before: before(events[0]!),
      events,
      frames,
    }
    this.#clearGathered()
    // Around all of them: an attempt for each costs more, and one that fails is passed.
    for (let i = this.#live.length - 1; i >= 0; i--) i = this.#deliverFrom(i, batch)
  }

  /** After the last flush of a round: tells of each event to how many it was due who have got it, or will. */
  endRound(count: CountDue | null): void {
    const due = this.#dueInRound
    const finishedAt = this.#finishedAt
    this.#dueInRound = NONE
    this.#finishedAt = NONE
    if (count === null) return
    let subscriptions = this.#live.length
    if (this.#behind !== null)
      for (const { canCatchUp } of this.#behind) if (canCatchUp) subscriptions++
    for (const event of due) {
      let all = subscriptions
      for (const place of finishedAt) if (place >= event.position) all++
      if (all > 0) count(event, all, this.door)
    }
  }

  /** What was gathered reaches nobody. */
  discard(): void {
    this.#clearGathered()
    this.#dueInRound = NONE
    this.#finishedAt = NONE
  }

  /** What is due has thrown for an event: everybody here gets what was due before it, and ends. */
  fail(event: PublishedEvent): void {
    this.flush()
    for (let i = this.#live.length - 1; i >= 0; i--) this.#live[i]!.endAt(before(event), 'internal')
  }

  #maySee(event: PublishedEvent): boolean {
    return isForAll(event) || this.rights.maySee(event)
  }

  #dueOf(
    candidates: readonly PublishedEvent[],
    /** `null`: it is to be asked again, in a later turn. */
    isWanted: (event: PublishedEvent, untilMs: number) => boolean | null,
    isForeignWork: boolean,
  ): DueEvents {
    const untilMs = isForeignWork ? performance.now() + STEP_MS : Infinity
    // Not the encoder of the rounds: it remembers an event of one, which this would push out.
    const encoding = this.encoder?.encoding
    const events: PublishedEvent[] = []
    const frames: Uint8Array[] = []
    let lookedAt = 0
    for (const event of candidates) {
      try {
        const wanted = isWanted(event, untilMs)
        if (wanted === null) break
        if (wanted && this.#maySee(event) && this.#meetsPast(event)) {
          if (encoding !== undefined) frames.push(encoding.event(event))
          events.push(event)
        }
      } catch (error) {
        return { events, frames, failure: { error, before: before(event) }, lookedAt }
      }
      lookedAt++
      if (isForeignWork && performance.now() > untilMs) break
    }
    return { events, frames, failure: null, lookedAt }
  }

  /** What predicates remember for a round is not pushed out. */
  #meetsPast(event: PublishedEvent): boolean {
    return this.conditions.every((condition) => (condition.past ?? condition).matches(event))
  }

  #clearGathered(): void {
    this.#events = NONE
    this.#frames = NONE
    this.#gatheredBytes = 0
  }

  /** From a seat down to the first one, or to one that fails, whose number it gives back. */
  #deliverFrom(seat: number, batch: Batch): number {
    const seats = this.#seats
    let i = seat
    let asked: LiveMember | null = null
    try {
      for (; (i = seats.send(i, batch.bytes)) >= 0; i--) {
        asked = this.#live[i]!
        if (seats.failure !== null)
          asked.fail('delivering a round', seats.failure.error, batch.before)
        else asked.deliver(batch, seats.sentBytes)
      }
    } catch (error) {
      asked!.fail('delivering a round', error, batch.before) // perhaps its seat is another one's by now
    }
    return i
  }
}

function before({ position }: PublishedEvent): Position {
  return (position - 1) as Position
}

const NOTHING_DUE: DueEvents = { events: [], frames: [], failure: null, lookedAt: 0 }

/** How long predicates may keep the main thread, in ms, until others have their turn; what is asked of one event is finished. */
const STEP_MS = 1

/**
 * A round's buffer is sent when it would grow beyond this, in bytes: well below a subscriber's queue limit, so that a
 * great round is not taken for a slow subscriber.
 */
const ROUND_BYTES_MAX = 262_144

const EMPTY = new Uint8Array()

const NONE: readonly never[] = []
