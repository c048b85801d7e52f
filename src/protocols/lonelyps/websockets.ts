import { randomBytes } from 'node:crypto'
import { STATUS_CODES, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { LimitExceededError } from '../../publication/errors.ts'
import { InputSlices } from '../../sockets/input-slices.ts'
import { closeLingering, patienceWith } from '../../sockets/lingering-close.ts'
import type { PublishedEvent } from '../../hub/event.ts'
import type { Secrets, Verifier } from './authorization.ts'
import type { LonelypsLimits } from './limits.ts'
import { binaryFrame } from './binary-frame.ts'
import { compressedBytesMax } from './compressor.ts'
import { Delivery } from './delivery.ts'
import type { Interest, Interests } from './interests.ts'
import type { Notify } from './stateless-requests.ts'
import type { Judge, TokenGuesses } from './token-guesses.ts'
import type { Topic } from './topic.ts'
import { contentOf } from './webhook.ts'
import { WsSession, type Presets } from './ws-session.ts'
import { beginWork } from '../../ops/current-work.ts'

export interface WebSocketsOptions {
  readonly verifier: Verifier
  readonly limits: LonelypsLimits
  readonly presets: Presets
  readonly interests: Interests<SocketSubscriber>
  readonly notify: Notify
  /** A connection that has not configured itself by then is closed, in ms. Absent: 10 s; the reference's client does it at once. */
  readonly configureMs?: number | undefined
  readonly log: (level: 'warn' | 'error', message: string) => void
}

/** The WebSockets of the stateful mode. */
export class WebSockets {
  readonly #guesses: TokenGuesses
  readonly #options: WebSocketsOptions
  readonly #server: WebSocketServer
  readonly #open = new Set<SocketSubscriber>()

  constructor(guesses: TokenGuesses, options: WebSocketsOptions) {
    this.#guesses = guesses
    this.#options = options
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      // Beside the message there are headers of 64 KiB each.
      maxPayload: compressedBytesMax(options.limits.messageBytesMax) + HEADERS_BYTES_MAX,
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
      readInSlices(incoming.socket)
      const peer = { address, judge }
      const subscriber = new SocketSubscriber(webSocket, socket, peer, this.#options)
      this.#open.add(subscriber)
      webSocket.on('close', () => {
        this.#open.delete(subscriber)
        subscriber.end()
      })
    })
  }

  /** To each once, however many of the sets it is in. Resolves with how many that were. */
  deliver(
    interested: readonly ReadonlySet<SocketSubscriber>[],
    event: PublishedEvent,
    { bytes }: Topic,
    maySee: (owner: string | null) => boolean,
  ): number {
    const { message, sha512 } = contentOf(event)
    const delivery = new Delivery(bytes, message, sha512, randomBytes(IDENTIFIER_BYTES))
    let count = 0
    for (const subscribers of interested)
      for (const subscriber of subscribers) {
        if (subscriber.lastEvent === event) continue
        subscriber.lastEvent = event
        if (event.isPrivate && !maySee(subscriber.owner)) continue
        subscriber.deliver(delivery)
        count++
      }
    return count
  }

  /** Something has failed for all of them. */
  fail(): void {
    for (const subscriber of this.#open)
      subscriber.close(INTERNAL_ERROR, 'something went wrong on our side')
  }

  close(): void {
    for (const subscriber of this.#open) subscriber.close(GOING_AWAY, 'the server stops')
    this.#server.close()
  }
}

/** The library reads all it is given in one go: thousands of frames, even of a connection that is closed, and answers each ping. */
function readInSlices(socket: Socket): void {
  const listener = socket.listeners('data').find(({ name }) => name === 'socketOnData')
  if (listener === undefined) return
  new InputSlices(socket, {
    endOfSlice: () => SLICE_BYTES,
    take: (slice) => void listener.call(socket, slice),
    isReading: () => !socket.destroyed,
  })
  socket.off('data', listener as () => void)
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

/** One WebSocket: its session, and the socket that the session knows nothing of. */
export class SocketSubscriber {
  /** The newest that was offered to it: sets of interested ones overlap. */
  lastEvent: PublishedEvent | null = null
  readonly #options: WebSocketsOptions
  readonly #webSocket: WebSocket
  readonly #socket: Duplex
  readonly #session: WsSession
  readonly #timer: NodeJS.Timeout
  #secrets: Secrets | null = null
  #interestCount = 0
  #isInStep = true
  /** Topics of what was due and did not fit: told when it has caught up. */
  readonly #dropped = new Map<string, Buffer>()

  constructor(
    webSocket: WebSocket,
    socket: Duplex,
    { address, judge }: { readonly address: string | null; readonly judge: Judge },
    options: WebSocketsOptions,
  ) {
    const { verifier, limits, presets, notify, configureMs = CONFIGURE_MS } = options
    this.#options = options
    this.#webSocket = webSocket
    this.#socket = socket
    this.#session = new WsSession(
      {
        send: (bytes) => this.#write(binaryFrame(bytes)),
        sendFrame: (frame) => this.#write(frame),
        close: (reason, cause) => this.#shut(POLICY, closeReason(reason, cause)),
        configured: (secrets) => {
          this.#secrets = secrets
          clearTimeout(this.#timer)
        },
        subscribe: (interest) => this.#subscribe(interest),
        unsubscribe: (interest) => this.#unsubscribe(interest),
        notify: (topic, message) => {
          const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength)
          return notify(topic, bytes, { secrets: this.#secrets!, address })
        },
        drained: () => this.#tellDropped(),
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
      beginWork('WebSocket message of lonelyps, bytes:', (data as Buffer).length)
      if (!isBinary) return this.close(UNACCEPTABLE, 'messages are binary here')
      this.#read(this.#session.receive(data as Buffer))
      // What it acknowledges it has read, of which a short queue of the socket tells nothing.
      this.#tellDropped()
    })
    socket.on('drain', () => {
      this.#read(this.#isInStep)
      this.#tellDropped()
    })
  }

  get owner(): string | null {
    return this.#secrets?.name ?? null
  }

  /** What does not fit is not sent; that it is missing is told later. */
  deliver(delivery: Delivery): void {
    const queuedBytes = this.#queuedBytes
    const fits =
      queuedBytes === 0 ||
      queuedBytes + delivery.message.length <= this.#options.limits.queueBytesMax
    // Behind one that was dropped nothing goes out before that is told.
    if (fits && this.#dropped.size === 0) return void this.#session.deliver(delivery)
    const topic = Buffer.from(delivery.topic)
    this.#dropped.set(topic.toString('latin1'), topic)
    if (this.#dropped.size > DROPPED_TOPICS_MAX)
      this.close(TRY_AGAIN, 'it reads too slowly, and has missed too much')
  }

  /** `reason`: ASCII. */
  close(code: number, reason: string): void {
    this.end()
    this.#shut(code, reason)
  }

  /** The socket is gone, or goes. */
  end(): void {
    clearTimeout(this.#timer)
    this.#session.end()
  }

  /** `isInStep`: its requests are answered so far. Whoever does not read the answers is not read, either. */
  #read(isInStep: boolean): void {
    this.#isInStep = isInStep
    if (isInStep && this.#socket.writableLength <= UNREAD_BYTES_MAX) this.#webSocket.resume()
    else this.#webSocket.pause()
  }

  get #queuedBytes(): number {
    return this.#session.queuedBytes + this.#socket.writableLength
  }

  /** Beside the library, which sends pongs and closes only: it would write header and message apart, for each subscriber. */
  #write(frame: Uint8Array): void {
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#socket.write(frame)
  }

  #tellDropped(): void {
    if (this.#dropped.size === 0 || this.#queuedBytes > 0) return
    const topics = [...this.#dropped.values()]
    this.#dropped.clear()
    for (const topic of topics) this.#session.missed(topic)
  }

  #subscribe(interest: Interest): void {
    const { interests, limits } = this.#options
    if (this.#interestCount >= limits.subscriptionsPerPeerMax)
      throw new LimitExceededError(
        `one WebSocket may have ${limits.subscriptionsPerPeerMax} subscriptions ` +
          '(protocols.lonelyps.subscriptions_per_peer)',
      )
    if (
      interest.type === 'glob' &&
      interests.globCount >= limits.globsMax &&
      !interests.has(interest)
    )
      throw new LimitExceededError(
        `the WebSockets have ${limits.globsMax} different globs (protocols.lonelyps.globs)`,
      )
    interests.add(interest, this)
    this.#interestCount++
  }

  #unsubscribe(interest: Interest): void {
    this.#options.interests.remove(interest, this)
    this.#interestCount--
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
const GOING_AWAY = 1001
const INTERNAL_ERROR = 1011
const UNACCEPTABLE = 1003
const POLICY = 1008
const TRY_AGAIN = 1013

/** Headers of one message: seven of at most 64 KiB, and their names. */
const HEADERS_BYTES_MAX = 512 * 1024

/** At most 341 frames, some 1 ms. */
const SLICE_BYTES = 2_048

/** Unsent bytes of all kinds. Deliveries alone have three parts of 3.5 MiB at most that are not acknowledged. */
const UNREAD_BYTES_MAX = 16 * 1024 * 1024

/** After it TCP asks whether the other side is still there, in ms. */
const SILENCE_MS = 60_000

const CONFIGURE_MS = 10_000

/** How long the other side has to answer a close, in ms. */
const LINGER_MS = 1_000

/** Of a delivery: what a connection tells its deliveries apart by. */
const IDENTIFIER_BYTES = 8

const DROPPED_TOPICS_MAX = 1_000
