import { withLast } from '../../hub/with-last.ts'
import type { Delivery, SentPart } from './delivery.ts'
import { ViolationError } from './violation-error.ts'

/** One part of a delivery, before it is signed. */
export interface DeliveryPart {
  readonly delivery: Delivery
  readonly partId: number
  readonly body: Uint8Array
  /** It is all of it. */
  readonly isWhole: boolean
}

export interface DeliveryPorts {
  sendPart(part: DeliveryPart): void
  sendMissed(topic: Uint8Array): void
  /** Whether some interest is left because of which a message on this topic is due. */
  isWanted(topic: Uint8Array): boolean
  /** The peer takes what it gets: it has not left too much of it in its connection. */
  readonly isTaking: () => boolean
  /** Nothing waits any more, after something had to. */
  drained(): void
}

/**
 * What one subscriber was handed and has not yet acknowledged. The parts of a message follow each other with no part of
 * another and no MISSED between them: lonelypsc 0.0.17 would shut down for good. No more comes from the hub while something
 * waits, so that what waits is one batch of the hub's.
 */
export class Deliveries {
  readonly #ports: DeliveryPorts
  /** The bytes of a message in one part. */
  readonly #partBytesMax: number
  /** Some parts of the first one may have gone out. */
  readonly #waiting: Waiting[] = []
  #hasWaited = false
  #interestsVersion = 0
  /** In the order in which they went out, and in which they are to be acknowledged. */
  #unacknowledged: SentPart[] = []
  #isOver = false

  constructor(ports: DeliveryPorts, partBytesMax: number) {
    this.#ports = ports
    this.#partBytesMax = partBytesMax
  }

  /** Something could not be sent yet: an acknowledgement is to come, or it is being compressed, or the peer takes nothing. */
  get isWaiting(): boolean {
    return this.#waiting.length > 0
  }

  /**
   * One that whoever asks sends himself, as others get the very same bytes. `false`: it has to wait, or goes out in parts.
   */
  mayPass(delivery: Delivery): boolean {
    if (this.#waiting.length > 0 || this.#isBlocked || this.#isOver) return false
    if (delivery.message.length > this.#partBytesMax) return false
    this.#unacknowledged = withLast(this.#unacknowledged, delivery.lastPart)
    return true
  }

  /** `compressing`: the form in which it is to go out. What is behind it waits for it, too. */
  deliver(delivery: Delivery, compressing: Promise<Delivery> | null = null): void {
    const { topic, message } = delivery
    if (message.length > PARTS_MAX * this.#partBytesMax) return this.missed(topic)
    const interestsVersion = this.#interestsVersion
    const isReady = compressing === null
    const waiting = { topic, delivery, isReady, sentParts: 0, sentBytes: 0, interestsVersion }
    this.#wait(waiting)
    void compressing?.then((compressed) => this.#ready(waiting, compressed))
  }

  /** Behind what waits, as it is later. */
  missed(topic: Uint8Array): void {
    this.#wait({ topic, delivery: null, interestsVersion: this.#interestsVersion })
  }

  /** The peer has taken something. */
  advance(): void {
    if (this.#waiting.length > 0) this.#advance()
  }

  /** An interest is gone: of what waits, only what is still wanted goes out. What has begun is completed. */
  recheck(): void {
    this.#interestsVersion++
  }

  /**
   * `partId`: `null` for the last part of a message.
   * @throws {ViolationError} it is not the one to come.
   */
  acknowledge(identifier: Uint8Array, partId: number | null): void {
    const expected = this.#unacknowledged[0]
    if (expected === undefined) throw new ViolationError('nothing is to be acknowledged')
    if (Buffer.compare(identifier, expected.identifier) !== 0 || partId !== expected.partId)
      throw new ViolationError('another part is to be acknowledged first')
    this.#acknowledged()
  }

  /**
   * What the next acknowledgement is in the form in which most of them come, where nothing is to be proven. Most messages are
   * acknowledgements, and to compare one costs a tenth of reading it. `false`: it is to be read.
   */
  isAcknowledgedBy(bytes: Uint8Array): boolean {
    const confirmation = this.#unacknowledged[0]?.plainConfirmation
    if (confirmation === undefined || confirmation === null || !confirmation.equals(bytes))
      return false
    this.#acknowledged()
    return true
  }

  end(): void {
    this.#isOver = true
    this.#waiting.length = 0
  }

  get #isBlocked(): boolean {
    return this.#unacknowledged.length >= UNACKNOWLEDGED_PARTS_MAX || !this.#ports.isTaking()
  }

  #acknowledged(): void {
    this.#unacknowledged.shift()
    this.#advance()
  }

  #wait(waiting: Waiting): void {
    if (this.#isOver) return
    this.#waiting.push(waiting)
    this.#advance()
  }

  #ready(waiting: Message, compressed: Delivery): void {
    if (this.#isOver) return
    waiting.delivery = compressed
    waiting.isReady = true
    this.#advance()
  }

  #advance(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (first.delivery !== null && (!first.isReady || this.#isBlocked)) {
        this.#hasWaited = true
        return
      }
      const hasBegun = first.delivery !== null && first.sentParts > 0
      if (hasBegun || this.#isWanted(first)) {
        if (first.delivery === null) this.#ports.sendMissed(first.topic)
        else if (!this.#sendPart(first)) continue
        if (this.#isOver) return
      }
      this.#waiting.shift()
    }
    if (!this.#hasWaited || this.#isOver) return
    this.#hasWaited = false
    this.#ports.drained()
  }

  #isWanted({ topic, interestsVersion }: Waiting): boolean {
    return interestsVersion === this.#interestsVersion || this.#ports.isWanted(topic)
  }

  /** Whether it was the last of its message. */
  #sendPart(waiting: Message): boolean {
    const { delivery, sentBytes } = waiting
    const { message, identifier } = delivery
    const partId = waiting.sentParts
    const body = message.subarray(sentBytes, sentBytes + this.#partBytesMax)
    waiting.sentParts++
    waiting.sentBytes += body.length
    const isLast = waiting.sentBytes === message.length
    const sent = isLast ? delivery.lastPart : { identifier, partId, plainConfirmation: null }
    this.#unacknowledged = withLast(this.#unacknowledged, sent)
    this.#ports.sendPart({ delivery, partId, body, isWhole: partId === 0 && isLast })
    return isLast
  }
}

interface Message {
  readonly topic: Uint8Array
  /** With the interests of that version it was due. */
  readonly interestsVersion: number
  delivery: Delivery
  /** It has the form in which it is to go out. */
  isReady: boolean
  sentParts: number
  sentBytes: number
}

interface Missed {
  readonly topic: Uint8Array
  readonly interestsVersion: number
  readonly delivery: null
}

type Waiting = Message | Missed

/** Parts on their way, of all messages together. 3 is what lonelypss 0.0.11 allows. */
const UNACKNOWLEDGED_PARTS_MAX = 3

/** A subscriber that signs cannot acknowledge a part id above 255, and does not acknowledge the last part's. */
const PARTS_MAX = 257
