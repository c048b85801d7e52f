import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { addressBlock } from '../../auth/address-block.ts'
import { ANONYMOUS, type Identity, type Login } from '../../auth/identity.ts'
import { refusalText, type Policy } from '../../auth/policy.ts'
import type { CloseReason } from '../../hub/encoding.ts'
import type { ByteSubscription } from '../../hub/byte-subscription.ts'
import type { Hub } from '../../hub/hub.ts'
import { inLaterTurn, isTurnSpent } from '../../ops/turn-budget.ts'
import { PubSubError } from '../../publication/errors.ts'
import { segmentsOf } from '../../publication/published-topics.ts'
import { ADMIN } from './admin.ts'
import type { Admitted, Authorisation } from './authorisation.ts'
import type { Bus } from './bus.ts'
import type { FeedRules, Role } from './feed-rules.ts'
import { ProtocolError, type ClientMessage, type Wire } from './messages.ts'
import { Parser } from './parser.ts'
import { isForAll, type Rights } from '../../hub/rights.ts'
import { StreamSink } from '../../sockets/stream-sink.ts'
import type { Logins } from './logins.ts'
import {
  DOOR,
  isOfJetblack,
  pathOf,
  publicationSteps,
  type JetblackEvent,
  type Pair,
  type SealedPublication,
} from './publication.ts'

export interface SessionOptions {
  readonly hub: Pick<Hub, 'store' | 'subscribe' | 'withNewest'>
  readonly bus: Bus
  readonly policy: Policy
  readonly rules: FeedRules
  readonly authorisation: Authorisation
  /** `null`: nobody logs in. */
  readonly logins: Pick<Logins, 'asksFor' | 'gate'> | null
  readonly limits: SessionLimits
  /** What was dropped: the protocol has no refusals. `reason`: one of few. */
  readonly dropped: (reason: string, details: string) => void
}

export interface SessionLimits {
  readonly topicsMax: number
  readonly jsonDepthMax: number
  readonly queueBytesMax: number
  readonly stallTimeoutMs: number
  readonly messageBytesMax: number
  readonly subscriptionsPerPeerMax: number
  /** 0: a login may take as long as it likes. */
  readonly handshakeTimeoutMs: number
}

/** One connection. What it sends takes effect in that order (decided in `docs/protocols/jetblack.md`, "Order"). */
export class Session implements Admitted {
  readonly id = randomBytes(16).toString('hex')
  readonly host: string
  readonly #socket: Socket
  readonly #portWire: Wire
  readonly #options: SessionOptions
  readonly #parser: Parser
  /** Pairs that it is subscribed to, and how many of them are at each path: a feed may have a slash in its name. */
  readonly #subscribed = new Set<string>()
  readonly #paths = new Map<string, number>()
  readonly #sink: SessionSink
  #subscription: ByteSubscription | null = null
  /** The one that it has subscribed to, as long as there was no other: it shares bytes, and an audience, with all who do the same. */
  #onlyPair: Pair | null = null
  /** In which its events come now. */
  #subscribedWire: Wire
  /** What is not done yet: publications that are not stored and delivered, a login, an image. Whatever else comes waits for them. */
  #underWay = 0
  /** Of these, what publications wait for, too. */
  #aloneUnderWay = 0
  #held: ClientMessage | null = null
  #isInLaterTurn = false
  #isOver = false
  /** What it has sent, and is not done yet, is not done any more. */
  #isRevoked = false
  /** Whoever has not logged in is this one. */
  #user = 'nobody'
  #login: Login | null = null
  #loginChanges: Disposable | null = null
  #hasEntered = false
  #silence: NodeJS.Timeout | undefined
  #handshake: NodeJS.Timeout | undefined
  #stall: NodeJS.Timeout | undefined

