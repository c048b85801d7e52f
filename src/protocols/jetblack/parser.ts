import { isUtf8 } from 'node:buffer'
import { isTurnSpent } from '../../ops/turn-budget.ts'
import { Input } from './input.ts'
import {
  LISTED_ENTITLEMENTS_MAX,
  ProtocolError,
  type ClientMessage,
  type Entitlements,
  type Mark,
  type Packet,
  type Wire,
} from './messages.ts'

export interface ParserOptions {
  /** That of the port, by which data is read that says nothing of its own: what only servers send. */
  readonly wire: Wire
  /** Of a message in whole. */
  readonly messageBytesMax: number
  /** What comes first, as a message; `nothing`: it is read over if it does. */
  readonly asksFor: 'nothing' | 'password' | 'token'
}

/**
 * Reads what a client sends, in pieces of any size: a message has no length, so it is read field by field, and reading goes on where the
 * bytes have ended. Held by the vectors of `test/conformance/jetblack`, cut at every byte.
 */
export class Parser {
  readonly #input = new Input()
  readonly #options: ParserOptions
  /** The message that is being read. */
  #reading: Generator<void, ClientMessage, void> | null = null
  /** Bytes of the message that is being read, those that its lists and texts have announced included. */
  #messageBytes = 0
  #wire: Wire | null = null
  #isSilent = false
  #hasBegun = false
  /** Behind a login that was no connection string: up to version 3 two more texts may follow, up to version 2 none do. */
  #mayHaveRest = false
  #isBroken = false
  #awaitsSilence = false
  #isPaused = false

  constructor(options: ParserOptions) {
    this.#options = options
  }

  /** What its first data message has shown. `null`: it has sent none. */
  get wire(): Wire | null {
    return this.#wire
  }

  /** Whether some of a message has come, and not all. */
  get isInMessage(): boolean {
    return this.#reading !== null || this.#input.length > 0
  }

  /** All that has come may be a message, or the beginning of a longer one: if nothing follows, `endSilence` says so. */
  get awaitsSilence(): boolean {
    return this.#awaitsSilence
  }

  /** What has come is not read to its end, as it takes long: to be gone on with in a later turn. */
  get isPaused(): boolean {
    return this.#isPaused
  }

  push(chunk: Buffer): void {
    this.#input.push(chunk)
  }

