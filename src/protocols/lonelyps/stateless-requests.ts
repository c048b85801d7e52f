import { hash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { addressBlock } from '../../auth/address-block.ts'
import { shareOf } from '../../auth/share-of.ts'
import { OutcomeUnknownError } from '../../hub/errors.ts'
import { PubSubError } from '../../publication/errors.ts'
import { statusOf } from './errors.ts'
import { discardBody, isLongBody } from '../../sockets/discard-body.ts'
import type { Cursor } from '../../hub/event.ts'
import { authorizationOf, type Secrets, type Verdict } from './authorization.ts'
import { MalformedError } from './byte-reader.ts'
import { strongEtag, type SubscriptionList } from './etag.ts'
import {
  NOTIFY_HEAD_BYTES_MAX,
  readCheck,
  readNotifyHead,
  readSetHead,
  readSetList,
  readSubscribe,
  writeChecked,
  writeGeneric,
  writeNotified,
  type NotifyHead,
} from './http-codec.ts'
import { compileGlob } from './glob.ts'
import type { Interest } from './interests.ts'
import type { LonelypsLimits } from './limits.ts'
import type { MessageMemory } from './message-memory.ts'
import { NotifyTrace } from './notify-trace.ts'
import type { Peer } from './peer.ts'
import type { StoredSubscription, StoredSubscriptions, WantedRow } from './stored-subscriptions.ts'
import { signed, type Signed } from './signed-bytes.ts'
import type { Judge, TokenGuesses } from './token-guesses.ts'

export interface StatelessOptions {
  readonly rows: StoredSubscriptions
  readonly guesses: TokenGuesses
  readonly limits: LonelypsLimits
  readonly checkUrl: (url: string) => void
  /** @throws {NotAllowedError} nothing of it would ever be shown to the owner. */
  readonly checkInterest: (interest: Interest, owner: string | null) => void
  readonly memory: MessageMemory
  readonly cursorOfHead: () => Cursor
  readonly notify: Notify
  /** @throws {PubSubError} the same that `notify` throws of a peer that may not, or of a topic that cannot be. */
  readonly checkNotify: (topic: Uint8Array, peer: Peer) => void
}

/** Resolves with how many have it. `trace`: is told who confirms it when. */
export type Notify = (
  topic: Uint8Array,
  message: Buffer,
  peer: Peer,
  trace?: NotifyTrace,
) => Promise<number>

/** Requests of subscribers and publishers over HTTP. */
export class StatelessRequests {
  readonly #options: StatelessOptions
  readonly #handlers = new Map<string, Handler>([
    ['/v1/subscribe/exact', (request) => this.#subscribe(request, 'exact')],
    ['/v1/subscribe/glob', (request) => this.#subscribe(request, 'glob')],
    ['/v1/unsubscribe/exact', (request) => this.#unsubscribe(request, 'exact')],
    ['/v1/unsubscribe/glob', (request) => this.#unsubscribe(request, 'glob')],
    ['/v1/notify', (request) => this.#notify(request)],
    ['/v1/check_subscriptions', (request) => this.#check(request)],
    ['/v1/set_subscriptions', (request) => this.#set(request)],
  ])

  constructor(options: StatelessOptions) {
    this.#options = options
  }

  /** Whoever refuses says why, although the reference's client reads the status only. */
  async answer(
    incoming: IncomingMessage,
    response: ServerResponse,
    { path, address }: { readonly path: string; readonly address: string | null },
  ): Promise<void> {
    const trace = new NotifyTrace() // before anything is waited for
    try {
      const handler = this.#handlers.get(path)
      if (handler === undefined) throw new Refusal(404, `there is nothing at ${path}`)
      if (incoming.method !== 'POST') throw new Refusal(405, 'this is asked with POST')
      const { authorization = null } = incoming.headers
      const judge = await this.#options.guesses.admit(address, authorization)
      if (judge === null) throw new Refusal(...REFUSED.unavailable)
      const body = await handler({ incoming, address, judge, trace })
      send(response, 200, 'application/octet-stream', body)
    } catch (error) {
      if (incoming.destroyed && !incoming.complete) return
      const { status, message } = refusalOf(error)
      if (isLongBody(incoming.headers)) response.setHeader('Connection', 'close')
      if (status === 405) response.setHeader('Allow', 'POST')
      if (status === 503) response.setHeader('Retry-After', '1')
      send(response, status, 'text/plain; charset=utf-8', Buffer.from(`${message}\n`))
      discardBody(response)
    }
  }

  async #subscribe(asked: Asked, type: Interest['type']): Promise<Buffer> {
    const body = await readAll(asked.incoming, SMALL_BODY_BYTES_MAX)
    const { url, interest, recovery, tracing } = readSubscribe(body, type, true)
    const secrets = authorized(asked, aboutSubscription(url, recovery, interest), tracing)
    this.#checkUrls(url, recovery)
    this.#options.checkInterest(interest, secrets.name)
    if (interest.type === 'glob') compileGlob(interest.glob)
    const row: StoredSubscription = {
      interest,
      url,
      recovery,
      owner: secrets.name,
      share: shareOf(secrets.name, asked.address),
      since: this.#options.cursorOfHead(),
    }
    if (!(await this.#options.rows.add(row))) throw new Refusal(409, 'that subscription is there')
    return writeGeneric(confirmed(secrets, url, recovery, interest))
  }

  async #unsubscribe(asked: Asked, type: Interest['type']): Promise<Buffer> {
    const body = await readAll(asked.incoming, SMALL_BODY_BYTES_MAX)
    const { url, interest, tracing } = readSubscribe(body, type, false)
    const secrets = authorized(asked, aboutSubscription(url, null, interest), tracing)
    if (!(await this.#options.rows.remove(url, interest, secrets.name)))
      throw new Refusal(409, 'there is no such subscription')
    return writeGeneric(confirmed(secrets, url, null, interest))
  }

  async #notify(asked: Asked): Promise<Buffer> {
    const { incoming, address, trace } = asked
    const { limits, memory } = this.#options
    const { messageBytesMax } = limits
    let secrets: Secrets | undefined
    let head: NotifyHead | undefined
    const full = Promise.withResolvers<never>()
    full.promise.catch(() => {}) // it is met while the body is read
    using held = memory.open(addressBlock(address), () =>
      full.reject(new Refusal(503, 'too many great messages come at once')),
    )
    const reading = { onBytes: (bytes: number) => held.hold(bytes), end: full.promise }
    const bytesMax = NOTIFY_HEAD_BYTES_MAX + messageBytesMax
    const body = await readAll(incoming, bytesMax, reading, (sofar) => {
      if (head !== undefined) return
      const candidate = unlessShort(() => readNotifyHead(sofar))
      if (candidate === null) return
      if (candidate.messageBytes > messageBytesMax)
        throw new Refusal(
          413,
          `the message has ${candidate.messageBytes} bytes, the limit is ${messageBytesMax} ` +
            '(protocols.lonelyps.max_message_size)',
        )
      // Before its message is taken: lonelypsc 0.0.17, whatever it is answered, tries again and sends all but the message.
      const { topic, identifier, sha512, tracing } = candidate
      secrets = authorized(asked, signed.notify(topic, identifier, sha512), tracing)
      this.#options.checkNotify(topic, { secrets, address })
      trace.record('auth_tentatively_accepted')
      head = candidate
    })
    if (head === undefined || secrets === undefined)
      throw new MalformedError('the body ends before its message begins')
    const { topic, identifier, sha512, headBytes, messageBytes } = head
    const message = body.subarray(headBytes)
    if (BigInt(message.length) !== messageBytes)
      throw new MalformedError(`the message has ${message.length} bytes instead of ${messageBytes}`)
    if (!hash('sha512', message, 'buffer').equals(sha512))
      throw new MalformedError('the message is not the one that its sha-512 says')
    trace.record('auth_accepted')
    const count = await this.#options
      .notify(topic, message, { secrets, address }, trace)
      .catch(refuseUnknownOutcome)
    trace.record('no_more_subscribers')
    const tracing = trace.tracing()
    const about = signed.confirmNotify(identifier, count, topic, sha512)
    const authorization = authorizationOf(secrets.toSubscriber, about, tracing)
    return writeNotified(authorization, { tracing, count, identifier })
  }

  async #check(asked: Asked): Promise<Buffer> {
    const body = await readAll(asked.incoming, SMALL_BODY_BYTES_MAX)
    const { url, tracing } = readCheck(body)
    const secrets = authorized(asked, signed.checkSubscriptions(url), tracing)
    this.#options.rows.checkOwner(url, secrets.name)
    const etag = strongEtag(url, listOf(this.#options.rows.of(url)))
    return writeChecked(authorizationOf(secrets.toSubscriber, signed.checked(etag), EMPTY), etag)
  }

  async #set(asked: Asked): Promise<Buffer> {
    const { rows, limits, cursorOfHead } = this.#options
    let secrets: Secrets | undefined
    const body = await readAll(asked.incoming, LIST_BYTES_MAX, {}, (sofar) => {
      if (secrets !== undefined) return
      const candidate = unlessShort(() => readSetHead(sofar))
      if (candidate === null) return
      // Before its list is taken.
      const { url, etag, tracing } = candidate
      const proven = authorized(asked, signed.setSubscriptions(url, etag), tracing)
      rows.checkOwner(url, proven.name)
      secrets = proven
    })
    const head = readSetHead(body)
    const { url, etag } = head
    if (secrets === undefined) throw new MalformedError('the body ends before its list begins')
    const { topics, globs } = readSetList(body, head, limits.subscriptionsPerPeerMax)
    const count = topics.length + globs.length
    if (count > limits.subscriptionsPerPeerMax) throw this.#tooMany()
    for (const { glob } of globs) compileGlob(glob)
    const wanted: WantedRow[] = [
      ...topics.map(
        ({ topic, recovery }) => ({ interest: { type: 'exact', topic }, recovery }) as const,
      ),
      ...globs.map(
        ({ glob, recovery }) => ({ interest: { type: 'glob', glob }, recovery }) as const,
      ),
    ]
    for (const { interest } of wanted) this.#options.checkInterest(interest, secrets.name)
    for (const recovery of new Set(wanted.map((row) => row.recovery)))
      this.#checkUrls(url, recovery)
    const { name } = secrets
    const share = shareOf(name, asked.address)
    await rows.set(url, wanted, { owner: name, share, since: cursorOfHead() })
    return writeGeneric(authorizationOf(secrets.toSubscriber, signed.confirmSet(etag), EMPTY))
  }

  #checkUrls(url: string, recovery: string | null): void {
    this.#options.checkUrl(url)
    if (recovery !== null) this.#options.checkUrl(recovery)
  }

  #tooMany(): Refusal {
    return new Refusal(
      403,
      `one url may have ${this.#options.limits.subscriptionsPerPeerMax} subscriptions ` +
        '(protocols.lonelyps.subscriptions_per_peer)',
    )
  }
}

interface Asked {
  readonly incoming: IncomingMessage
  readonly address: string | null
  readonly judge: Judge
  readonly trace: NotifyTrace
}

type Handler = (asked: Asked) => Promise<Buffer>

/** @throws {Refusal} */
function authorized({ incoming, judge }: Asked, about: Signed, tracing: Uint8Array): Secrets {
  const verdict = judge(incoming.headers.authorization ?? null, about, tracing)
  if (verdict.type === 'ok') return verdict.secrets
  throw new Refusal(...REFUSED[verdict.type])
}

/** With its own status. */
class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

const REFUSED: Readonly<Record<Exclude<Verdict['type'], 'ok'>, [number, string]>> = {
  unauthorized: [401, 'an authorization is needed'],
  forbidden: [403, 'this authorization does not hold'],
  unavailable: [503, 'too many authorizations came lately, or too many that do not hold'],
}

/**
 * A notification has nothing by which a second one would be known again, so its client must not repeat it by itself: somebody
 * has to decide whether to lose or to double it. Subscriptions can be asked for again.
 */
function refuseUnknownOutcome(error: unknown): never {
  if (!(error instanceof OutcomeUnknownError)) throw error
  throw new Refusal(500, `${error.message}: sent again it may be there twice`)
}

/** @throws the error, if it is a bug. */
function refusalOf(error: unknown): { readonly status: number; readonly message: string } {
  if (error instanceof Refusal) return error
  if (error instanceof MalformedError) return { status: 400, message: error.message }
  const status = error instanceof PubSubError ? statusOf(error) : null
  if (status === null) throw error
  return { status, message: (error as PubSubError).message }
}

function send(response: ServerResponse, status: number, type: string, body: Buffer): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': body.length })
  response.end(body)
}

/**
 * `onMore` is shown what has come while that may still be the head of a notification or a list, each time at least twice as much: to
 * put it together again for every byte of a slow sender would keep us busy. In the end it is shown all.
 * @throws {Refusal} it is too long.
 */
async function readAll(
  incoming: IncomingMessage,
  bytesMax: number,
  { onBytes, end }: Reading = {},
  onMore?: (sofar: Buffer) => void,
): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  let shownBytes = 0
  // Who is refused in the middle has still to be answered.
  const parts = incoming.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer, unknown>
  for (;;) {
    const part = parts.next()
    const next = await (end === undefined ? part : Promise.race([part, end]))
    if (next.done === true) break
    const chunk = next.value
    bytes += chunk.length
    onBytes?.(bytes)
    if (bytes > bytesMax)
      throw new Refusal(413, `the body is longer than the limit of ${bytesMax} bytes`)
    chunks.push(chunk)
    if (onMore === undefined || shownBytes > NOTIFY_HEAD_BYTES_MAX || bytes < 2 * shownBytes)
      continue
    onMore(Buffer.concat(chunks))
    shownBytes = bytes
  }
  const whole = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
  onMore?.(whole)
  return whole
}

interface Reading {
  /** Called with how many there are so far. */
  readonly onBytes?: (bytes: number) => void
  /** Rejects when nothing more is to be read. */
  readonly end?: Promise<never>
}

/** `null`: it is not there yet. */
function unlessShort<T>(read: () => T): T | null {
  try {
    return read()
  } catch (error) {
    if (error instanceof MalformedError) return null
    throw error
  }
}

function aboutSubscription(url: string, recovery: string | null, interest: Interest): Signed {
  return interest.type === 'exact'
    ? signed.subscribeExact(url, recovery, interest.topic)
    : signed.subscribeGlob(url, recovery, interest.glob)
}

function confirmed(
  { toSubscriber }: Secrets,
  url: string,
  recovery: string | null,
  interest: Interest,
): string | null {
  const about =
    interest.type === 'exact'
      ? signed.confirmSubscribeExact(url, recovery, interest.topic)
      : signed.confirmSubscribeGlob(url, recovery, interest.glob)
  return authorizationOf(toSubscriber, about, EMPTY)
}

/** As an etag wants them: ascending by their bytes. */
function listOf(rows: readonly StoredSubscription[]): SubscriptionList {
  const topics: { topic: Buffer; recovery: string | null }[] = []
  const globs: { glob: string; recovery: string | null }[] = []
  for (const { interest, recovery } of rows)
    if (interest.type === 'exact') topics.push({ topic: interest.topic, recovery })
    else globs.push({ glob: interest.glob, recovery })
  topics.sort((a, b) => Buffer.compare(a.topic, b.topic))
  globs.sort((a, b) => Buffer.compare(Buffer.from(a.glob), Buffer.from(b.glob)))
  return { topics, globs }
}

/** Two urls, a topic and a tracing of the greatest length, in bytes. */
const SMALL_BODY_BYTES_MAX = 4 * 65_537

/** Bytes of a whole list. */
const LIST_BYTES_MAX = 16 * 1024 * 1024

const EMPTY = new Uint8Array()