  constructor(socket: Socket, wire: Wire, options: SessionOptions) {
    const { limits } = options
    this.#socket = socket
    this.#portWire = wire
    this.#subscribedWire = wire
    this.#sink = new SessionSink(socket, this)
    this.#options = options
    const { messageBytesMax } = limits
    const asksFor = options.logins?.asksFor ?? 'nothing'
    this.#parser = new Parser({ wire, messageBytesMax, asksFor })
    this.host = socket.remoteAddress ?? 'unknown'
    // Whoever has to log in is not known to the others before.
    if (asksFor === 'nothing') this.#enter()
    else if (limits.handshakeTimeoutMs > 0)
      this.#handshake = setTimeout(() => this.#endHandshake(), limits.handshakeTimeoutMs).unref()
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    socket.on('data', (chunk: Buffer) => {
      clearTimeout(this.#silence)
      this.#parser.push(chunk)
      this.#read()
    })
    socket.on('drain', () => this.#subscription?.drained())
    // Before its end is told to the others, what it has published is.
    socket.on('end', () => {
      this.#fallSilent()
      this.#endWhenDone()
    })
    socket.on('error', () => {})
    socket.on('close', () => this.#endWhenDone())
  }

  get user(): string {
    return this.#user
  }

  get wire(): Wire {
    return this.#parser.wire ?? this.#portWire
  }

  send(bytes: Buffer): void {
    if (this.#subscription !== null) return this.#subscription.tell(bytes)
    if (this.#socket.destroyed) return
    this.#sink.write(bytes)
    // One that is left out would be a hole, and nothing is kept for whoever is subscribed to nothing.
    if (this.queuedBytes > this.#options.limits.queueBytesMax + bytes.length) this.end('slow')
    else if (this.queuedBytes > 0) this.#stall ??= this.#watchStall()
  }

  /** The hub does so for whoever is subscribed to something. */
  #watchStall(): NodeJS.Timeout {
    const { takenBytes } = this.#sink
    return setTimeout(() => {
      this.#stall = undefined
      if (this.queuedBytes === 0 || this.#subscription !== null) return
      if (this.#sink.takenBytes === takenBytes) this.end('stalled')
      else this.#stall = this.#watchStall()
    }, this.#options.limits.stallTimeoutMs).unref()
  }

  get queuedBytes(): number {
    return this.#sink.queuedBytes
  }

  entitlementsChanged(): void {
    if (this.#onlyPair !== null)
      this.#subscription?.setEncoding(this.#options.bus.encodingOfPair(this.#onlyPair, this))
  }

  end(reason: CloseReason): void {
    if (reason === 'slow' || reason === 'stalled' || reason === 'unavailable')
      this.#options.dropped(
        'slow reader',
        `a connection of ${this.host} is closed, as it reads too slowly, or the log has lost what it is to get`,
      )
    if (reason === 'shutdown') this.#socket.end(() => this.#socket.destroy())
    else this.destroy()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #read(): void {
    if (this.#isInLaterTurn) return
    try {
      for (;;) {
        if (this.#isOver || this.#isRevoked) return this.#endWhenDone()
        const message = this.#held ?? this.#parser.next()
        this.#held = null
        if (message === null && this.#parser.isPaused) return this.#goOnLater()
        if (message === null) break
        if (this.#subscribedWire !== this.wire) this.#changeWire()
        if (this.#underWay > 0 && !this.#mayJoin(message)) {
          this.#held = message
          this.#socket.pause()
          return
        }
        this.#handle(message)
        if (this.#underWay >= UNDER_WAY_MAX) {
          this.#socket.pause()
          return
        }
        if (isTurnSpent()) return this.#goOnLater()
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#options.dropped(
        'no message',
        `a connection of ${this.host} is closed: ${error.message}`,
      )
      return this.destroy()
    }
    this.#socket.resume()
    if (this.#socket.readableEnded || this.#socket.destroyed) return this.#endWhenDone()
    if (this.#parser.awaitsSilence) this.#silence = setTimeout(() => this.#fallSilent(), SILENT_MS)
  }

  /** Publications may be under way together. */
  #mayJoin(message: ClientMessage): boolean {
    return message.type === 'multicast' && this.#hasEntered && this.#aloneUnderWay === 0
  }

  /** What it has published shows that it speaks another one than its port. */
  #changeWire(): void {
    this.#subscribedWire = this.wire
    this.entitlementsChanged()
  }

  #goOnLater(): void {
    this.#isInLaterTurn = true
    this.#socket.pause()
    inLaterTurn(() => {
      this.#isInLaterTurn = false
      this.#read()
    })
  }

  #fallSilent(): void {
    if (!this.#parser.awaitsSilence) return
    const message = this.#parser.endSilence()
    if (message === null) return
    this.#held = message
    this.#read()
  }

  #handle(message: ClientMessage): void {
    switch (message.type) {
      case 'login':
        return void this.#logIn(message)
      case 'multicast':
        return this.#publish(message)
      case 'unicast':
        return this.#sendTo(message)
      case 'subscription-request':
        return message.isAdd ? this.#subscribe(message) : this.#unsubscribe(message)
      case 'notification-request':
        return this.#hear(message)
      case 'authorization-response':
        return this.#answer(message)
      case 'server-only':
        return this.#drop(
          'server-only',
          `a message of type ${message.code}, which only servers send`,
        )
    }
  }

  #enter(): void {
    this.#hasEntered = true
    this.#options.bus.enter(this)
  }

  /** What comes meanwhile waits. Who is refused is closed, without a byte, as that would be a message. */
  async #logIn({ user, password }: { readonly user: string; readonly password: string }) {
    const address = this.#socket.remoteAddress ?? null
    this.#underWay++
    const result = await this.#options.logins!.gate.login({ address, name: user, password })
    this.#underWay--
    clearTimeout(this.#handshake)
    if (this.#socket.destroyed) return this.#endWhenDone()
    if (result.type !== 'accepted') {
      this.#drop(`${result.type} login`, `a login that was ${TOLD[result.type]}`)
      return this.destroy()
    }
    const { login } = result
    if (login.identity === ANONYMOUS) return this.#change(ANONYMOUS) // it has ended meanwhile
    this.#login = login
    this.#user = login.identity.name ?? user
    this.#loginChanges = login.onChange((identity) => this.#change(identity))
    this.#enter()
    this.#read()
  }

  /** What is withdrawn is not seen from the next event on, and whose login ends is nobody any more. */
  #change(identity: Identity): void {
    if (identity !== ANONYMOUS) return this.#subscription?.setRights(this.#rights)
    this.#drop('ended login', `${this.user} is closed, as that login does not hold any more`)
    this.#isRevoked = true
    this.#held = null
    this.destroy()
  }

  #endHandshake(): void {
    const seconds = this.#options.limits.handshakeTimeoutMs / 1_000
    this.#drop('late login', `no login within ${seconds} s (protocols.jetblack.handshake_timeout)`)
    this.destroy()
  }

  #answer(message: ClientMessage & { readonly type: 'authorization-response' }): void {
    if (!this.#may('authorize', message.feed)) return
    if (!this.#options.authorisation.answer(message))
      this.#drop('not asked', 'an answer for whom nobody has asked')
  }

  #publish(message: ClientMessage & { readonly type: 'multicast' }): void {
    const { feed, topic, mark, packets } = message
    if (!this.#mayPublish(message)) return
    const { user, host, id: publisher } = this
    const { limits, rules } = this.#options
    const published = { feed, topic, mark, packets, user, host, publisher }
    this.#underWay++
    const steps = publicationSteps(published, limits, rules.hasAuthorisers(feed))
    if (!this.#store(steps, published)) this.#underWay--
  }

  #mayPublish(message: Pair): boolean {
    if (!this.#may('publish', message.feed)) return false
    if (message.feed === '') return this.#refuse('no feed', 'data without a feed')
    const verdict = this.#options.policy.mayPublish(segmentsOf(pathOf(message)), {
      address: this.#socket.remoteAddress ?? null,
      identity: this.#identity,
    })
    return verdict.allowed || this.#refuse('may not publish', refusalText(verdict.reason))
  }

  /** One of many packets takes more than one turn, and nothing is done beside it. `false`: it was dropped. */
  #store(steps: ReturnType<typeof publicationSteps>, published: JetblackEvent): boolean {
    try {
      for (;;) {
        const { done, value } = steps.next()
        if (done === true) {
          void this.#storeNow(value, published)
          return true
        }
        if (isTurnSpent()) break
      }
    } catch (error) {
      if (!(error instanceof PubSubError)) throw error
      return this.#refuse('too large', error.message)
    }
    this.#aloneUnderWay++
    inLaterTurn(() => {
      this.#aloneUnderWay--
      if (!this.#store(steps, published)) this.#published()
    })
    return true
  }

  async #storeNow(publication: SealedPublication, published: JetblackEvent): Promise<void> {
    const { hub, bus } = this.#options
    const publishing = bus.publishing(publication.envelope, published)
    try {
      await hub.store([publication])
    } catch (error) {
      if (!(error instanceof PubSubError)) throw error
      this.#drop('not stored', error.message)
    } finally {
      publishing[Symbol.dispose]()
    }
    this.#published()
  }

  #published(): void {
    this.#underWay--
    if (this.#underWay > 0 && this.#held !== null) return
    this.#read()
  }

  #sendTo(message: ClientMessage & { readonly type: 'unicast' }): void {
    if (!this.#mayPublish(message)) return
    const { user, host } = this
    if (!this.#options.bus.sendTo(message.clientId, this, { ...message, user, host }))
      this.#drop('no addressee', 'data for a client that is not subscribed to it')
  }

  #subscribe({ feed, topic }: Pair): void {
    if (!this.#may('subscribe', feed)) return
    const { authorisation, rules } = this.#options
    const pair = { feed, topic }
    if (rules.hasAuthorisers(feed)) {
      const admission = authorisation.ask(this, pair)
      if (admission === 'nobody')
        this.#drop('no authoriser', 'a subscription to a feed whose authorisers are not there')
      if (admission !== 'admitted') return
    }
    this.admitted(pair, 1)
  }

  admitted(pair: Pair, adds: number): void {
    if (this.#isOver) return
    const { limits, bus } = this.#options
    const key = keyOf(pair)
    if (!this.#subscribed.has(key) && this.#subscribed.size >= limits.subscriptionsPerPeerMax)
      return this.#drop(
        'too many subscriptions',
        `more than ${limits.subscriptionsPerPeerMax} topics (protocols.jetblack.subscriptions_per_peer)`,
      )
    if (this.#options.rules.showsLast(pair.feed) && !bus.isSubscribed(this, pair))
      return void this.#beginWithImage(pair, adds)
    this.#begin(pair, adds)
  }

  /** Its last event, then all that come behind it. */
  async #beginWithImage(pair: Pair, adds: number): Promise<void> {
    const { hub, bus } = this.#options
    this.#underWay++
    this.#aloneUnderWay++
    try {
      await hub.withNewest(pathOf(pair), (event) => {
        if (this.#socket.destroyed || !this.#begin(pair, adds) || event === null) return
        const isVisible = isForAll(event) || this.#rights.maySee(event)
        const image = isVisible ? bus.imageOf(pair, event, this) : null
        if (image !== null) this.send(image)
      })
    } catch (error) {
      if (!(error instanceof PubSubError)) throw error
      this.#drop('no image', error.message)
      this.destroy() // it would be taken for one that is up to date
    }
    this.#aloneUnderWay--
    this.#published()
  }

  /** `false`: it was dropped. */
  #begin(pair: Pair, adds: number): boolean {
    const { bus, hub } = this.#options
    const { feed, topic } = pair
    const key = keyOf(pair)
    const path = pathOf(pair)
    if (!this.#subscribed.has(key) && feed !== ADMIN) {
      const want = { path }
      try {
        if (this.#subscription === null) {
          this.#onlyPair = { feed, topic }
          this.#subscription = hub.subscribe({
            wants: [want],
            rights: this.#rights,
            from: 'head',
            to: { encoding: bus.encodingOfPair(pair, this), sink: this.#sink, opening: NOTHING },
            door: DOOR,
            share: addressBlock(this.#socket.remoteAddress ?? null),
          })
        } else {
          this.#onlyPair = null
          this.#subscription.setEncoding(bus.encodingOfMember(this))
          this.#subscription.changeWants({ add: [want] })
        }
      } catch (error) {
        if (!(error instanceof PubSubError)) throw error
        this.#drop('too many subscriptions', error.message)
        return false
      }
    }
    if (!this.#subscribed.has(key)) this.#paths.set(path, (this.#paths.get(path) ?? 0) + 1)
    this.#subscribed.add(key)
    for (let add = 0; add < adds; add++) bus.subscribe(this, { feed, topic })
    return true
  }

  #unsubscribe({ feed, topic }: Pair): void {
    if (!this.#may('subscribe', feed)) return
    const pair = { feed, topic }
    this.#options.authorisation.takeBack(this, pair)
    if (!this.#options.bus.unsubscribe(this, pair)) return
    this.#subscribed.delete(keyOf(pair))
    const path = pathOf(pair)
    const others = this.#paths.get(path)! - 1
    if (others > 0) return void this.#paths.set(path, others)
    this.#paths.delete(path)
    if (feed !== ADMIN) this.#subscription!.changeWants({ drop: [{ path }] })
  }

  #hear({ feed, isAdd }: { readonly feed: string; readonly isAdd: boolean }): void {
    if (!this.#may('notify', feed)) return
    if (isAdd) this.#options.bus.hear(this, feed)
    else this.#options.bus.ignore(this, feed)
  }

  /** What is private elsewhere for its feed's authorisers is shown to whoever they let in, which the bus looks at. */
  get #rights(): Rights {
    const { bus, rules } = this.#options
    const { rights } = this.#identity
    return {
      key: `${DOOR} ${rights.key}`,
      seesNothing: false,
      maySee: (event) =>
        rights.maySee(event) || (isOfJetblack(event) && rules.hasAuthorisers(bus.feedOf(event))),
    }
  }

  get #identity(): Identity {
    return this.#login?.identity ?? ANONYMOUS
  }

  #may(role: Role, feed: string): boolean {
    if (this.#options.rules.allows(role, feed, this.user)) return true
    this.#drop(
      `may not ${role}`,
      `${this.user} may not ${role} on the feed ${JSON.stringify(feed)}`,
    )
    return false
  }

  #refuse(reason: string, details: string): false {
    this.#drop(reason, details)
    return false
  }

  #drop(reason: string, details: string): void {
    this.#options.dropped(reason, `from ${this.host}: ${details}`)
  }

  /** Once all that it has sent has taken effect. */
  #endWhenDone(): void {
    if (this.#isOver || this.#underWay > 0) return
    if (!this.#socket.destroyed && (this.#held !== null || this.#isInLaterTurn)) return
    this.#isOver = true
    clearTimeout(this.#silence)
    clearTimeout(this.#handshake)
    clearTimeout(this.#stall)
    this.#loginChanges?.[Symbol.dispose]()
    this.#subscription?.close()
    if (this.#hasEntered) {
      this.#options.authorisation.leave(this)
      this.#options.bus.leave(this)
    }
    this.destroy()
  }
}

/** What goes wrong with its stream ends the connection. */
class SessionSink extends StreamSink {
  readonly #session: Session

  constructor(socket: Socket, session: Session) {
    super(socket, null)
    this.#session = session
  }

  override end(reason: CloseReason): void {
    this.#session.end(reason)
  }
}

const NOTHING = new Uint8Array()

function keyOf({ feed, topic }: Pair): string {
  return JSON.stringify([feed, topic])
}

/** What became of a login that was not accepted. */
const TOLD = {
  refused: 'refused',
  unavailable: 'not judged, as the directory does not answer',
  postponed: 'not judged, as too many others came before',
} as const

/** So many publications of a connection share commits; more would only wait. */
const UNDER_WAY_MAX = 1_024
/** What comes no later than this may still be of the message before (dossier 6.2). */
const SILENT_MS = 50
/** Peers that are gone without a word are noticed within some minutes. */
const KEEP_ALIVE_MS = 60_000
