import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { ANONYMOUS, type Identity } from '../../auth/identity.ts'
import type { AttemptLimiter } from '../../auth/attempt-limiter.ts'
import type { ConsumerDelivery, DeliveryOutcome } from '../../consumers/durable-consumer.ts'
import { DurableConsumers } from '../../consumers/durable-consumers.ts'
import { type Policy, refusalText } from '../../auth/policy.ts'
import { NotAllowedError } from './errors.ts'
import type { PublishedEvent } from '../../hub/event.ts'
import type { Publication } from '../../publication/publication.ts'
import type { Hub } from '../../hub/hub.ts'
import { payloadOf } from '../../publication/payload.ts'
import { PRIVATE, publishedTopics, segmentsOf } from '../../publication/published-topics.ts'
import type { StateStore } from '../../hub/state-store.ts'
import { printable, type LogLevel } from '../../ops/logger.ts'
import { SeldomReport } from '../../ops/seldom-report.ts'
import { Verifier, type Secrets } from './authorization.ts'
import type { Interest } from './interests.ts'
import type { LonelypsLimits } from './limits.ts'
import { MessageMemory } from './message-memory.ts'
import { Missed } from './missed.ts'
import type { NotifyTrace } from './notify-trace.ts'
import type { Peer } from './peer.ts'
import type { Rights } from '../../hub/rights.ts'
import { RecentDeliveries } from './recent-deliveries.ts'
import { StoredSubscriptions, type StoredSubscription } from './stored-subscriptions.ts'
import { SocketGlobs } from './socket-globs.ts'
import { StatelessRequests, type Notify } from './stateless-requests.ts'
import { TokenGuesses } from './token-guesses.ts'
import { topicOf, topicOfPath } from './topic.ts'
import { Webhook, type Outgoing } from './webhook.ts'
import { WebhookSubscriptions } from './webhook-subscriptions.ts'
import { SOCKETS, WebSockets } from './websockets.ts'
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
  /** Limits those who guess. */
  readonly limiter: AttemptLimiter
  /** @throws {Error} nothing may ever be sent to that url. The message is for the log. */
  readonly checkUrl: (url: string) => void
  readonly outgoing: Outgoing
  readonly limits: LonelypsLimits
  /** Dictionaries that WebSockets may ask for. */
  readonly presets: Presets
  /** How long a receiver is told that it may have missed something, in ms. */
  readonly missedForMs: number
  /** How long a notification waits for its webhooks, in ms: a receiver may take long, and its publisher has others to serve. */
  readonly countedForMs: number
  readonly times?: LonelypsTimes
  readonly logger: (level: LogLevel, message: string) => void
}

/** The door of lonelyps: docs/protocols/lonelyps.md. */
export class LonelypsDoor implements AsyncDisposable {
  readonly #options: LonelypsOptions
  readonly #rows: StoredSubscriptions
  readonly #missed: Missed
  readonly #consumers: DurableConsumers<StoredSubscription>
  readonly #webhook: Webhook
  readonly #requests: StatelessRequests
  readonly #webSockets: WebSockets
  /** A client may ask for the same again and again. */
  readonly #refusals: SeldomReport

  /** With the subscriptions that are stored, each going on where it was. @throws {LogUnavailableError} */
  static async open(options: LonelypsOptions): Promise<LonelypsDoor> {
    const secretsByName = new Map(options.secrets.map((secrets) => [secrets.name, secrets]))
    const verifier = new Verifier(options.secrets)
    const deliveries = new RecentDeliveries()
    const webhook = new Webhook(
      options.outgoing,
      verifier,
      deliveries,
      (owner) => secretsByName.get(owner) ?? null,
    )
    // Changed only by requests, which come when all of this is there.
    let door: LonelypsDoor | null = null
    const rows = await StoredSubscriptions.load({
      state: options.state,
      limits: options.limits,
      onChange: (url) => door?.onRowsChanged(url),
      isKnown: (owner) => secretsByName.has(owner),
    })
    const missed = await Missed.load({
      state: options.state,
      rows,
      forMs: options.missedForMs,
      timeAgo: (ms) => options.hub.timeAgo(ms),
      secondMs: options.times?.missedSecondMs,
      send: (row, topic) => webhook.missed(row, topic),
    })
    door = new LonelypsDoor(options, { rows, missed, webhook, verifier, deliveries })
    await door.#consumers.resume()
    return door
  }

