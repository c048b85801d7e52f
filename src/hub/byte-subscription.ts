import { Asides } from './asides.ts'
import type { Audience, Batch } from './audience.ts'
import type { Gap, SharedEncoding, Sink } from './encoding.ts'
import type { Position } from './event.ts'
import {
  Subscription,
  type DueNow,
  type EndOfSubscription,
  type HubInternals,
  type Manner,
} from './subscription.ts'

/** The bytes of an encoding, which all get who are due the same. */
export interface SharedBytes {
  readonly encoding: SharedEncoding
  readonly sink: Sink
  /** Goes to the sink before everything else, once it is sure that there will be a stream: an HTTP head, a gap. */
  readonly opening: Uint8Array
  /** Nothing is sent before the first event, the opening neither. */
  readonly holdsOpening?: boolean
}

/** One whose bytes are those of its whole audience. */
export class ByteSubscription extends Subscription {
  protected readonly outlet: Sink
  /** What goes before the first event, while there was none and nothing may be sent before. */
  #held: Uint8Array[] | null
  readonly #holdsOpening: boolean
  /** What was told while it was behind, and is not said yet. `null`: nothing. */
  #asides: Asides | null = null

  constructor(
    hub: HubInternals,
    audience: Audience,
    { sink, opening, holdsOpening = false }: SharedBytes,
    manner: Manner,
  ) {
    super(hub, audience, manner)
    this.outlet = sink
    this.#held = [opening]
    this.#holdsOpening = holdsOpening
  }

  override begin(from: Position): void {
    super.begin(from)
    // With the first sign of life, where that comes now: a write costs more than all the rest of this.
    if (!this.#holdsOpening)
      this.#writeEvents(this.state === 'live' ? this.#keepAliveLine() : EMPTY)
  }

  protected get hasNoQueue(): boolean {
    return false
  }

  /** It may end within a page, or is to be told something there. */
  get wantsParts(): boolean {
    return this.bounds !== null || this.#asides !== null
  }

  /** From now on events come in another form. Nothing is missed: it moves between rounds. */
  setEncoding(encoding: SharedEncoding): void {
    if (this.hasEnded || encoding.key === this.#encoding.key) return
    this.moveTo(this.hub.withEncoding(this, encoding))
  }

  /**
   * Bytes of its own that are no event: behind all events that were delivered to others before, and before those that come later. One
   * that is behind ends as `slow` where more of them wait than it may have queued.
   */
  tell(bytes: Uint8Array): void {
    if (this.state === 'live') {
      if (!this.isFull || this.#hasRoomFor(bytes)) return this.#writeEvents(bytes)
      this.fallBehind(this.hub.head)
    }
    if (this.state !== 'behind') return
    this.#asides ??= new Asides()
    const isTooMuch = this.#asides.bytes + bytes.length > this.hub.queueBytesMax
    if (isTooMuch && !this.#asides.isEmpty) return this.end('slow')
    this.#asides.add(this.hub.head, bytes)
  }

  /** All others have bytes of their own: fewer events, or an opening before them. */
  get directSink(): Sink | null {
    return this.bounds === null && this.#held === null ? this.outlet : null
  }

  /** Called by the audience with what it has gathered of a round. */
  deliver(batch: Batch, sentBytes: number): void {
    if (sentBytes > 0) return this.#write(batch.bytes.subarray(sentBytes))
    // Only a sink that has said it is full is asked how full: a question to each would cost a fiftieth of the fan-out.
    if (this.isFull && !this.#hasRoomFor(batch.bytes)) return this.fallBehind(batch.before)
    if (this.bounds === null) this.#writeEvents(batch.bytes)
    else this.handWithinBounds(batch, batch.before)
  }

  protected handOver({ events, frames }: DueNow, bytes: Uint8Array | null): void {
    if (bytes !== null || this.#asides === null)
      return this.#writeEvents(bytes ?? Buffer.concat(frames))
    const parts: Uint8Array[] = []
    for (const [n, frame] of frames.entries())
      parts.push(...this.#asides.takeBefore(events[n]!.position), frame)
    this.#writeEvents(Buffer.concat(parts))
  }

  protected override passed(position: Position): void {
    if (this.#asides === null) return
    const due = this.#asides.takeBefore((position + 1) as Position)
    if (this.#asides.isEmpty) this.#asides = null
    if (due.length > 0) this.#writeEvents(Buffer.concat(due))
  }

  protected handGap(gap: Gap): void {
    const frame = this.#encoding.gap(gap, Date.now())
    if (frame === null) return this.end('unavailable')
    if (frame.length === 0) return
    if (this.#held === null) this.#write(frame)
    else this.#held.push(frame)
  }

  protected giveSignOfLife(lineAtHead?: (encoding: SharedEncoding) => Uint8Array): void {
    const line = lineAtHead?.(this.#encoding) ?? this.#keepAliveLine()
    if (this.#held === null) this.#write(line)
  }

  protected sayEnd({ reason, cursor, retryAfterMs, hangUp }: EndOfSubscription): void {
    // `finished` without events is an empty 200; any other reason before the first event lets the sink send an error.
    if (reason === 'finished') this.#writeEvents(EMPTY)
    const farewell =
      this.#held === null
        ? this.#encoding.closing({ reason, cursor: cursor(), retryAfterMs }, Date.now())
        : null
    hangUp()
    this.outlet.end(reason, farewell)
  }

  /** One batch that alone exceeds the limit still passes: one great event must reach a healthy subscriber. */
  #hasRoomFor({ length }: Uint8Array): boolean {
    const { queuedBytes } = this.outlet
    return queuedBytes === 0 || queuedBytes + length <= this.hub.queueBytesMax
  }

  get #encoding(): SharedEncoding {
    return this.audience.encoder!.encoding
  }

  #keepAliveLine(): Uint8Array {
    return this.#encoding.keepAlive(Date.now(), () => this.hub.log.cursorOf(this.place))
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

  #write(batch: Uint8Array): void {
    // An encoding may have no word for what would be here.
    if (batch.length > 0 && !this.outlet.write(batch)) this.isFull = true
    this.written()
  }
}

const EMPTY = new Uint8Array()
