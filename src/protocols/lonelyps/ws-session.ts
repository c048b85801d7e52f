import { hash, randomBytes } from 'node:crypto'
import { PubSubError } from '../../publication/errors.ts'
import {
  authorizationOf,
  plainAuthorizationOf,
  SYSTEM_SOURCES,
  type Secrets,
  type SignerSources,
  type Verifier,
} from './authorization.ts'
import { MalformedError } from './byte-reader.ts'
import { PLAIN_ZSTD, type Compressor } from './compressor.ts'
import { Deliveries, type DeliveryPart } from './deliveries.ts'
import type { Delivery } from './delivery.ts'
import { compileGlob, type CompiledGlob } from './glob.ts'
import { interestKey, type Interest } from './interests.ts'
import {
  checkContent,
  checkSha512,
  PartialNotification,
  refusalOf,
  type ContentRules,
  type Unproven,
} from './partial-notification.ts'
import { signed, type Signed } from './signed-bytes.ts'
import { topicOf } from './topic.ts'
import { LimitExceededError } from '../../publication/errors.ts'
import { ViolationError } from './violation-error.ts'
import { readSubscriberMessage, writeBroadcasterMessage } from './ws-codec.ts'
import type { BroadcasterMessage, Content, SubscriberMessage } from './ws-messages.ts'

/** What a session asks of a `Verifier`. */
type Verifying = Pick<Verifier, 'verify' | 'verifyAs'>

/** What a session asks of its connection, and of the hub. */
export interface SessionPorts {
  /** One binary WebSocket message. They go out in this order. Calls nothing of the session but `end()`. */
  send(bytes: Uint8Array): void
  /** The same as a whole WebSocket frame, which others get, too: it is not to be changed. */
  sendFrame(frame: Uint8Array): void
  /**
   * The session has ended: the subscriber broke a rule, or a port refused something, which is the `cause` then. Called
   * once at most, and not after `end()`.
   */
  close(reason: string, cause?: unknown): void
  /** The subscriber has proven who it is, and is bound to that. Before it nothing else is asked but `close()`. */
  /** @throws {PubSubError} it cannot be served now. */
  configured(secrets: Secrets): void
  /** From now on `deliver()` is due. @throws what the subscriber is closed with. */
  subscribe(interest: Interest): void
  /** The subscriber has asked for it. */
  unsubscribe(interest: Interest): void
  /** The session has ended, whoever has ended it, and with it what is left of its interests: there may be ten thousand. */
  ended(interests: Iterable<Interest>): void
  /**
   * Resolves with the number of subscribers once the notification is in the log, in the order in which it was asked for.
   * @throws at once, what may not be notified.
   */
  notify(topic: Uint8Array, message: Uint8Array): Promise<number>
  /**
   * A notification is too great for us, in some way. Its sender is told that it has reached nobody: any other answer would be the end
   * of the connection, upon which a client sends the same again.
   */
  refused(reason: string): void
  /** So many bytes of notifications are held for the subscriber from now on. */
  holds(bytes: number): void
  /** The peer takes what it gets: it has not left too much of it in its connection. Else `taken()` says when it does. */
  readonly isTaking: () => boolean
  /** Nothing waits any more, after something had to. */
  drained(): void
  /** After `receive()` has said `false`: everything is answered. */
  readOn(): void
}

export interface SessionSources extends SignerSources {
  readonly randomBytes: (count: number) => Buffer
}

export interface SessionLimits {
  /** The longest notification, in bytes. */
  readonly messageBytesMax: number
  /** The bytes of a message in one part of its delivery. */
  readonly partBytesMax?: number
}

/**
 * Below 4 MiB with all headers: of a longer WebSocket message lonelypsc 0.0.17 says that it is too big, and loses it.
 */
const PART_BYTES_MAX = 3.5 * 1024 * 1024