  private constructor(
    options: LonelypsOptions,
    parts: {
      rows: StoredSubscriptions
      missed: Missed
      webhook: Webhook
      verifier: Verifier
      deliveries: RecentDeliveries
    },
  ) {
    const { hub, state, limits, presets, logger } = options
    const { rows, missed, webhook, verifier, deliveries } = parts
    this.#options = options
    this.#refusals = new SeldomReport(logger, 'warn')
    this.#rows = rows
    this.#missed = missed
    this.#webhook = webhook
    this.#consumers = new DurableConsumers({
      kind: 'lonelyps webhooks',
      hub,
      state,
      space: 'lonelyps.places',
      subscriptions: new WebhookSubscriptions(rows),
      policy: {
        deliver: (delivery) => this.#deliver(delivery),
        retryAfterMs: () => null,
        gaveUp: ({ subscription, event }) =>
          missed.add(subscription, topicOfPath(event.path).bytes),
        lost: (row) => missed.add(row, aboutOf(row)),
        maySee: (row, event) => this.#maySee(row.owner, event),
      },
      logger,
    })
    const notify: Notify = (...notification) => this.#notify(...notification)
    const memory = new MessageMemory(limits.messageMemoryMax)
    const guesses = new TokenGuesses(options.limiter, verifier)
    this.#requests = new StatelessRequests({
      rows,
      guesses,
      limits,
      checkUrl: (url) => this.#checkUrl(url),
      checkInterest: (interest, owner) => this.#checkInterest(interest, owner),
      memory,
      cursorOfHead: () => hub.cursorOf(hub.head),
      notify,
      checkNotify: (topic, peer) => void this.#placeOf(topic, peer),
    })
    this.#webSockets = new WebSockets(guesses, {
      verifier,
      limits,
      presets,
      hub,
      globs: new SocketGlobs(limits),
      deliveries,
      rightsOf: (owner) => this.#rightsOf(owner),
      notify,
      memory,
      onSubscribe: (interest, owner) => this.#tellUnseen(interest, owner),
      configureMs: options.times?.configureMs,
      logger,
    })
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

  /** Called by the rows: a url has others now. */
  onRowsChanged(url: string): void {
    this.#consumers.changed(url)
  }

  /** Open WebSockets end. What webhooks have not sent is sent after the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#webSockets.close()
    this.#missed.close()
    this.#webhook.close()
    await this.#consumers.close()
  }

  /**
   * Resolves with how many have it, once it is in the log and every webhook has been tried, or has had its time; rejects as
   * `Hub.publish` does.
   * @throws {NotAllowedError | LimitExceededError} at once: it must not be published.
   */
  #notify(...[topicBytes, message, peer, trace]: Parameters<Notify>): Promise<number> {
    const place = this.#placeOf(topicBytes, peer)
    const payload = payloadOf(message, this.#options.limits.jsonDepthMax)
    return this.#publish({ ...place, payload }, trace)
  }

  async #publish(publication: Publication, trace?: NotifyTrace): Promise<number> {
    const { outcomes } = this.#consumers
    using _awaiting = outcomes.await()
    const { receipt, matched } = await this.#options.hub.publish([publication], {
      countedDoor: SOCKETS,
    })
    let received = 0
    const count = async () => {
      const webhooks = await outcomes.of(receipt.firstPosition)
      await Promise.all(
        webhooks.map(async (webhook) => {
          const confirmed = await webhook // before the sum is read, which others add to meanwhile
          received += confirmed
          if (confirmed > 0) trace?.record('receive_confirmed', { num_subscribers: confirmed })
        }),
      )
    }
    await settledWithin(count(), this.#options.countedForMs)
    return matched + received
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

  async #deliver({
    subscription,
    event,
  }: ConsumerDelivery<StoredSubscription>): Promise<DeliveryOutcome> {
    const outcome = await this.#webhook.receive(subscription, event)
    if (outcome.type === 'failed') return { type: 'failed' }
    if (outcome.type === 'received') return { type: 'delivered', count: outcome.count }
    await this.#rows.end(subscription).catch(() => {}) // it will say so again
    return { type: 'delivered', count: 0 }
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

  /** @throws {NotAllowedError} nothing would ever come: nobody's rights do not change. */
  #checkInterest(interest: Interest, owner: string | null): void {
    if (owner === null && isAboutPrivate(interest)) throw new NotAllowedError(UNSEEN_BY_NOBODY)
  }

  /** Somebody asks for what he does not see, and can be told of it here only: rights may change. */
  #tellUnseen(interest: Interest, owner: string | null): void {
    if (!isAboutPrivate(interest) || !this.#identityOf(owner).rights.seesNothing) return
    const why =
      owner === null
        ? UNSEEN_BY_NOBODY
        : 'the ACL file gives this user no segment of private topics'
    this.#refusals.add(
      `lonelyps: ${owner === null ? 'somebody' : printable(owner)} asks for private events and gets none: ${why}`,
      'private',
    )
  }

  #identityOf(name: string | null): Identity {
    return name === null ? ANONYMOUS : this.#options.identityOf(name)
  }

  /** Those of this moment, whenever they are asked. */
  #rightsOf(owner: string | null): Rights {
    return {
      key: `lonelyps ${owner ?? ''}`,
      seesNothing: owner === null,
      maySee: (event) => this.#maySee(owner, event),
    }
  }

  #maySee(owner: string | null, event: PublishedEvent): boolean {
    return !event.isPrivate || this.#identityOf(owner).rights.maySee(event)
  }
}

/** All that it can match is private. */
function isAboutPrivate(interest: Interest): boolean {
  const text = interest.type === 'exact' ? interest.topic.toString('utf8') : interest.glob
  return segmentsOf(text)[0] === PRIVATE
}

const UNSEEN_BY_NOBODY =
  'private events are shown to users of the ACL file only: give the peer a secrets file of its own in protocols.lonelyps.users'

/** What a lost place is told to be about: a glob has no topic of its own. */
function aboutOf({ interest }: StoredSubscription): Buffer {
  return interest.type === 'exact' ? interest.topic : Buffer.from(interest.glob)
}

async function settledWithin(promise: Promise<unknown>, ms: number): Promise<void> {
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(late.resolve, ms)
  await Promise.race([promise, late.promise])
  clearTimeout(timer)
}
