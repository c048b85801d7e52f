import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { LogLevel } from '../../ops/logger.ts'
import { STATUS_CODES } from '../../ops/node-http.ts'
import { SeldomReport } from '../../ops/seldom-report.ts'
import { LimitExceededError } from '../../publication/errors.ts'
import { InputSlices } from '../../sockets/input-slices.ts'
import { closeLingering, patienceWith } from '../../sockets/lingering-close.ts'
import { StreamSink } from '../../sockets/stream-sink.ts'
import type { CloseReason } from '../../hub/encoding.ts'
import type { PublishedEvent } from '../../hub/event.ts'
import type { EventSink } from '../../hub/event-sink.ts'
import type { Hub } from '../../hub/hub.ts'
import type { Rights } from '../../hub/rights.ts'
import type { Subscription } from '../../hub/subscription.ts'
import type { Secrets, Verifier } from './authorization.ts'
import type { LonelypsLimits } from './limits.ts'
import { binaryFrame } from './binary-frame.ts'
import { compressedBytesMax } from './compressor.ts'
import type { Interest } from './interests.ts'
import type { RecentDeliveries } from './recent-deliveries.ts'
import type { HeldMemory, MessageMemory } from './message-memory.ts'
import type { SocketGlobs } from './socket-globs.ts'
import { ShortMessages } from './short-messages.ts'
import type { Notify } from './stateless-requests.ts'
import { shareOf } from '../../auth/share-of.ts'
import type { Judge, TokenGuesses } from './token-guesses.ts'
import { topicOf } from './topic.ts'
import { WsSession, type Presets } from './ws-session.ts'
import { beginWork } from '../../ops/current-work.ts'

/** Whose the hub's subscriptions of WebSockets are: these are counted for a notification. */
export const SOCKETS = 'lonelyps'

export interface WebSocketsOptions {
  readonly verifier: Verifier
  readonly limits: LonelypsLimits
  readonly presets: Presets
  readonly hub: Pick<Hub, 'subscribe'>
  readonly globs: SocketGlobs
  readonly deliveries: RecentDeliveries
  /** What the owner of secrets may see. */
  readonly rightsOf: (owner: string | null) => Rights
  readonly notify: Notify
  readonly memory: MessageMemory
  /** Somebody has asked for it. */
  readonly onSubscribe: (interest: Interest, owner: string | null) => void
  /** A connection that has not configured itself by then is closed, in ms. Absent: 10 s; the reference's client does it at once. */
  readonly configureMs?: number | undefined
  readonly logger: (level: LogLevel, message: string) => void
}

/** The WebSockets of the stateful mode. */
export class WebSockets {
  readonly #guesses: TokenGuesses
  readonly #options: WebSocketsOptions
  readonly #server: WebSocketServer
  readonly #open = new Set<SocketSubscriber>()
  readonly #refusals: SeldomReport

  constructor(guesses: TokenGuesses, options: WebSocketsOptions) {
    this.#guesses = guesses
    this.#options = options
    this.#refusals = new SeldomReport(options.logger, 'warn')
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      // Greater ones come in parts. Beside the message there are headers of 64 KiB each.
      maxPayload:
        compressedBytesMax(Math.min(options.limits.messageBytesMax, WHOLE_BYTES_MAX)) +
        HEADERS_BYTES_MAX,
    })
    // The library's own refusal would be lost to a peer that has sent more.
    this.#server.on('wsClientError', ({ message }, _socket, request) =>
      refuse(request, request.method === 'GET' ? 400 : 405, message),
    )
  }

  async open(
    incoming: IncomingMessage,
    socket: Duplex,
    { path, address, head }: { path: string; address: string | null; head: Buffer },
  ): Promise<void> {
    socket.on('error', () => {}) // it closes, too
    if (path !== '/v1/websocket') return refuse(incoming, 404, `there is no WebSocket at ${path}`)
    // A subscriber to which nothing is due could be gone for ever, and nobody would notice.
    incoming.socket.setKeepAlive(true, SILENCE_MS)
    // Its CONFIGURE may be a guess, so the handshake waits for its turn.
    const judge = await this.#guesses.admit(address, null)
    if (judge === null)
      return refuse(
        incoming,
        503,
        'too many authorizations came lately, or too many that do not hold',
        ['Retry-After: 5'],
      )
    this.#server.handleUpgrade(incoming, socket, head, (webSocket) => {
      const peer = { address, judge }
      const refused = (reason: string) =>
        this.#refusals.add(`lonelyps: a WebSocket's notification was not taken: ${reason}`)
      const subscriber = new SocketSubscriber(webSocket, socket, peer, {
        ...this.#options,
        refused,
      })
      readInSlices(incoming.socket, subscriber)
      this.#open.add(subscriber)
      webSocket.on('close', () => {
        this.#open.delete(subscriber)
        subscriber.gone()
      })
    })
  }

  close(): void {
    for (const subscriber of this.#open) subscriber.close(GOING_AWAY, 'the server stops')
    this.#server.close()
  }
}

