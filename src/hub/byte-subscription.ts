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

  /** It may end within a page. */
  get wantsParts(): boolean {
    return this.bounds !== null
  }

  /** All others have bytes of their own: fewer events, or an opening before them. */
  get directSink(): Sink | null {
    return this.bounds === null && this.#held === null ? this.outlet : null
  }

  /** Called by the audience with what it has gathered of a round. */
  deliver(batch: Batch, sentBytes: number): void {
    if (sentBytes > 0) return this.#write(batch.bytes.subarray(sentBytes))
    // Only a sink that has said it is full is asked how full: a question to each would cost a fiftieth of the fan-out.
    if (this.isFull) {
      const { queuedBytes } = this.outlet
      // A batch that alone exceeds the limit still passes: one great event must reach a healthy subscriber.
      const fits = queuedBytes === 0 || queuedBytes + batch.bytes.length <= this.hub.queueBytesMax
      if (!fits) return this.fallBehind(batch.before)
    }
    if (this.bounds === null) this.#writeEvents(batch.bytes)
    else this.handWithinBounds(batch, batch.before)
  }

  protected handOver({ frames }: DueNow, bytes: Uint8Array | null): void {
    this.#writeEvents(bytes ?? Buffer.concat(frames))
  }

  protected handGap(gap: Gap): void {
    const frame = this.#encoding.gap(gap, Date.now())
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
    if (!this.outlet.write(batch)) this.isFull = true
    this.written()
  }
}

const EMPTY = new Uint8Array()
