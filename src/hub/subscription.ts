import type { Audience, Batch, DueEvents, LiveMember, WaitingMember } from './audience.ts'
import type { Bounds } from './bounds.ts'
import type { OnBug } from './bug.ts'
import { PAGE_BYTES, type CatchUp, type DuePage, type LogReader } from './catch-up.ts'
import type { CloseReason, Closing, Gap, SharedEncoding, Sink } from './encoding.ts'
import type { Ending, Endings } from './endings.ts'
import type { Cursor, Position, PublishedEvent } from './event.ts'
import type { EventLog } from './event-log.ts'
import type { KeepAliveWheel, KeptAlive } from './keep-alive.ts'
import type { Rights } from './rights.ts'
import type { Ring } from './ring.ts'
import type { Share } from './used-by-shares.ts'
import type { WantsChange } from './wants.ts'

/**
 * What becomes of a subscriber that does not keep up. `close`: it ends as `slow`. `catch-up`: it gets the rest from the log at
 * its own pace, and ends as `slow` where the log no longer has it. `catch-up-with-gaps`: likewise, but it is told the gap there
 * and goes on behind it.
 */
export type WhenBehind = 'catch-up' | 'catch-up-with-gaps' | 'close'

/** What a subscription needs of the hub it belongs to. */
export interface HubInternals {
  readonly log: EventLog
  readonly ring: Ring
  readonly catchUp: CatchUp
  readonly wheel: KeepAliveWheel
  readonly endings: Endings
  readonly onBug: OnBug
  readonly queueBytesMax: number
  readonly stallTimeoutMs: number
  /** The position of the last round that was delivered. */
  readonly head: Position
  /** How long one that ends now is asked to stay away. */
  retryAfterMs(reason: CloseReason): number
  /** It may not be live now, and is told to go on later. */
  holdsBack(subscription: Subscription): boolean
  /** All events after a position are still in the log that may be seen with these rights. */
  keepsRest(after: Position, rights: Rights): boolean
  /** Its audience for the same wants and encoding with other rights. */
  withRights(subscription: Subscription, rights: Rights): Audience
  /** Its audience for the same wants and rights in another encoding. */
  withEncoding(subscription: Subscription, encoding: SharedEncoding): Audience
  /**
   * Its audience for other wants and the same rest; the same one where those are its own already.
   * @throws {OverloadedError | ShareExceededError} nothing has changed.
   */
  withWants(subscription: Subscription, change: WantsChange): Audience
  /** It has ended: nothing is due to it any more. */
  release(subscription: Subscription): void
}

export interface EndOfSubscription extends Pick<Closing, 'reason' | 'retryAfterMs'> {
  readonly cursor: () => Cursor
  /** Takes it out of the hub; to be called before the sink is told. */
  readonly hangUp: () => void
}

/** How a subscription goes on and ends. */
export interface Manner {
  readonly share: Share
  readonly bounds: Bounds | null
  readonly whenBehind: WhenBehind
}

/** What is known of whatever a subscription's events go to. */
type Outlet = Pick<Sink, 'queuedBytes' | 'takenBytes' | 'destroy'>

/**
 * One subscriber and its position in the log. At the head it is live: its audience delivers to it. Behind the head it
 * catches up from the log at the pace its peer takes what it gets. Replay, resume and falling behind are all this. What the
 * peer gets is made by `ByteSubscription` and `EventSubscription`.
 */