/** With so many `receive()` says `false`. lonelypss 0.0.11 disconnects then, of which a burst of requests is no cause. */
const UNANSWERED_ENOUGH = 255

/** What the transport has read already may come nevertheless: 64 KiB hold some 3,000 of the shortest requests. */
const UNANSWERED_MAX = 4_096

/**
 * One subscriber's WebSocket, without the socket. Requests are answered in the order in which they came: the subscriber has
 * one queue of the answers it expects (docs/protocols/lonelyps.md). Notifications behind each other are under way together;
 * what changes subscriptions waits for those before it, and those behind it wait for it. Acknowledgements of deliveries are
 * taken at once, so that a slow log holds up no deliveries.
 */
export class WsSession {
  readonly #ports: SessionPorts
  readonly #verifier: Verifying
  readonly #sources: SessionSources
  readonly #presets: Presets
  readonly #messageBytesMax: number
  readonly #deliveries: Deliveries
  /** The subscriber's secrets. `null`: it has sent no CONFIGURE, for which the transport waits a few seconds only. */
  #secrets: Secrets | null = null
  #hasEnded = false
  /** The connection's nonce, made of both sides' nonces. A part of what is signed. */
  #nonce = ''
  #subscriberCounter = 0
  #broadcasterCounter = 0
  /** What both sides may compress with. */
  #compressors: readonly Compressor[] = []
  /** What the delivery that is going out is signed with. */
  #deliveryUrl = ''
  /** Authorized and not yet begun. */
  readonly #requests: Request[] = []
  #unanswered = 0
  #unansweredBytes = 0
  #isStarting = false
  /** One of them is refused, and nothing more is answered. */
  #isRefused = false
  /** One of them will be. */
  #beginsNoMore = false
  /** All that were begun so far are. */
  #answered: Promise<void> = Promise.resolve()
  #isAhead = false
  #partial: PartialNotification | null = null
  readonly #subscriptions = new Map<string, Subscription>()