/**
 * The library reads all it is given in one go: thousands of frames, and answers each ping. Behind a close frame, or a frame that is
 * wrong, it takes its listener away and lets the rest flow off; then the rest does so here, too (test/hostile/websockets.test.ts).
 */
function readInSlices(
  socket: Socket,
  subscriber: Pick<SocketSubscriber, 'arriving' | 'receive'>,
): void {
  const listener = socket.listeners('data').find(({ name }) => name === 'socketOnData')
  if (listener === undefined) return
  let isRead = true
  const short = new ShortMessages()
  void new InputSlices(socket, {
    endOfSlice: () => SLICE_BYTES,
    take: (slice) => {
      if (!isRead) return
      const message = short.read(slice)
      if (message !== null) return subscriber.receive(message)
      subscriber.arriving(slice.length)
      listener.call(socket, slice)
    },
    isReading: () => !socket.destroyed,
  })
  socket.off('data', listener as () => void)
  socket.removeListener = (event, removed) => {
    if (removed === listener) isRead = false
    return socket.off(event, removed)
  }
  socket.prependListener('close', () => socket.read())
}

function refuse(
  { socket, headers }: IncomingMessage,
  status: number,
  message: string,
  more: readonly string[] = [],
): void {
  const text = `${message}\n`
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(text)}`,
    'Sec-WebSocket-Version: 13', // RFC 6455 §4.2.2
    ...more,
  ]
  socket.write([...lines, '', text].join('\r\n'))
  closeLingering(socket, patienceWith(headers))
}

/** One WebSocket: its session, the socket that the session knows nothing of, and its subscription. */
export class SocketSubscriber implements EventSink {
  readonly #options: WebSocketsOptions
  readonly #address: string | null
  /** That of its address, until it has said who it is. */
  #share: string
  readonly #webSocket: WebSocket
  readonly #socket: Duplex
  readonly #sink: StreamSink
  readonly #session: WsSession
  readonly #timer: NodeJS.Timeout
  /** `null`: it has not said who it is. */
  #subscription: Subscription | null = null
  #secrets: Secrets | null = null
  #isInStep = true
  #isRead = true
  readonly #memory: HeldMemory
  /** Bytes of the message that is coming; the library has them. */
  #arrivingBytes = 0
  /** Bytes of notifications that the session has. */
  #sessionBytes = 0
  #heldBytes = 0

  constructor(
    webSocket: WebSocket,
    socket: Duplex,
    { address, judge }: { readonly address: string | null; readonly judge: Judge },
    options: WebSocketsOptions & { readonly refused: (reason: string) => void },
  ) {
    const { verifier, limits, presets, notify, configureMs = CONFIGURE_MS } = options
    const { memory, refused } = options
    this.#options = options
    this.#address = address
    this.#share = shareOf(null, address)
    this.#memory = memory.open(this.#share, () =>
      this.close(TRY_AGAIN, 'too many great messages come at once'),
    )
    this.#webSocket = webSocket
    this.#socket = socket
    this.#sink = new StreamSink(socket as Socket, null)
    this.#session = new WsSession(
      {
        send: (bytes) => this.#write(binaryFrame(bytes)),
        sendFrame: (frame) => this.#write(frame),
        close: (reason, cause) => this.#shut(POLICY, closeReason(reason, cause)),
        configured: (secrets) => this.#configured(secrets),
        subscribe: (interest) => this.#subscribe(interest),
        unsubscribe: (interest) => this.#unsubscribe(interest),
        ended: (interests) => this.#ended(interests),
        notify: (topic, message) => {
          const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength)
          return notify(topic, bytes, { secrets: this.#secrets!, address })
        },
        refused,
        holds: (bytes) => {
          this.#sessionBytes = bytes
          this.#tellHeld()
        },
        isTaking: () => socket.writableLength <= limits.queueBytesMax,
        drained: () => this.#subscription?.drained(),
        readOn: () => this.#read(true),
      },
      {
        verify: judge,
        verifyAs: (...about) => verifier.verifyAs(...about),
      },
      { messageBytesMax: limits.messageBytesMax },
      presets,
    )
    this.#timer = setTimeout(() => this.close(POLICY, 'no CONFIGURE came'), configureMs)
    webSocket.on('error', () => {}) // it closes, too
    webSocket.on('message', (data, isBinary) => {
      if (isBinary) return this.receive(data as Buffer)
      this.#arrivingBytes = 0
      this.close(UNACCEPTABLE, 'messages are binary here')
    })
    socket.on('drain', () => {
      this.#read(this.#isInStep)
      this.#session.taken()
    })
  }

  /** One whole message. */
  receive(message: Buffer): void {
    beginWork('WebSocket message of lonelyps, bytes:', message.length)
    this.#arrivingBytes = 0
    this.#read(this.#session.receive(message))
    this.#tellHeld()
  }

  /** Bytes of a message that is not yet there. */
  arriving(bytes: number): void {
    this.#arrivingBytes += bytes
    this.#tellHeld()
  }

  /** Called by the hub, as the next ones. */
  take(events: readonly PublishedEvent[]): boolean {
    for (const event of events) this.#session.deliver(this.#options.deliveries.of(event))
    return !this.#session.isWaiting
  }

  get queuedBytes(): number {
    return this.#sink.queuedBytes
  }

  get takenBytes(): number {
    return this.#sink.takenBytes
  }

  /** Which topics it was about is not known any more. */
  gap(): void {
    if (this.#session.interestCount > MISSED_TOPICS_MAX)
      return this.close(TRY_AGAIN, 'it reads too slowly, and has missed too much')
    for (const interest of this.#session.interests)
      this.#session.missed(interest.type === 'exact' ? interest.topic : Buffer.from(interest.glob))
  }

  end(reason: CloseReason): void {
    const [code, text] = ENDINGS[reason]
    this.close(code, text)
  }

  destroy(): void {
    this.gone()
    this.#webSocket.terminate()
  }

  /** `reason`: ASCII. */
  close(code: number, reason: string): void {
    this.gone()
    this.#shut(code, reason)
  }

  /** The socket is gone, or goes. */
  gone(): void {
    clearTimeout(this.#timer)
    this.#session.end()
    this.#arrivingBytes = 0
    this.#tellHeld()
  }

  /** Little is not counted: most messages are. */
  #tellHeld(): void {
    const bytes = this.#arrivingBytes + this.#sessionBytes
    const counted = bytes < COUNTED_BYTES_MIN ? 0 : bytes
    if (counted === this.#heldBytes) return
    this.#heldBytes = counted
    this.#memory.hold(counted)
  }

  /** `isInStep`: its requests are answered so far. Whoever does not read the answers is not read, either. */
  #read(isInStep: boolean): void {
    this.#isInStep = isInStep
    const isRead = isInStep && this.#socket.writableLength <= UNREAD_BYTES_MAX
    if (isRead === this.#isRead) return
    this.#isRead = isRead
    if (isRead) this.#webSocket.resume()
    else this.#webSocket.pause()
  }

  /** Beside the library, which sends pongs and closes only: it would write header and message apart, for each subscriber. */
  #write(frame: Uint8Array): void {
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#sink.write(frame)
  }

  #configured(secrets: Secrets): void {
    const { hub, rightsOf } = this.#options
    this.#secrets = secrets
    this.#share = shareOf(secrets.name, this.#address)
    clearTimeout(this.#timer)
    this.#subscription = hub.subscribe({
      wants: [],
      rights: rightsOf(secrets.name),
      from: 'head',
      to: { events: this },
      whenBehind: 'catch-up-with-gaps',
      door: SOCKETS,
      share: this.#share,
    })
  }

  #subscribe(interest: Interest): void {
    const { globs, limits } = this.#options
    if (this.#session.interestCount >= limits.subscriptionsPerPeerMax)
      throw new LimitExceededError(
        `one WebSocket may have ${limits.subscriptionsPerPeerMax} subscriptions ` +
          '(protocols.lonelyps.subscriptions_per_peer)',
      )
    const want =
      interest.type === 'exact'
        ? { path: topicOf(interest.topic).path }
        : globs.acquire(interest.glob, this.#share)
    this.#subscription!.changeWants({ add: [want] })
    this.#options.onSubscribe(interest, this.#secrets!.name)
  }

  #unsubscribe(interest: Interest): void {
    const want =
      interest.type === 'exact'
        ? { path: topicOf(interest.topic).path }
        : this.#options.globs.release(interest.glob, this.#share)
    this.#subscription!.changeWants({ drop: [want] })
  }

  /** The hub takes out what it has for the subscription bit by bit; only globs are counted here. */
  #ended(interests: Iterable<Interest>): void {
    for (const interest of interests)
      if (interest.type === 'glob') this.#options.globs.release(interest.glob, this.#share)
    this.#subscription?.close()
  }

  #shut(code: number, reason: string): void {
    this.#webSocket.close(code, reason)
    setTimeout(() => this.#webSocket.terminate(), LINGER_MS).unref()
  }
}

/** A close frame holds 123 bytes; the client looks at neither, people who debug it do. */
function closeReason(reason: string, cause: unknown): string {
  const text = cause instanceof Error ? `${reason}: ${cause.message}` : reason
  return text.replace(/[^ -~]/g, '?').slice(0, 123)
}

/** RFC 6455 §7.4.1, and IANA's registry. */
const NORMAL = 1000
const GOING_AWAY = 1001
const INTERNAL_ERROR = 1011
const UNACCEPTABLE = 1003
const POLICY = 1008
const TRY_AGAIN = 1013

/** Headers of one message: seven of at most 64 KiB, and their names. */
const HEADERS_BYTES_MAX = 512 * 1024

/** The longest WebSocket message, without its headers: a notification in one part. The reference's client begins parts at 4 MiB. */
const WHOLE_BYTES_MAX = 16 * 1024 * 1024

const COUNTED_BYTES_MIN = 64 * 1024

/** At most 341 frames, some 1 ms. */
const SLICE_BYTES = 2_048

/** Unsent bytes of all kinds. Deliveries alone have three parts of 3.5 MiB at most that are not acknowledged. */
const UNREAD_BYTES_MAX = 16 * 1024 * 1024

/** After it TCP asks whether the other side is still there, in ms. */
const SILENCE_MS = 60_000

const CONFIGURE_MS = 10_000

/** How long the other side has to answer a close, in ms. */
const LINGER_MS = 1_000

/** How the hub's reasons are told, to people who debug: the client looks at neither. */
const ENDINGS: Readonly<Record<CloseReason, readonly [code: number, reason: string]>> = {
  unsubscribed: [NORMAL, 'it is over'],
  finished: [NORMAL, 'it is over'],
  timeout: [NORMAL, 'it is over'],
  slow: [TRY_AGAIN, 'it reads too slowly'],
  stalled: [TRY_AGAIN, 'it has read nothing for long'],
  revoked: [POLICY, 'it may see nothing any more'],
  unavailable: [TRY_AGAIN, 'the log cannot be read now'],
  shutdown: [GOING_AWAY, 'the server stops'],
  internal: [INTERNAL_ERROR, 'something went wrong on our side'],
}

/** Interests of which each is told that something is missing; beyond them a new connection says it at once. */
const MISSED_TOPICS_MAX = 1_000
