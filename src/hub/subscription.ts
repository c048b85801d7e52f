import type { Audience } from './audience.ts'
import { PAGE_BYTES, type CatchUp, type EncodedPage } from './catch-up.ts'
import type { CloseReason, Gap, SharedEncoding, Sink } from './encoding.ts'
import type { Position } from './event.ts'
import type { EventLog } from './event-log.ts'
import { KEEP_ALIVE_MS, type KeepAliveWheel } from './keep-alive.ts'
import type { Rights } from './rights.ts'
import type { Ring } from './ring.ts'

/** What a subscription needs of the hub it belongs to. */
export interface Surroundings {
  readonly log: EventLog
  readonly ring: Ring
  readonly catchUp: CatchUp
  readonly wheel: KeepAliveWheel
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
export class Subscription {
  /** Its place among the live members of its audience. */
  seat = -1
  /** Its place on the keep-alive wheel. */
  slot = -1
  audience: Audience
  readonly #hub: Surroundings
  readonly #sink: Sink
  #state: 'behind' | 'live' | 'ended' = 'behind'
  /** Everything up to here was handed over. Kept only while behind: a live one is at the head. */
  #position: Position
  /** The sink has said so, and will say when it has drained. */
  #full = false
  /** It will be asked to advance. */
  #isWaiting = false
  #hasBeenLive = false
  #takenBytes = 0
  #stalledTurns = 0

  constructor(hub: Surroundings, audience: Audience, sink: Sink) {
    this.#hub = hub
    this.audience = audience
    this.#sink = sink
    this.#position = hub.head
  }

  /** Begins after a position. At the head that is at once: nothing of the log need be read. */
  open(opening: Uint8Array, from: Position): void {
    this.#position = from
    this.#hub.wheel.add(this)
    this.#write(opening)
    if (from === this.#hub.head) this.advance()
    else this.#waitForTurn()
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
    if (this.#state === 'ended') return
    const { log, head } = this.#hub
    const cursor = log.cursorOf(this.#state === 'live' ? head : this.#position)
    const closing = { reason, cursor, retryAfterMs: RETRY_AFTER_MS }
    const farewell = this.audience.encoder.encoding.closing(closing, Date.now())
    this.close()
    this.#sink.end(reason, farewell)
  }

  /** From now on the peer sees what these rights allow. Nothing is missed: it moves between rounds. */
  setRights(rights: Rights): void {
    if (this.#state === 'ended' || rights.key === this.audience.rights.key) return
    const wasLive = this.#state === 'live'
    if (wasLive) this.audience.leave(this)
    this.audience = this.#hub.moveAudience(this.audience, rights)
    if (wasLive) this.audience.join(this)
  }

  /** By the audience: a round's bytes. `before` is the position before its first event. */
  deliver(batch: Uint8Array, before: Position): void {
    // Only a sink that has said it is full is asked how full: a question to each would cost a fiftieth of the fan-out.
    if (!this.#full) {
      this.#write(batch)
      return
    }
    const queuedBytes = this.#sink.queuedBytes
    // A batch that alone exceeds the limit still passes: one great event must reach a healthy subscriber.
    if (queuedBytes === 0 || queuedBytes + batch.length <= this.#hub.queueBytesMax)
      this.#write(batch)
    else this.#fallBehind(before)
  }

  /** By the scheduler: one step towards the head. */
  advance(): void {
    this.#isWaiting = false
    if (this.#state !== 'behind' || this.#full) return
    const rest = this.#hub.ring.after(this.#position, PAGE_BYTES)
    if (rest !== null) {
      this.#join(
        rest
          .filter((event) => this.audience.wants(event))
          .map((event) => this.#encoding.event(event)),
      )
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
  keepAlive(lineOf: (encoding: SharedEncoding) => Uint8Array): void {
    const takenBytes = this.#sink.takenBytes
    if (this.#sink.queuedBytes === 0) {
      this.#stalledTurns = 0
      this.#write(lineOf(this.#encoding))
    } else if (takenBytes !== this.#takenBytes) this.#stalledTurns = 0
    else if (++this.#stalledTurns * KEEP_ALIVE_MS >= this.#hub.stallTimeoutMs) this.end('stalled')
    this.#takenBytes = takenBytes
  }

  get #encoding(): SharedEncoding {
    return this.audience.encoder.encoding
  }

  #take(page: EncodedPage): void {
    // With the place before the page: who resumes there gets all of it that is whole.
    if (page.hasGap) this.#tellGap('damaged')
    this.#position = page.reached
    if (page.bytes.length > 0) this.#write(page.bytes)
    this.#waitForTurn()
  }

  #waitForTurn(): void {
    if (this.#full || this.#isWaiting) return
    this.#isWaiting = true
    this.#hub.catchUp.enqueue(this)
  }

  /** The step from the log to the live ones: synchronous, so no commit comes between the rest and the seat. */
  #join(rest: readonly Uint8Array[]): void {
    if (rest.length > 0) this.#write(Buffer.concat(rest))
    this.#state = 'live'
    this.audience.join(this)
    if (this.#hasBeenLive) return
    this.#hasBeenLive = true
    // After the replay, as PyPubSub; the later ones are counted from this one.
    this.#write(this.#encoding.keepAlive(Date.now()))
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
    this.#write(this.#encoding.gap({ reason, cursor }, Date.now()))
  }

  #write(batch: Uint8Array): void {
    if (!this.#sink.write(batch)) this.#full = true
  }

  #leaveAudience(): void {
    if (this.#state === 'live') this.audience.leave(this)
  }

  #logServesRest(): boolean {
    return this.#position >= this.#hub.log.status.oldest - 1
  }
}

/** What a closed subscriber is asked to wait before it comes back. */
const RETRY_AFTER_MS = 1_000
