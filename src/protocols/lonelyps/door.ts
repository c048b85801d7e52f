import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { ANONYMOUS, type Identity } from '../../auth/identity.ts'
import type { AttemptLimiter } from '../../auth/attempt-limiter.ts'
import { type Policy, refusalText } from '../../auth/policy.ts'
import { NotAllowedError } from './errors.ts'
import type { PublishedEvent } from '../../hub/event.ts'
import type { Payload, Publication } from '../../publication/publication.ts'
import type { Hub } from '../../hub/hub.ts'
import { payloadOf } from '../../publication/payload.ts'
import { publishedTopics } from '../../publication/published-topics.ts'
import type { StateStore } from '../../hub/state-store.ts'
import type { LogLevel } from '../../ops/logger.ts'
import { SeldomReport } from '../../ops/seldom-report.ts'
import { Verifier, type Secrets } from './authorization.ts'
import { Interests } from './interests.ts'
import type { LonelypsLimits } from './limits.ts'
import { Missed } from './missed.ts'
import type { Peer } from './peer.ts'
import { Receivers, type Delivery } from './receivers.ts'
import { Rows, type Row } from './rows.ts'
import { StatelessRequests, type Notify } from './stateless-requests.ts'
import { TokenGuesses } from './token-guesses.ts'
import { topicOf, topicOfPath } from './topic.ts'
import { Webhook, type Outgoing } from './webhook.ts'
import { WebSockets, type SocketSubscriber } from './websockets.ts'
import type { Presets } from './ws-session.ts'

/** What is no setting, but may be shorter than by default: see `Missed` and `WebSockets`. */
export interface LonelypsTimes {
  readonly missedSecondMs?: number | undefined
  readonly configureMs?: number | undefined
}

export interface LonelypsOptions {
  readonly hub: Hub
  readonly state: StateStore
  readonly policy: Policy
  /** What a user of the ACL file is allowed now. */
  readonly identityOf: (name: string) => Identity
  readonly secrets: readonly Secrets[]
  /** Of those who guess. */
  readonly limiter: AttemptLimiter
  /** @throws {Error} nothing may ever be sent to that url. The message is for the log. */
  readonly checkUrl: (url: string) => void
  readonly outgoing: Outgoing
  readonly limits: LonelypsLimits
  /** Dictionaries that WebSockets may ask for. */
  readonly presets: Presets
  /** How long a receiver is told that it may have missed something, in ms. */
  readonly missedForMs: number
  readonly times?: LonelypsTimes
  readonly log: (level: LogLevel, message: string) => void
}

/** The door of lonelyps: docs/protocols/lonelyps.md. */
export class LonelypsDoor implements AsyncDisposable {
  readonly #options: LonelypsOptions
  readonly #rows: Rows
  readonly #missed: Missed
  readonly #receivers: Receivers
  readonly #webhook: Webhook
  readonly #watching: Disposable
  readonly #sockets = new Interests<SocketSubscriber>()
  readonly #requests: StatelessRequests
  readonly #webSockets: WebSockets
  /** A client may ask for the same again and again. */
  readonly #refusals: SeldomReport
  /** Notifications that are being published, by what the hub hands back to us. */
  readonly #tallies = new Map<Payload, Tally>()

  /** With the subscriptions that are stored, each going on where it was. @throws {LogUnavailableError} */
  static async open(options: LonelypsOptions): Promise<LonelypsDoor> {
    const secretsByName = new Map(options.secrets.map((secrets) => [secrets.name, secrets]))
    const verifier = new Verifier(options.secrets)
    const webhook = new Webhook(
      options.outgoing,
      verifier,
      (owner) => secretsByName.get(owner) ?? null,
    )
    // Changed only by requests, which come when all of this is there.
    let door: LonelypsDoor | null = null
    const rows = await Rows.load({
      state: options.state,
      limits: options.limits,
      onChange: (url) => door?.onRowsChanged(url),
      isKnown: (owner) => secretsByName.has(owner),
    })
    const missed = await Missed.load({
      state: options.state,
      rows,
      forMs: options.missedForMs,
      secondMs: options.times?.missedSecondMs,
      send: (row, topic) => webhook.missed(row, topic),
    })
    door = new LonelypsDoor(options, { rows, missed, webhook, verifier })
    await door.#receivers.resume()
    return door
  }