  /** The next message that is whole. `null`: more bytes are needed. @throws {ProtocolError} once: nothing is read behind it. */
  next(): ClientMessage | null {
    if (this.#isBroken) return null
    try {
      return this.#next()
    } catch (error) {
      this.#isBroken = true
      throw error
    }
  }

  #next(): ClientMessage | null {
    this.#isPaused = false
    if (this.#reading === null) {
      if (this.#input.length === 0) return null
      this.#messageBytes = 0
      this.#reading = this.#message()
    }
    const { done, value } = this.#reading.next()
    if (done !== true) return null
    this.#reading = null
    return value
  }

  /** Nothing has come for a while. Returns what that makes of `awaitsSilence`. */
  endSilence(): ClientMessage | null {
    this.#isSilent = true
    try {
      return this.next()
    } finally {
      this.#isSilent = false
    }
  }

  *#message(): Generator<void, ClientMessage, void> {
    if (!this.#hasBegun) {
      this.#hasBegun = true
      if (this.#options.asksFor !== 'nothing') return yield* this.#login()
      yield* this.#skipLogin()
    }
    if (this.#mayHaveRest) {
      this.#mayHaveRest = false
      yield* this.#skipTexts(2)
    }
    const [code = 0] = yield* this.#take(1)
    switch (code) {
      case 1:
        return { type: 'multicast', ...(yield* this.#data()) }
      case 2: {
        const clientId = yield* this.#clientId()
        return { type: 'unicast', clientId, ...(yield* this.#data()) }
      }
      case 4: {
        const feed = yield* this.#string()
        return { type: 'notification-request', feed, isAdd: yield* this.#bool() }
      }
      case 5: {
        const feed = yield* this.#string()
        const topic = yield* this.#string()
        return { type: 'subscription-request', feed, topic, isAdd: yield* this.#bool() }
      }
      case 7: {
        const clientId = yield* this.#clientId()
        const feed = yield* this.#string()
        const topic = yield* this.#string()
        const isRequired = yield* this.#bool()
        const entitlements = yield* this.#integers()
        return { type: 'authorization-response', clientId, feed, topic, isRequired, entitlements }
      }
      case 3: {
        yield* this.#sender()
        yield* this.#clientId()
        yield* this.#string()
        yield* this.#string()
        yield* this.#bool()
        return { type: 'server-only', code }
      }
      case 6: {
        yield* this.#clientId()
        yield* this.#sender()
        yield* this.#string()
        yield* this.#string()
        return { type: 'server-only', code }
      }
      case 8:
      case 9: {
        yield* this.#sender()
        if (code === 9) yield* this.#clientId()
        yield* this.#string()
        yield* this.#string()
        yield* this.#markAndPackets(this.#wire ?? this.#options.wire)
        return { type: 'server-only', code }
      }
      default:
        throw new ProtocolError(`there is no message of type ${code}`)
    }
  }

  /** A connection string; or, up to version 3 of the Python client, texts of their own. */
  *#login(): Generator<void, ClientMessage, void> {
    yield* this.#await(1)
    if (this.#input.byteAt(0) !== 0) throw new ProtocolError('it does not begin with a login')
    const first = yield* this.#string()
    const isToken = this.#options.asksFor === 'token'
    if (CONNECTION_STRING.test(first))
      return { type: 'login', ...(isToken ? tokenIn(first) : passwordIn(first)) }
    // Only those clients do so, and they know no content types.
    this.#wire = 'is-image'
    this.#mayHaveRest = true
    return isToken
      ? { type: 'login', user: '', password: first }
      : { type: 'login', user: first, password: yield* this.#string() }
  }

  /**
   * Credentials that nobody asks for: clients that are told to send some do so, and that of .NET always sends an empty text. A message
   * begins with its type, which is not 0, and no text that is allowed is so long that its length does not begin with 0.
   */
  *#skipLogin() {
    yield* this.#await(1)
    if (this.#input.byteAt(0) !== 0) return
    const first = yield* this.#string()
    if (first === '' || CONNECTION_STRING.test(first)) return
    // Up to version 3 of the Python client each is a text of its own.
    yield* this.#skipTexts(3)
  }

  /** As many as there are, up to so many: a message begins with its type. */
  *#skipTexts(max: number) {
    for (let more = max; more > 0; more--) {
      yield* this.#await(1)
      if (this.#input.byteAt(0) !== 0) return
      yield* this.#string()
    }
  }

  *#data() {
    const feed = yield* this.#string()
    const topic = yield* this.#string()
    if (this.#wire === null) {
      const { wire, isEmpty } = yield* this.#detect()
      this.#wire = wire
      if (isEmpty) return { feed, topic, mark: false, packets: null }
    }
    return { feed, topic, ...(yield* this.#markAndPackets(this.#wire)) }
  }

  *#markAndPackets(wire: Wire) {
    const mark: Mark = wire === 'is-image' ? yield* this.#bool() : yield* this.#string()
    return { mark, packets: yield* this.#packets() }
  }

  /**
   * By the bytes behind the first topic (dossier 6.2; a content type of one character is taken for 256 and more packets). `isEmpty`: they
   * were those of a message without an image mark and without packets, and are read.
   */
  *#detect(): Generator<void, { readonly wire: Wire; readonly isEmpty?: boolean }, void> {
    yield* this.#await(1)
    const first = this.#input.byteAt(0)
    if (first === 1) return { wire: 'is-image' }
    if (first > 1) throw new ProtocolError(NO_MARK)
    yield* this.#await(5)
    const [, second, third, fourth, fifth] = [0, 1, 2, 3, 4].map((at) => this.#input.byteAt(at))
    if (second !== 0 || third !== 0) throw new ProtocolError(NO_MARK)
    if (fourth! > 1) {
      yield* this.#await(4 + fourth!)
      for (let at = 4; at < 4 + fourth!; at++)
        if (!isPrintable(this.#input.byteAt(at))) return { wire: 'is-image' }
      return { wire: 'content-type' }
    }
    if (fourth === 1 || fifth !== 0) return { wire: 'is-image' }
    this.#awaitsSilence = true
    while (this.#input.length < 6 && !this.#isSilent) yield
    this.#awaitsSilence = false
    if (this.#input.length >= 6) {
      const sixth = this.#input.byteAt(5)
      if (sixth === 0) return { wire: 'content-type' }
      if (sixth > 9) throw new ProtocolError(NO_MARK)
    }
    yield* this.#take(5)
    return { wire: 'is-image', isEmpty: true }
  }

  *#sender() {
    yield* this.#string()
    yield* this.#string()
  }

  *#packets(): Generator<void, readonly Packet[] | null, void> {
    const count = yield* this.#count('packets')
    if (count === 0) return null
    const packets: Packet[] = []
    while (packets.length < count) {
      const entitlements = yield* this.#integers()
      const length = yield* this.#length('data', this.#options.messageBytesMax)
      // Not a view: what a message leaves behind must not keep all that came with it.
      const data = length === 0 ? null : Uint8Array.from(yield* this.#take(length))
      packets.push({ entitlements, data })
      const isMuch =
        packets.length % STEP_PACKETS === 0 || (entitlements?.length ?? 0) > LISTED_ENTITLEMENTS_MAX
      if (isMuch && isTurnSpent()) {
        this.#isPaused = true
        yield
      }
    }
    return packets
  }

  *#integers(): Generator<void, Entitlements | null, void> {
    const count = yield* this.#count('entitlements')
    if (count === 0) return null
    const bytes = yield* this.#take(4 * count)
    const integers = new Set<number>()
    for (let at = 0; at < bytes.length; at += 4) integers.add(bytes.readInt32BE(at))
    return count > LISTED_ENTITLEMENTS_MAX ? Int32Array.from(integers) : [...integers]
  }

  *#string(): Generator<void, string, void> {
    const length = yield* this.#length('a string', STRING_BYTES_MAX)
    const bytes = yield* this.#take(length)
    if (!isUtf8(bytes)) throw new ProtocolError('a string is no UTF-8')
    return bytes.toString('utf8')
  }

  *#clientId(): Generator<void, string, void> {
    return (yield* this.#take(16)).toString('hex')
  }

  *#bool(): Generator<void, boolean, void> {
    return (yield* this.#take(1))[0] !== 0
  }

  *#count(what: string): Generator<void, number, void> {
    return yield* this.#length(`the number of ${what}`, LIST_LENGTH_MAX)
  }

  *#length(what: string, max: number): Generator<void, number, void> {
    const length = (yield* this.#take(4)).readInt32BE()
    if (length < 0) throw new ProtocolError(`${what} has a negative length`)
    if (length > max) throw new ProtocolError(`${what} has ${length}, the limit is ${max}`)
    return length
  }

  /** @throws {ProtocolError} before they have come: the message is too large with them. */
  *#take(count: number): Generator<void, Buffer, void> {
    this.#messageBytes += count
    const { messageBytesMax } = this.#options
    if (this.#messageBytes > messageBytesMax)
      throw new ProtocolError(
        `a message has more than ${messageBytesMax} bytes (protocols.jetblack.max_message_size)`,
      )
    yield* this.#await(count)
    return this.#input.take(count)
  }

  *#await(count: number): Generator<void, void, void> {
    while (this.#input.length < count) yield
  }
}

/** Split only where a known key follows, as passwords may have semicolons; what `Impersonating` and `ForwardedFor` say is not believed. */
function valuesIn(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split(BEFORE_KEY).map((segment) => {
      const at = segment.indexOf('=')
      return [segment.slice(0, at), segment.slice(at + 1)] as const
    }),
  )
}

function passwordIn(text: string) {
  const values = valuesIn(text)
  return { user: values.get('Username') ?? '', password: values.get('Password') ?? '' }
}

function tokenIn(text: string) {
  return { user: '', password: valuesIn(text).get('Token') ?? '' }
}

function isPrintable(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f
}

const CONNECTION_STRING = /^(?:Username|Password|Token|Impersonating|ForwardedFor|Application)=/
const BEFORE_KEY = /;(?=(?:Username|Password|Token|Impersonating|ForwardedFor|Application)=)/
const NO_MARK = 'a data message has neither an image mark nor a content type'
/** Packets that are read between two looks at the clock, unless one has many entitlements. */
const STEP_PACKETS = 64
const STRING_BYTES_MAX = 65_536
const LIST_LENGTH_MAX = 65_535