  constructor(
    ports: SessionPorts,
    verifier: Verifying,
    limits: SessionLimits,
    presets: Presets = NO_PRESETS,
    sources: SessionSources = { ...SYSTEM_SOURCES, randomBytes },
  ) {
    this.#sources = sources
    this.#presets = presets
    this.#ports = ports
    this.#verifier = verifier
    this.#messageBytesMax = limits.messageBytesMax
    this.#deliveries = new Deliveries(
      {
        sendPart: (part) => this.#sendPart(part),
        sendMissed: (topic) => this.#sendMissed(topic),
        isWanted: (topic) => this.#isWanted(topic),
        isTaking: ports.isTaking,
        drained: () => ports.drained(),
      },
      limits.partBytesMax ?? PART_BYTES_MAX,
    )
  }

  get interests(): Iterable<Interest> {
    return this.#subscriptions.values().map(({ interest }) => interest)
  }

  get interestCount(): number {
    return this.#subscriptions.size
  }

  /** Something that was delivered could not be sent yet; `drained()` says when all of it has been. */
  get isWaiting(): boolean {
    return this.#deliveries.isWaiting
  }

  /** The peer has taken something of what it got. */
  taken(): void {
    this.#deliveries.advance()
  }

  /**
   * One whole binary message, whose bytes are the session's from now on. `false`: nothing more is to be handed over
   * until `readOn()`.
   */
  receive(bytes: Uint8Array): boolean {
    if (this.#hasEnded) return true
    const isPlain = this.#secrets?.toBroadcaster.type === 'none'
    if (isPlain && this.#deliveries.isAcknowledgedBy(bytes)) {
      this.#subscriberCounter--
      return !this.#isAhead
    }
    try {
      if (this.#secrets === null) this.#configure(readSubscriberMessage(bytes))
      else this.#take(this.#secrets, readSubscriberMessage(bytes))
    } catch (error) {
      if (!isOfPeer(error)) throw error
      this.#close(error.message)
    }
    const isFull =
      this.#unanswered >= UNANSWERED_ENOUGH || this.#unansweredBytes > this.#messageBytesMax
    this.#isAhead ||= isFull
    return !this.#isAhead
  }

  /** Once, however many interests match. It is taken in any case; while `isWaiting`, no more is to come. */
  deliver(delivery: Delivery): void {
    // Before CONFIGURE it cannot have asked for anything.
    if (this.#secrets === null) return
    if (this.#compressors.length > 0 && !this.#hasEnded) {
      const compressor = this.#compressors.find((each) => each.isFor(delivery.message.length))
      if (compressor !== undefined)
        return this.#deliveries.deliver(delivery, delivery.compressed(compressor))
    }
    if (this.#deliveries.mayPass(delivery)) this.#sendWhole(delivery)
    else this.#deliveries.deliver(delivery)
  }

  /** Tells the subscriber that it may have lost messages on this topic. */
  missed(topic: Uint8Array): void {
    if (this.#secrets !== null) this.#deliveries.missed(topic)
  }

  /** The connection is gone. What was notified before is published nevertheless. */
  end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#partial = null
    this.#tellHeld()
    this.#deliveries.end()
    this.#ports.ended(this.interests)
  }

  #close(reason: string, cause?: unknown): void {
    if (this.#hasEnded) return
    this.end()
    this.#ports.close(reason, cause)
  }

  #configure(message: SubscriberMessage): void {
    if (message.type !== 'CONFIGURE') throw new ViolationError(`${message.type} before CONFIGURE`)
    const { subscriberNonce, enableZstd, enableTraining, initialDictionary } = message
    const { authorization, tracing } = message
    const verdict = this.#verifier.verify(
      authorization,
      signed.configure(subscriberNonce, enableZstd, enableTraining, initialDictionary),
      tracing,
    )
    if (verdict.type !== 'ok') throw new ViolationError(`CONFIGURE is ${verdict.type}`)
    const broadcasterNonce = this.#sources.randomBytes(NONCE_BYTES)
    this.#nonce = hash('sha256', Buffer.concat([subscriberNonce, broadcasterNonce]), 'base64')
    this.#secrets = verdict.secrets
    try {
      this.#ports.configured(verdict.secrets)
    } catch (error) {
      if (!(error instanceof PubSubError)) throw error
      return this.#close('refused', error)
    }
    this.#send(
      { type: 'CONFIRM_CONFIGURE', broadcasterNonce },
      signed.confirmConfigure(broadcasterNonce),
    )
    if (!enableZstd) return
    this.#enable(PLAIN_ZSTD)
    // The subscriber would close upon one that it does not know; without one that we do not know it goes on.
    const preset = this.#presets.get(initialDictionary)
    if (preset !== undefined) this.#enable(preset)
  }

  #enable(compressor: Compressor): void {
    const { identifier, level, messageBytesMin, messageBytesEnd } = compressor
    const preset = { compressor: identifier, level, messageBytesMin, messageBytesEnd }
    this.#compressors = [...this.#compressors, compressor]
    this.#send(
      { type: 'ENABLE_ZSTD_PRESET', ...preset },
      signed.enableZstdPreset(this.#nextBroadcasterUrl(), preset),
    )
  }

  /** In the order in which they come: the counters go by it. */
  #take(secrets: Secrets, message: SubscriberMessage): void {
    const authorize = (what: Signed) => {
      const { type, authorization, tracing } = message
      if (!this.#verifier.verifyAs(secrets, authorization, what, tracing))
        throw new ViolationError(`${type} is not authorized`)
    }
    switch (message.type) {
      case 'CONFIGURE':
        throw new ViolationError('a second CONFIGURE')
      case 'SUBSCRIBE_EXACT':
      case 'UNSUBSCRIBE_EXACT': {
        const { type, topic } = message
        const url = this.#nextSubscriberUrl()
        authorize(signed.subscribeExact(url, null, topic))
        return this.#request({ type, interest: { type: 'exact', topic: Buffer.from(topic) }, url })
      }
      case 'SUBSCRIBE_GLOB':
      case 'UNSUBSCRIBE_GLOB': {
        const { type, glob } = message
        const url = this.#nextSubscriberUrl()
        authorize(signed.subscribeGlob(url, null, glob))
        return this.#request({ type, interest: { type: 'glob', glob }, url })
      }
      case 'NOTIFY': {
        const { identifier, content, body } = message
        if (this.#partial !== null)
          throw new ViolationError('NOTIFY before a NOTIFY_STREAM is whole')
        authorize(signed.notify(content.topic, identifier, content.compressedSha512))
        const compressor = checkContent(content, this.#contentRules)
        const reason = refusalOf(content, this.#contentRules)
        // The confirmation of what is compressed is signed with the hash of what we do not unpack.
        if (reason !== null && compressor !== null) throw new ViolationError(reason)
        if (body.length !== content.compressedBytes)
          throw new ViolationError(`${body.length} bytes instead of ${content.compressedBytes}`)
        checkSha512(hash('sha512', body, 'buffer'), content)
        if (reason !== null)
          return this.#request({ type: 'NOTIFY_REFUSED', identifier, content, reason })
        return this.#request({
          type: 'NOTIFY',
          identifier,
          content,
          message: body,
          compression: compressor && { compressor, secrets, unproven: null },
        })
      }
      case 'NOTIFY_STREAM': {
        const partial = this.#partial ?? new PartialNotification(message, this.#contentRules)
        const { identifier, content, compressor, refusal } = partial
        // A later part is judged by what part 0 has said, too.
        const about = signed.notify(content.topic, identifier, content.compressedSha512)
        const mayBeOfDecompressed =
          compressor !== null && message.partId > 0 && secrets.toBroadcaster.type === 'hmac'
        if (!mayBeOfDecompressed) authorize(about)
        // Part 0 was proven, and nothing is made of the rest of what is refused.
        else if (
          refusal === null &&
          !this.#verifier.verifyAs(secrets, message.authorization, about, message.tracing)
        )
          partial.addUnproven(message)
        partial.add(message)
        this.#partial = partial.isComplete ? null : partial
        this.#tellHeld()
        if (partial.isComplete && refusal !== null)
          return this.#request({ type: 'NOTIFY_REFUSED', identifier, content, reason: refusal })
        return this.#request(
          partial.isComplete
            ? {
                type: 'NOTIFY',
                identifier,
                content,
                message: partial.message(),
                compression: compressor && { compressor, secrets, unproven: partial.unproven },
              }
            : { type: 'NOTIFY_STREAM', identifier, partId: message.partId },
        )
      }
      case 'CONTINUE_RECEIVE': {
        const { identifier, partId } = message
        authorize(signed.continueReceive(identifier, partId, this.#nextSubscriberUrl()))
        return this.#deliveries.acknowledge(identifier, partId)
      }
      case 'CONFIRM_RECEIVE':
      default: {
        const { identifier, subscribers } = message
        authorize(signed.confirmReceive(identifier, subscribers, this.#nextSubscriberUrl()))
        return this.#deliveries.acknowledge(identifier, null)
      }
    }
  }

  #request(request: Request): void {
    // The transport was told to wait before.
    if (this.#unanswered >= UNANSWERED_MAX)
      throw new ViolationError(`more than ${UNANSWERED_MAX} requests are unanswered`)
    this.#unanswered++
    this.#unansweredBytes += bytesOf(request)
    this.#requests.push(request)
    if (request.type === 'NOTIFY') this.#tellHeld()
    if (!this.#isStarting) void this.#startAll()
  }

  /** Begins them in the order in which they came. */
  async #startAll(): Promise<void> {
    this.#isStarting = true
    while (!this.#beginsNoMore) {
      const next = this.#requests.shift()
      if (next === undefined) break
      try {
        if (next.type === 'NOTIFY') {
          const { message, content, compression } = next
          const sent = { message, sha512: content.compressedSha512 }
          const notified = compression === null ? sent : await this.#unpacked(next, compression)
          this.#answer(next, this.#notify(next, notified))
        } else this.#answer(next, Promise.resolve(this.#answerTo(next)))
      } catch (error) {
        // What comes behind it stays unanswered, and is not begun any more; what came before is answered first.
        this.#beginsNoMore = true
        this.#answer(next, Promise.reject(error))
      }
      // What it notifies behind this is due to it, or not, by what it has asked for here.
      if (!next.type.startsWith('NOTIFY')) await this.#answered
    }
    this.#isStarting = false
  }

  /** `answer`: sends it, once it is known; its turn comes when all before it are sent. */
  #answer(request: Request, answer: Promise<() => void>): void {
    answer.catch(() => {}) // it is met when its turn comes
    this.#answered = this.#answerBehind(this.#answered, request, answer)
  }

  async #answerBehind(
    before: Promise<void>,
    request: Request,
    answer: Promise<() => void>,
  ): Promise<void> {
    await before
    try {
      if (!this.#isRefused) (await answer)()
    } catch (error) {
      this.#refuse(error)
    }
    this.#unanswered--
    this.#unansweredBytes -= bytesOf(request)
    if (request.type === 'NOTIFY') this.#tellHeld()
    if (this.#unanswered > 0 || !this.#isAhead || this.#hasEnded) return
    this.#isAhead = false
    this.#ports.readOn()
  }

  #refuse(error: unknown): void {
    this.#isRefused = true
    this.#beginsNoMore = true
    if (isOfPeer(error)) this.#close(error.message)
    else this.#close('a request was refused', error)
  }

  #answerTo(request: Exclude<Request, NotifyRequest>): () => void {
    switch (request.type) {
      case 'NOTIFY_STREAM': {
        const { identifier, partId } = request
        const about = signed.continueNotify(identifier, partId)
        return () => this.#send({ type: 'CONTINUE_NOTIFY', identifier, partId }, about)
      }
      case 'NOTIFY_REFUSED': {
        const { identifier, content, reason } = request
        this.#ports.refused(reason)
        return () => this.#confirmNotify({ identifier, content }, 0, content.compressedSha512)
      }
      case 'SUBSCRIBE_EXACT':
      case 'SUBSCRIBE_GLOB':
        return () => this.#subscribe(request)
      case 'UNSUBSCRIBE_EXACT':
      case 'UNSUBSCRIBE_GLOB':
      default:
        return () => this.#unsubscribe(request)
    }
  }

  async #unpacked(request: NotifyRequest, compression: Compression): Promise<Notified> {
    const { message, sha512 } = await this.#decompress(request, compression)
    // The reference signs that of the decompressed message unless it came in parts.
    const isWhole = compression.unproven === null
    return { message, sha512: isWhole ? sha512 : request.content.compressedSha512 }
  }

  /** @throws at once, what may not be notified. */
  #notify(request: NotifyRequest, { message, sha512 }: Notified): Promise<() => void> {
    let notified: Promise<number>
    try {
      notified = this.#ports.notify(request.content.topic, message)
    } catch (error) {
      if (!(error instanceof LimitExceededError)) throw error
      this.#ports.refused(error.message)
      notified = Promise.resolve(0)
    }
    return notified.then((subscribers) => () => this.#confirmNotify(request, subscribers, sha512))
  }

  #confirmNotify(
    { identifier, content }: Pick<NotifyRequest, 'identifier' | 'content'>,
    subscribers: number,
    sha512: Uint8Array,
  ): void {
    this.#send(
      { type: 'CONFIRM_NOTIFY', identifier, subscribers },
      signed.confirmNotify(identifier, subscribers, content.topic, sha512),
    )
  }

  #tellHeld(): void {
    this.#ports.holds((this.#partial?.heldBytes ?? 0) + this.#unansweredBytes)
  }

  /**
   * Where a message became longer by it, lonelypsc 0.0.17 signs parts after part 0 with the hash of the decompressed message
   * (docs/protocols/lonelyps.md). Part 0 has proven the bytes before; who sends such a part has to prove itself nevertheless.
   * @throws {ViolationError}
   */
  async #decompress(
    { identifier, content, message: bytes }: NotifyRequest,
    { compressor, secrets, unproven }: Compression,
  ): Promise<Notified> {
    const message = await compressor.decompress(bytes, content.decompressedBytes)
    const sha512 = hash('sha512', message, 'buffer')
    const about = signed.notify(content.topic, identifier, sha512)
    for (const { authorization, tracing } of unproven ?? [])
      if (!this.#verifier.verifyAs(secrets, authorization, about, tracing))
        throw new ViolationError('NOTIFY_STREAM is not authorized')
    return { message, sha512 }
  }

  #subscribe({ interest, url }: SubscriptionRequest): void {
    if (this.#hasEnded) return
    const key = interestKey(interest)
    if (this.#subscriptions.has(key)) throw new ViolationError('subscribed already')
    const matches = interest.type === 'glob' ? compileGlob(interest.glob) : null
    this.#ports.subscribe(interest)
    this.#subscriptions.set(key, { interest, matches })
    this.#confirm('SUBSCRIBE', interest, url)
  }

  #unsubscribe({ interest, url }: SubscriptionRequest): void {
    if (this.#hasEnded) return
    const key = interestKey(interest)
    const subscription = this.#subscriptions.get(key)
    if (subscription === undefined) throw new ViolationError('not subscribed')
    this.#subscriptions.delete(key)
    this.#ports.unsubscribe(subscription.interest)
    this.#deliveries.recheck()
    this.#confirm('UNSUBSCRIBE', interest, url)
  }

  /** `url`: that of the request. */
  #confirm(what: 'SUBSCRIBE' | 'UNSUBSCRIBE', interest: Interest, url: string): void {
    if (interest.type === 'exact') {
      const { topic } = interest
      const about = signed.confirmSubscribeExact(url, null, topic)
      this.#send({ type: `CONFIRM_${what}_EXACT`, topic }, about)
    } else {
      const { glob } = interest
      const about = signed.confirmSubscribeGlob(url, null, glob)
      this.#send({ type: `CONFIRM_${what}_GLOB`, glob }, about)
    }
  }

  /**
   * The counter moves on with part 0 only. lonelypss 0.0.11 counts every part, upon which a subscriber that verifies
   * takes the next message for forged. Later parts are signed as part 0 is; nobody verifies them.
   */
  #sendPart(part: DeliveryPart): void {
    const { delivery, partId, body, isWhole } = part
    if (isWhole) return this.#sendWhole(delivery)
    if (partId === 0) this.#deliveryUrl = this.#nextBroadcasterUrl()
    const { topic, identifier, sha512 } = delivery
    const content = partId > 0 ? null : delivery.content
    this.#send(
      { type: 'RECEIVE_STREAM', identifier, partId, content, body },
      signed.receive(this.#deliveryUrl, topic, identifier, sha512),
    )
  }

  /** In one part: unless it is signed, others get the same bytes. */
  #sendWhole(delivery: Delivery): void {
    if (this.#hasEnded || this.#secrets === null) return
    const { toSubscriber: scheme } = this.#secrets
    if (scheme.type !== 'hmac') {
      this.#broadcasterCounter++
      return this.#ports.sendFrame(delivery.frame(plainAuthorizationOf(scheme)))
    }
    this.#deliveryUrl = this.#nextBroadcasterUrl()
    const { topic, identifier, sha512 } = delivery
    const about = signed.receive(this.#deliveryUrl, topic, identifier, sha512)
    this.#ports.send(delivery.bytes(authorizationOf(scheme, about, NO_TRACING, this.#sources)))
  }

  #sendMissed(topic: Uint8Array): void {
    this.#send({ type: 'MISSED', topic }, signed.missed(this.#nextBroadcasterUrl(), topic))
  }

  #send(message: Unsigned<BroadcasterMessage>, about: Signed): void {
    if (this.#hasEnded || this.#secrets === null) return
    const tracing = NO_TRACING
    const authorization = authorizationOf(this.#secrets.toSubscriber, about, tracing, this.#sources)
    this.#ports.send(writeBroadcasterMessage({ ...message, authorization, tracing }))
  }

  get #contentRules(): ContentRules {
    return { messageBytesMax: this.#messageBytesMax, compressors: this.#compressors }
  }

  #nextSubscriberUrl(): string {
    return this.#url(--this.#subscriberCounter)
  }

  #nextBroadcasterUrl(): string {
    return this.#url(++this.#broadcasterCounter)
  }

  /** What stands for the url of a subscriber without one, in whatever is signed. */
  #url(counter: number): string {
    return `websocket:${this.#nonce}:${counter.toString(16)}`
  }

  #isWanted(topic: Uint8Array): boolean {
    const { bytes, text } = topicOf(topic)
    if (this.#subscriptions.has(interestKey({ type: 'exact', topic: bytes }))) return true
    if (text === null) return false
    // What waits may go out behind the unsubscription, as what is on its way does.
    if (this.#subscriptions.size * text.length > ASKED_CHARACTERS_MAX) return true
    return this.#subscriptions.values().some(({ matches }) => matches?.(text) === true)
  }
}

