import type { Audience, Batch, LiveMember } from './audience.ts'
import type { Bounds } from './bounds.ts'
import type { OnBug } from './bug.ts'
import { PAGE_BYTES, type CatchUp, type EncodedPage, type LogReader } from './catch-up.ts'
import type { CloseReason, Gap, SharedEncoding, Sink } from './encoding.ts'
import type { Ending, Endings } from './endings.ts'
import type { Position, PublishedEvent } from './event.ts'
import type { EventLog } from './event-log.ts'
import type { KeepAliveWheel, KeptAlive } from './keep-alive.ts'
import type { Rights } from './rights.ts'
import type { Ring } from './ring.ts'

/** What a subscription needs of the hub it belongs to. */
export interface Surroundings {
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
  /** The audience for the same wishes and encoding with other rights. */
  moveAudience(from: Audience, rights: Rights): Audience
  /** It has ended: nothing is due to it any more. */
  release(subscription: Subscription): void
}

/**
 * One subscriber and its position in the log. At the head it is live: its audience delivers to it. Behind the head it
 * catches up from the log at the pace its sink takes bytes. Replay, resume and falling behind are all this.
 */
export class Subscription implements Ending, KeptAlive, LiveMember, LogReader {
  /** Its place among the live members of its audience. */
  seat = -1
  /** Its place on the keep-alive wheel. */
  slot = -1
  audience: Audience
  readonly #hub: Surroundings
  readonly #sink: Sink
  /** `ending`: nothing is due any more, and the peer has not been told yet. */
  #state: 'behind' | 'live' | 'ending' | 'ended' = 'behind'
  /** Everything up to here was handed over. Kept only while behind: a live one is at the head. */
  #position: Position
  /** The sink has said so, and will say when it has drained. */
  #full = false
  /** It will be asked to advance. */
  #isWaiting = false
  #hasBeenLive = false
  /** By the sink, at the last turn of the wheel that found something queued; -1: none has so far. */
  #takenBytes = -1
  #stalledTurns = 0
  readonly #bounds: Bounds | null
  /** What goes before the first event, while there was none and nothing may be sent before. */
  #held: Uint8Array[] | null = null

  constructor(hub: Surroundings, audience: Audience, sink: Sink, bounds: Bounds | null) {
    this.#hub = hub
    this.audience = audience
    this.#sink = sink
    this.#bounds = bounds
    this.#position = hub.head
  }

  /** It may end by itself, within a batch or a page. */
  get isBounded(): boolean {
    return this.#bounds !== null
  }

  get isBehind(): boolean {
    return this.#state === 'behind'
  }