  private constructor(
    options: LonelypsOptions,
    parts: { rows: Rows; missed: Missed; webhook: Webhook; verifier: Verifier },
  ) {
    const { hub, state, limits, presets, log } = options
    const { rows, missed, webhook, verifier } = parts
    this.#options = options
    this.#refusals = new SeldomReport(log, 'warn')
    this.#rows = rows
    this.#missed = missed
    this.#webhook = webhook
    this.#receivers = new Receivers({
      hub,
      state,
      rows,
      deliver: (delivery) => this.#deliver(delivery),
      lost: (row) => missed.add(row, aboutOf(row)),
      maySee: (row, event) => this.#maySee(row.owner, event),
      log,
    })
    const notify: Notify = (topic, message, peer) => this.#notify(topic, message, peer)
    const guesses = new TokenGuesses(options.limiter, verifier)
    this.#requests = new StatelessRequests({
      rows,
      guesses,
      limits,
      checkUrl: (url) => this.#checkUrl(url),
      cursorOfHead: () => hub.cursorOf(hub.head),
      notify,
      checkNotify: (topic, peer) => void this.#placeOf(topic, peer),
    })
    this.#webSockets = new WebSockets(guesses, {
      verifier,
      limits,
      presets,
      interests: this.#sockets,
      notify,
      configureMs: options.times?.configureMs,
      log,
    })
    this.#watching = hub.watch((events) => this.#onRound(events))
  }

  request(
    incoming: IncomingMessage,
    response: ServerResponse,
    peer: { readonly path: string; readonly address: string | null },
  ): Promise<void> {
    return this.#requests.answer(incoming, response, peer)
  }

  upgrade(
    incoming: IncomingMessage,
    socket: Duplex,
    peer: { readonly path: string; readonly address: string | null; readonly head: Buffer },
  ): void {
    void this.#webSockets.open(incoming, socket, peer)
  }

  /** By the rows: a url has others now. */
  onRowsChanged(url: string): void {
    this.#receivers.changed(url)
  }

  /** Open WebSockets end. What webhooks have not sent is sent after the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#watching[Symbol.dispose]()
    this.#webSockets.close()
    this.#missed.close()
    this.#webhook.close()
    await this.#receivers.close()
  }

  /**
   * Resolves with how many have it, once it is in the log and every webhook has been tried, or has had its time.
   * @throws {NotAllowedError | LimitExceededError | LogUnavailableError} nothing was published.
   */
  async #notify(topicBytes: Uint8Array, message: Buffer, peer: Peer): Promise<number> {
    const { hub, limits } = this.#options
    const place = this.#placeOf(topicBytes, peer)
    const payload = payloadOf(message, limits.jsonDepthMax)
    const tally: Tally = { count: 0, webhooks: [] }
    this.#tallies.set(payload, tally)
    try {
      await hub.publish([{ ...place, payload }])
    } finally {
      this.#tallies.delete(payload)
    }
    if (tally.webhooks.length > 0) await settledWithin(tally.webhooks, WEBHOOKS_MS)
    return tally.count
  }

  /** Where a notification is published. @throws {NotAllowedError | LimitExceededError} it must not be. */
  #placeOf(topicBytes: Uint8Array, peer: Peer): Omit<Publication, 'payload'> {
    const { policy, limits } = this.#options
    const { bytes, path } = topicOf(topicBytes)
    // Bytes that are no UTF-8 are U+FFFD here.
    const { segments, topics, isPrivate } = publishedTopics(
      bytes.toString('utf8'),
      limits.topicsMax,
    )
    const identity = this.#identityOf(peer.secrets.name)
    const verdict = policy.mayPublish(segments, { address: peer.address, identity })
    if (!verdict.allowed) throw new NotAllowedError(refusalText(verdict.reason))
    return { topics, isPrivate, path }
  }

  #onRound(events: readonly PublishedEvent[]): void {
    try {
      this.#deliverRound(events)
    } catch (error) {
      // Who has got what of it is not known: whoever is connected comes back, and the hub logs it.
      this.#webSockets.fail()
      throw error
    }
  }

  #deliverRound(events: readonly PublishedEvent[]): void {
    for (const event of events) {
      const topic = topicOfPath(event.path)
      const tally = this.#tallies.get(event.payload)
      const sockets = this.#sockets.matching(topic)
      if (sockets.length > 0) {
        const count = this.#webSockets.deliver(sockets, event, topic, (owner) =>
          this.#maySee(owner, event),
        )
        if (tally !== undefined) tally.count += count
      }
      for (const offered of this.#receivers.offer(event, topic))
        tally?.webhooks.push(offered.then((count) => void (tally.count += count)))
    }
  }

  async #deliver(delivery: Delivery): Promise<number> {
    const { row, topic } = delivery
    const outcome = await this.#webhook.receive(delivery)
    if (outcome.type === 'received') return outcome.count
    if (outcome.type === 'failed') this.#missed.add(row, topic.bytes)
    else await this.#rows.end(row).catch(() => {}) // it will say so again
    return 0
  }

  #checkUrl(url: string): void {
    try {
      this.#options.checkUrl(url)
    } catch (error) {
      this.#refusals.add(`lonelyps: a subscription is refused: ${(error as Error).message}`)
      throw new NotAllowedError(
        'this url may not be asked; the operator can name its host in protocols.lonelyps.webhooks.allow',
      )
    }
  }

  #identityOf(name: string | null): Identity {
    return name === null ? ANONYMOUS : this.#options.identityOf(name)
  }

  #maySee(owner: string | null, event: PublishedEvent): boolean {
    return !event.isPrivate || this.#identityOf(owner).rights.maySee(event)
  }
}

/** How many have got a notification. */
interface Tally {
  count: number
  readonly webhooks: Promise<void>[]
}

/** What a lost place is told to be about: a glob has no topic of its own. */
function aboutOf({ interest }: Row): Buffer {
  return interest.type === 'exact' ? interest.topic : Buffer.from(interest.glob)
}

/** What a notification waits for its webhooks, in ms: a receiver may take long, and its publisher has others to serve. */
const WEBHOOKS_MS = 5_000

async function settledWithin(promises: readonly Promise<unknown>[], ms: number): Promise<void> {
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(late.resolve, ms)
  await Promise.race([Promise.all(promises), late.promise])
  clearTimeout(timer)
}