/** Characters that all globs together look at, in a few ms at most, to find out whether what waits is still wanted. */
const ASKED_CHARACTERS_MAX = 50_000

/** Dictionaries that subscribers may ask for, by their numbers. */
export type Presets = ReadonlyMap<number, Compressor>

const NO_PRESETS: Presets = new Map()

interface Subscription {
  readonly interest: Interest
  /** `null`: it is of one topic. */
  readonly matches: CompiledGlob | null
}

interface SubscriptionRequest {
  readonly type: `${'SUBSCRIBE' | 'UNSUBSCRIBE'}_${'EXACT' | 'GLOB'}`
  readonly interest: Interest
  /** What it was signed with: its confirmation is, too. */
  readonly url: string
}

interface NotifyRequest {
  readonly type: 'NOTIFY'
  readonly identifier: Uint8Array
  readonly content: Content
  /** As it was sent. */
  readonly message: Uint8Array
  readonly compression: Compression | null
}

/** What is published of a request, and what its confirmation is signed with. */
interface Notified {
  readonly message: Uint8Array
  readonly sha512: Uint8Array
}

interface Compression {
  readonly compressor: Compressor
  readonly secrets: Secrets
  /** `null`: it came in no parts. */
  readonly unproven: readonly Unproven[] | null
}

/** What is to be answered, in the order in which it came. */
type Request =
  | SubscriptionRequest
  | { readonly type: 'NOTIFY_STREAM'; readonly identifier: Uint8Array; readonly partId: number }
  | {
      readonly type: 'NOTIFY_REFUSED'
      readonly identifier: Uint8Array
      readonly content: Content
      readonly reason: string
    }
  | NotifyRequest

type Unsigned<Message> = Message extends unknown
  ? Omit<Message, 'authorization' | 'tracing'>
  : never

function bytesOf(request: Request): number {
  return request.type === 'NOTIFY' ? request.message.length : 0
}

/** The subscriber is to blame. */
function isOfPeer(error: unknown): error is MalformedError | ViolationError {
  return error instanceof MalformedError || error instanceof ViolationError
}

const NONCE_BYTES = 32
const NO_TRACING = new Uint8Array()