  /** Begins after a position. At the head that is at once: nothing of the log need be read. */
  open(start: { opening: Uint8Array; holdsOpening: boolean; from: Position }): void {
    const { opening, holdsOpening, from } = start
    this.#position = from
    this.#held = [opening]
    if (from === this.#hub.head) this.advance()
    else {
      this.#hub.wheel.add(this)
      this.#waitForTurn()
    }
    // With the first sign of life, where that comes now: a write costs more than all the rest of this.
    if (!holdsOpening) this.#writeEvents(this.#state === 'live' ? this.#keepAliveLine() : EMPTY)
  }

  /** The sink has given everything to the peer. */
  drained(): void {
    if (!this.#full) return
    this.#full = false
    if (this.#state === 'behind') this.#waitForTurn()
  }

  /** The peer has gone. */
  close(): void {
    if (this.#state === 'ended') return
    this.#leaveAudience()
    this.#state = 'ended'
    this.#hub.wheel.remove(this)
    this.#hub.release(this)
  }

  /** Tells the peer why, and where it was, and closes. */
  end(reason: CloseReason): void {
    this.endAt(this.#place, reason)
  }

  /** The same, for one that was at another place. Nothing is due from now on; it is told soon, if many end at once. */
  endAt(place: Position, reason: CloseReason): void {
    if (this.#hasEnded) return
    this.#leaveAudience()
    this.#state = 'ending'
    this.#position = place
    this.#hub.endings.add(this, reason)
  }

  /** Something that was done for it has thrown: it ends as `internal`, and nobody else. */
  fail(doing: string, error: unknown, place = this.#place): void {
    this.#hub.onBug(doing, error)
    this.endAt(place, 'internal')
  }

  tellEnd(reason: CloseReason): void {
    if (this.#state === 'ended') return // the peer has gone meanwhile
    try {
      // `finished` without events is an empty 200; any other reason before the first event lets the sink send an error.
      if (reason === 'finished') this.#writeEvents(EMPTY)
      const farewell = this.#held === null ? this.#farewell(reason) : null
      this.close()
      this.#sink.end(reason, farewell)
    } catch (error) {
      this.#hub.onBug('ending a stream', error)
      this.#giveUp()
    }
  }

  /** Nothing after a position is due: ends as finished once it is there. */
  finishAt(position: Position): void {
    if (this.#hasEnded) return
    this.#bounds!.last = position
    if (this.#state === 'live') this.end('finished')
    else this.#finishIfReached()
  }

  /** From now on the peer sees what these rights allow. Nothing is missed: it moves between rounds. */
  setRights(rights: Rights): void {
    if (this.#hasEnded || rights.key === this.audience.rights.key) return
    try {
      const [from, to] = [this.audience, this.#hub.moveAudience(this.audience, rights)]
      this.audience = to
      if (this.#state !== 'live') return
      from.leave(this)
      to.join(this)
    } catch (error) {
      this.fail('changing rights', error) // those that it had may have been withdrawn
    }
  }

  /** While live, where its audience may send what it gathers; -1: it has to `deliver`. */
  get descriptor(): number {
    // Of the others the bytes differ: fewer events, or an opening before them.
    return this.#bounds === null && this.#held === null ? this.#sink.descriptor : -1
  }

  /** The sink has been written to by its owner. */
  written(): void {
    if (this.#state === 'live') this.audience.written(this)
  }

  /** By the audience: what it has gathered of a round. `sentBytes`: of it, to the descriptor. */
  deliver(batch: Batch, sentBytes: number): void {
    if (sentBytes > 0) return this.#write(batch.bytes.subarray(sentBytes))
    // Only a sink that has said it is full is asked how full: a question to each would cost a fiftieth of the fan-out.
    if (this.#full) {
      const queuedBytes = this.#sink.queuedBytes
      // A batch that alone exceeds the limit still passes: one great event must reach a healthy subscriber.
      const fits = queuedBytes === 0 || queuedBytes + batch.bytes.length <= this.#hub.queueBytesMax
      if (!fits) return this.#fallBehind(batch.before)
    }
    if (this.#bounds === null) this.#writeEvents(batch.bytes)
    else this.#writeWithinBounds(batch.events, batch.frames, batch.before)
  }

  /** By the scheduler: one step towards the head. */
  advance(): void {
    this.#isWaiting = false
    if (this.#state !== 'behind' || this.#full || this.#finishIfReached()) return
    const rest = this.#hub.ring.after(this.#position, PAGE_BYTES)
    if (rest !== null) {
      this.#join(rest)
      return
    }
    if (!this.#logServesRest()) {
      // One that fell behind was promised the rest and is cut off; one that asked for the past gets what there is.
      if (this.#hasBeenLive) {
        this.end('slow')
        return
      }
      this.#position = (this.#hub.log.status.oldest - 1) as Position
      this.#tellGap('expired')
    }
    const page = this.#hub.catchUp.page(this, this.#position)
    if (page === null) this.#isWaiting = true
    else this.#take(page)
  }

  /** By the wheel: a sign of life, unless bytes are under way anyway; then a look whether they move. */
  keepAlive(lineAtHead: (encoding: SharedEncoding) => Uint8Array): void {
    if (this.#hasEnded) return
    if (this.#sink.queuedBytes === 0) {
      this.#stalledTurns = 0
      if (this.#state === 'live') this.#writeSignOfLife(lineAtHead(this.#encoding))
      else this.#writeSignOfLife(this.#keepAliveLine())
      return
    }
    const { takenBytes } = this.#sink
    if (takenBytes !== this.#takenBytes) this.#stalledTurns = 0
    else if (++this.#stalledTurns * this.#hub.wheel.intervalMs >= this.#hub.stallTimeoutMs)
      this.end('stalled')
    this.#takenBytes = takenBytes
  }

  get #encoding(): SharedEncoding {
    return this.audience.encoder.encoding
  }

  get #place(): Position {
    return this.#state === 'live' ? this.#hub.head : this.#position
  }

  get #hasEnded(): boolean {
    return this.#state === 'ending' || this.#state === 'ended'
  }

  #farewell(reason: CloseReason): Uint8Array {
    const cursor = this.#hub.log.cursorOf(this.#position)
    const closing = { reason, cursor, retryAfterMs: RETRY_AFTER_MS }
    return this.#encoding.closing(closing, Date.now())
  }

  #giveUp(): void {
    this.close()
    try {
      this.#sink.destroy()
    } catch (error) {
      this.#hub.onBug('closing a connection', error)
    }
  }

  #take(page: EncodedPage): void {
    // With the place before the page: who resumes there gets all of it that is whole.
    if (page.gap !== null) this.#tellGap(page.gap)
    const before = this.#position
    this.#position = page.reached
    if (page.parts !== null) {
      this.#writeWithinBounds(page.parts.events, page.parts.frames, before)
      if (this.#state !== 'behind') return
    } else if (page.bytes.length > 0) this.#writeEvents(page.bytes)
    if (page.hasFailed) this.end('internal')
    else this.#waitForTurn()
  }

  /** As many of the events as it may have. `before`: the place before the first. */
  #writeWithinBounds(
    events: readonly PublishedEvent[],
    frames: readonly Uint8Array[],
    before: Position,
  ): void {
    const count = this.#bounds!.admit(events)
    if (count > 0) this.#writeEvents(Buffer.concat(frames.slice(0, count)))
    if (this.#bounds!.isExhausted) this.endAt(events[count - 1]?.position ?? before, 'finished')
  }

  /** True when it has ended. */
  #finishIfReached(): boolean {
    if (this.#bounds === null || this.#position < this.#bounds.last) return false
    this.endAt(this.#position, 'finished')
    return true
  }

  #waitForTurn(): void {
    if (this.#full || this.#isWaiting) return
    this.#isWaiting = true
    this.#hub.catchUp.enqueue(this)
  }

  /** The step from the log to the live ones: synchronous, so no commit comes between the rest and the seat. */
  #join(rest: readonly PublishedEvent[]): void {
    const { events, frames, failure } = this.audience.due(rest)
    if (this.#bounds !== null) {
      this.#writeWithinBounds(events, frames, this.#position)
    } else if (frames.length > 0) this.#writeEvents(Buffer.concat(frames))
    if (this.#state !== 'behind') return // it has had enough, or the sink has found that the peer has gone
    if (failure !== null) return this.fail('catching up', failure.error, failure.before)
    this.#position = this.#hub.head
    if (this.#finishIfReached()) return
    this.#state = 'live'
    this.audience.join(this)
    if (this.#hasBeenLive) return
    this.#hasBeenLive = true
    // After the replay, as PyPubSub; the later ones are counted from this one.
    this.#writeSignOfLife(this.#keepAliveLine())
    this.#hub.wheel.remove(this)
    this.#hub.wheel.add(this)
  }

  #fallBehind(before: Position): void {
    this.#leaveAudience()
    this.#state = 'behind'
    this.#position = before
    if (!this.#logServesRest()) this.end('slow')
    else this.#waitForTurn()
  }

  #tellGap(reason: Gap['reason']): void {
    const cursor = this.#hub.log.cursorOf(this.#position)
    const frame = this.#encoding.gap({ reason, cursor }, Date.now())
    if (this.#held === null) this.#write(frame)
    else this.#held.push(frame)
  }

  #keepAliveLine(): Uint8Array {
    return this.#encoding.keepAlive(Date.now(), () => this.#hub.log.cursorOf(this.#place))
  }

  #writeEvents(bytes: Uint8Array): void {
    if (this.#held === null) {
      if (bytes.length > 0) this.#write(bytes)
      return
    }
    const opening = Buffer.concat([...this.#held, bytes])
    this.#held = null
    this.#write(opening)
  }

  #writeSignOfLife(line: Uint8Array): void {
    if (this.#held === null) this.#write(line)
  }

  #write(batch: Uint8Array): void {
    if (!this.#sink.write(batch)) this.#full = true
    this.written()
  }

  #leaveAudience(): void {
    if (this.#state === 'live') this.audience.leave(this)
  }

  #logServesRest(): boolean {
    return this.#position >= this.#hub.log.status.oldest - 1
  }
}

const EMPTY = new Uint8Array()

/** What a closed subscriber is asked to wait before it comes back. */
const RETRY_AFTER_MS = 1_000