export abstract class Subscription
  implements Ending, KeptAlive, LiveMember, LogReader, WaitingMember
{
  /** Its place among the live members of its audience. */
  seat = -1
  /** Its place on the keep-alive wheel. */
  slot = -1
  audience: Audience
  readonly share: Share
  protected readonly hub: HubInternals
  protected readonly bounds: Bounds | null
  /** `ending`: nothing is due any more, and the peer has not been told yet. */
  protected state: 'behind' | 'live' | 'ending' | 'ended' = 'behind'
  /** The sink has said so, and will say when it has drained. */
  protected isFull = false
  readonly #whenBehind: WhenBehind
  /** Everything up to here was handed over. Kept only while behind: a live one is at the head. */
  #position: Position
  /** It will be asked to advance. */
  #isWaiting = false
  #hasBeenLive = false
  /** Nothing behind it is waited for. */
  #lastAwaited = Infinity
  /** What the sink had taken at the last turn of the wheel that found something queued; -1: none has so far. */
  #takenBytes = -1
  #stalledTurns = 0

  constructor(hub: HubInternals, audience: Audience, { share, bounds, whenBehind }: Manner) {
    this.hub = hub
    this.audience = audience
    this.share = share
    this.bounds = bounds
    this.#whenBehind = whenBehind
    this.#position = hub.head
  }

  protected abstract readonly outlet: Outlet

  abstract readonly directSink: Sink | null

  abstract readonly wantsParts: boolean

  /** Nothing is queued for it, so the hub's ring of the newest events serves it where the log keeps nothing. */
  protected abstract readonly hasNoQueue: boolean

  abstract deliver(batch: Batch, sentBytes: number): void

  /** Hands over all of it, which is at least one event. `bytes`: its bytes, where they have been made already. */
  protected abstract handOver(due: DueNow, bytes: Uint8Array | null): void

  protected abstract handGap(gap: Gap): void

  /** Everything that is due up to here has been handed over, by one that is behind or joins the live ones. */
  protected passed(_position: Position): void {}

  /** `lineAtHead`: makes the line of one that is live, once for all who share an encoding. */
  protected abstract giveSignOfLife(lineAtHead?: (encoding: SharedEncoding) => Uint8Array): void

  /** Tells the peer that it ends. */
  protected abstract sayEnd(end: EndOfSubscription): void

  get isBehind(): boolean {
    return this.state === 'behind'
  }

  /** One that may end by itself before it comes to an event is not said to get it. */
  get canCatchUp(): boolean {
    return this.bounds === null && this.#isRestKept
  }

  /** Begins after a position. At the head that is at once: nothing of the log need be read. */
  begin(from: Position): void {
    this.#position = from
    const isAtHead = from === this.hub.head
    if (isAtHead) {
      this.advance()
      if (this.state !== 'behind') return
    }
    this.audience.addBehind(this)
    this.hub.wheel.add(this)
    if (!isAtHead) this.#waitForTurn() // else it is held back
  }

  /** The peer has taken everything. */
  drained(): void {
    if (!this.isFull) return
    this.isFull = false
    if (this.state === 'behind') this.#waitForTurn()
  }

  /** The peer has gone. */
  close(): void {
    if (this.state === 'ended') return
    this.#leaveAudience()
    this.state = 'ended'
    this.hub.wheel.remove(this)
    this.hub.release(this)
  }

  /** Tells the peer why, and where it was, and closes. */
  end(reason: CloseReason): void {
    this.endAt(this.place, reason)
  }

  /** The same, for one that was at another place. Nothing is due from now on; it is told soon, if many end at once. */
  endAt(place: Position, reason: CloseReason): void {
    if (this.hasEnded) return
    if (reason === 'finished' && this.state === 'live') this.audience.finished(place)
    this.#leaveAudience()
    this.state = 'ending'
    this.#position = place
    // Now, as those that end with it are fewer by the time it is told.
    this.hub.endings.add(this, reason, this.hub.retryAfterMs(reason))
  }

  /** Something that was done for it has thrown: it ends as `internal`, and nobody else. */
  fail(doing: string, error: unknown, place = this.place): void {
    this.hub.onBug(doing, error)
    this.endAt(place, 'internal')
  }

  tellEnd(reason: CloseReason, retryAfterMs: number): void {
    if (this.state === 'ended') return // the peer has gone meanwhile
    try {
      const cursor = () => this.hub.log.cursorOf(this.#position)
      this.sayEnd({ reason, cursor, retryAfterMs, hangUp: () => this.close() })
    } catch (error) {
      this.hub.onBug('ending a stream', error)
      this.#giveUp()
    }
  }

  /** Nothing after a position is due: ends as finished once it is there. */
  finishAt(position: Position): void {
    if (this.hasEnded) return
    this.bounds!.last = position
    if (this.state === 'live') this.end('finished')
    else this.#endIfReached()
  }

  /**
   * What is not there yet is not waited for: ends as `timeout` once it is where the head is now, as a slow reader might never
   * reach a head that goes on moving.
   */
  endAtHead(): void {
    if (this.state === 'live') this.end('timeout')
    else this.#lastAwaited = this.hub.head
  }

  /** From now on the peer sees what these rights allow. Nothing is missed: it moves between rounds. */
  setRights(rights: Rights): void {
    if (this.hasEnded || rights.key === this.audience.rights.key) return
    try {
      this.moveTo(this.hub.withRights(this, rights))
    } catch (error) {
      this.fail('changing rights', error) // those that it had may have been withdrawn
    }
  }

  /**
   * What is added is due from now on, from behind the head; what is dropped is not due any more, also where the subscriber is
   * behind. All else comes once and in order, as if nothing had been changed.
   * @throws {OverloadedError | ShareExceededError} too much is added: nothing has changed.
   */
  changeWants(change: WantsChange): void {
    if (this.hasEnded) return
    const audience = this.hub.withWants(this, change)
    if (audience !== this.audience) this.moveTo(audience)
    else if (this.state === 'live' && this.hub.holdsBack(this)) this.#stepBack()
  }

  /** Called by the hub that has held it back. */
  goOn(): void {
    if (this.state === 'behind') this.#waitForTurn()
  }

  /** The sink has been written to by its owner. */
  written(): void {
    if (this.state === 'live') this.audience.written(this)
  }

  /** Called by the scheduler: one step towards the head. */
  advance(): void {
    this.#isWaiting = false
    if (this.state !== 'behind' || this.isFull || this.#endIfReached()) return
    const { ring } = this.hub
    const rest = ring.after(this.#position, PAGE_BYTES)
    if (rest !== null) return this.#join(rest)
    if (!this.#logServesRest()) {
      if (this.#ringServesRest()) {
        const events = ring.firstAfter(this.#position, PAGE_BYTES)
        if (this.#takeNewest(events)) this.#continueBehind(events.at(-1)!.position)
        return
      }
      // One that fell behind was promised the rest and is cut off; one that asked for the past gets what there is.
      if (this.#hasBeenLive && this.#whenBehind !== 'catch-up-with-gaps') return this.end('slow')
      this.#skipGone()
      if (this.state !== 'behind') return
      if (!this.#logServesRest()) return this.#waitForTurn()
    }
    const page = this.hub.catchUp.page(this, this.#position)
    if (page === null) this.#isWaiting = true
    else this.#take(page)
  }

  /** Called by the wheel: a sign of life, unless bytes are under way anyway; then a look whether they move. */
  keepAlive(lineAtHead: (encoding: SharedEncoding) => Uint8Array): void {
    if (this.hasEnded) return
    if (this.outlet.queuedBytes === 0) {
      this.#stalledTurns = 0
      if (this.state === 'live') this.giveSignOfLife(lineAtHead)
      else this.giveSignOfLife()
      return
    }
    const { takenBytes } = this.outlet
    if (takenBytes !== this.#takenBytes) this.#stalledTurns = 0
    else if (++this.#stalledTurns * this.hub.wheel.intervalMs >= this.hub.stallTimeoutMs)
      this.end('stalled')
    this.#takenBytes = takenBytes
  }

  protected get place(): Position {
    return this.state === 'live' ? this.hub.head : this.#position
  }

  /** As many of the events as it may have. `before`: the place before the first. */
  protected handWithinBounds(due: DueNow, before: Position): void {
    const { events, frames } = due
    const count = this.bounds!.admit(events)
    if (count > 0) {
      const isAll = count === events.length
      this.handOver(
        isAll ? due : { events: events.slice(0, count), frames: frames.slice(0, count) },
        null,
      )
    }
    if (this.bounds!.isExhausted) this.endAt(events[count - 1]?.position ?? before, 'finished')
  }

  /** `before`: the place from which on it is due everything. */
  protected fallBehind(before: Position): void {
    this.audience.leave(this)
    this.state = 'behind'
    this.#position = before
    this.audience.addBehind(this)
    const mayCatchUp = this.#whenBehind === 'catch-up-with-gaps' || this.#isRestKept
    if (this.#whenBehind === 'close' || !mayCatchUp) this.end('slow')
    else this.#waitForTurn()
  }

  protected get hasEnded(): boolean {
    return this.state === 'ending' || this.state === 'ended'
  }

  #giveUp(): void {
    this.close()
    try {
      this.outlet.destroy()
    } catch (error) {
      this.hub.onBug('closing a connection', error)
    }
  }

  protected moveTo(audience: Audience): void {
    const from = this.audience
    this.audience = audience
    if (this.state === 'behind') {
      from.removeBehind(this)
      audience.addBehind(this)
    } else {
      from.leave(this)
      audience.join(this)
      if (this.hub.holdsBack(this)) this.#stepBack()
    }
  }

  /** From the head: nothing is missed. */
  #stepBack(): void {
    this.#position = this.hub.head
    this.audience.leave(this)
    this.state = 'behind'
    this.audience.addBehind(this)
  }

  #take(page: DuePage): void {
    // With the place before the page: who resumes there gets all of it that is whole.
    if (page.gap === 'damaged' || (page.gap !== null && !this.#logServesRest()))
      this.#tellGap(page.gap)
    if (this.state !== 'behind') return // it has no word for a gap
    if (page.parts !== null) {
      if (!this.#handDue({ ...page.parts, failure: null })) return
    } else if (page.bytes.length > 0) this.handOver(NOTHING, page.bytes)
    this.#continueBehind(page.reached)
    if (page.hasFailed) this.end('internal')
  }

  /** `false`: it is not behind any more, as it has had enough, or the sink has found that the peer has gone. */
  #handDue({ events, frames, failure }: Omit<DueEvents, 'lookedAt'>): boolean {
    if (events.length > 0) {
      if (this.bounds === null) this.handOver({ events, frames }, null)
      else this.handWithinBounds({ events, frames }, this.#position)
    } else if (this.bounds !== null) this.handWithinBounds({ events, frames }, this.#position)
    if (this.state !== 'behind') return false
    if (failure === null) return true
    this.fail('catching up', failure.error, failure.before)
    return false
  }

  #continueBehind(position: Position): void {
    if (this.state !== 'behind') return
    this.#position = position
    this.passed(position)
    this.#waitForTurn()
  }

  /** True when it has ended. */
  #endIfReached(): boolean {
    const isFinished = this.bounds !== null && this.#position >= this.bounds.last
    if (!isFinished && this.#position < this.#lastAwaited) return false
    this.endAt(this.#position, isFinished ? 'finished' : 'timeout')
    return true
  }

  #waitForTurn(): void {
    if (this.isFull || this.#isWaiting) return
    this.#isWaiting = true
    this.hub.catchUp.enqueue(this)
  }

  /** `false`: it has not had all of them, as it has ended, or goes on in a later turn. */
  #takeNewest(events: readonly PublishedEvent[]): boolean {
    const due = this.audience.due(events)
    if (!this.#handDue(due)) return false
    if (due.lookedAt === events.length) return true
    this.#continueBehind(due.lookedAt === 0 ? this.#position : events[due.lookedAt - 1]!.position)
    return false
  }

  /** The step from the log to the live ones: synchronous, so no commit comes between the rest and the seat. */
  #join(rest: readonly PublishedEvent[]): void {
    if (!this.#takeNewest(rest)) return
    this.#position = this.hub.head
    this.passed(this.#position)
    if (this.state !== 'behind') return
    if (this.#endIfReached()) return
    if (this.hub.holdsBack(this)) return
    this.audience.removeBehind(this)
    this.state = 'live'
    this.audience.join(this)
    if (this.#hasBeenLive) return
    this.#hasBeenLive = true
    // After the replay, as PyPubSub; the later ones are counted from this one.
    this.giveSignOfLife()
    this.hub.wheel.remove(this)
    this.hub.wheel.add(this)
  }

  /** To the oldest place from which everything is still kept. */
  #skipGone(): void {
    const { log, ring, head } = this.hub
    const keptFrom = this.hasNoQueue && this.#hasBeenLive ? ring.keptFrom : Infinity
    this.#position = Math.min(log.status.oldest - 1, head, keptFrom) as Position
    this.#tellGap('expired')
  }

  #tellGap(reason: Gap['reason']): void {
    this.handGap({ reason, cursor: this.hub.log.cursorOf(this.#position) })
  }

  #leaveAudience(): void {
    if (this.state === 'live') this.audience.leave(this)
    else if (this.state === 'behind') this.audience.removeBehind(this)
  }

  get #isRestKept(): boolean {
    return this.#logServesRest() || this.#ringServesRest()
  }

  #logServesRest(): boolean {
    return this.hub.keepsRest(this.#position, this.audience.rights)
  }

  #ringServesRest(): boolean {
    return this.hasNoQueue && this.#hasBeenLive && this.hub.ring.holdsAfter(this.#position)
  }
}

/** Events that are to be handed over, and each one's own bytes, if members share them. */
export type DueNow = Pick<DueEvents, 'events' | 'frames'>

const NOTHING: DueNow = { events: [], frames: [] }
