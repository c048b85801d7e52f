import { randomUUID } from 'node:crypto'
import { BackOff } from './back-off.ts'
import { GaveUpError, RefusedError } from './client-error.ts'
import {
  describeError,
  HttpExchange,
  isPassing,
  refusalIn,
  retryAfterMs,
  shortText,
} from './http-exchange.ts'
import { pause } from './pause.ts'
import { RetryReport } from './retry-report.ts'

export interface PublisherOptions {
  /** The URL of the topics. */
  readonly url: URL
  /** The header, or `null`: anonymous. */
  readonly authorization: string | null
  /** With an `Idempotency-Key`, so that what is sent again is published once. */
  readonly isIdempotent: boolean
  /** How long one publication is tried, in ms. */
  readonly retryForMs: number
  /** Gives up what waits for its next try. What is on its way gets its answer. */
  readonly signal: AbortSignal
  readonly tell: (sentence: string) => void
}

/** Publishes JSON objects in order, many in one request where the server can, one by one where not (PyPubSub). */
export class Publisher implements Disposable {
  readonly #options: PublisherOptions
  readonly #exchange = new HttpExchange()
  readonly #retries: RetryReport
  #takesBatches = true
  /** Events of one request; less once a server has found a batch too large. */
  #eventsMax = Infinity
  #isKeyDoubted = false
  #published = 0
  #cursor: string | null = null

  constructor(options: PublisherOptions) {
    this.#options = options
    this.#retries = new RetryReport(options.tell)
  }

  /** Events that the server has taken. */
  get published(): number {
    return this.#published
  }

  /** The cursor of the last event; `null` before there is one, and of a server that does not tell it. */
  get cursor(): string | null {
    return this.#cursor
  }

  /**
   * Publishes JSON objects, each on one line unless it is alone. `key`: the `Idempotency-Key` instead of a random one.
   * When it throws, `published` says how many got there; the one behind them is refused, or its fate is unknown.
   * @throws {RefusedError} {GaveUpError}
   */
  async publish(texts: readonly string[], key?: string): Promise<void> {
    for (let at = 0; at < texts.length;) {
      const part = texts.slice(at, at + (this.#takesBatches ? this.#eventsMax : 1))
      const partKey = key === undefined || at === 0 ? key : `${key}+${at}`
      const before = this.#published
      const outcome = await this.#publishPart(part, partKey)
      if (outcome === 'no batches') this.#takesBatches = false
      if (outcome === 'too large') this.#eventsMax = Math.ceil(part.length / 2)
      at += this.#published - before
    }
  }

  async #publishPart(texts: readonly string[], key?: string): Promise<Outcome> {
    const isBatch = texts.length > 1
    const { refusal } = await this.#send(texts, isBatch, key)
    if (refusal === null) {
      this.#published += texts.length
      return 'published'
    }
    if (!isBatch) throw refusal
    if (refusal.status === 413 || (refusal.code !== null && TOO_LARGE.has(refusal.code)))
      return 'too large'
    const line = refusal.code === 'BAD_BATCH' ? /\bline (\d+)\b/.exec(refusal.message) : null
    if (line !== null && Number(line[1]) > 1) {
      // What stands before the wrong one is published, as if they had come one by one.
      await this.publish(texts.slice(0, Number(line[1]) - 1), key)
      throw refusal
    }
    if (refusal.code === null && (refusal.status === 400 || refusal.status === 415))
      return 'no batches'
    throw refusal
  }

  /** Until there is an answer that counts. */
  async #send(
    texts: readonly string[],
    isBatch: boolean,
    key: string | undefined,
  ): Promise<{ readonly refusal: RefusedError | null }> {
    const { url, authorization, isIdempotent, retryForMs, signal } = this.#options
    const hasKey = isIdempotent || key !== undefined
    const body = Buffer.from(texts.join('\n'))
    const headers = {
      'Content-Type': isBatch ? 'application/x-ndjson' : 'application/json',
      'Content-Length': body.length,
      Accept: 'application/problem+json, application/json;q=0.9',
      ...(authorization === null ? {} : { Authorization: authorization }),
      ...(hasKey ? { 'Idempotency-Key': key ?? randomUUID() } : {}),
    }
    const backOff = new BackOff()
    const startedMs = performance.now()
    for (;;) {
      let trouble: string
      let askedMs = 0
      try {
        const response = await this.#exchange.send({
          url,
          method: 'PUT',
          headers,
          body,
          headMs: ANSWER_MS,
          signal: NEVER,
        })
        const text = await shortText(response)
        const status = response.statusCode!
        const cursor = response.headers['x-pubsub-cursor']
        if (status >= 200 && status < 300) {
          if (hasKey && cursor === undefined) this.#doubtKey()
          this.#cursor = typeof cursor === 'string' ? cursor : null
          this.#retries.over()
          return { refusal: null }
        }
        const { sentence, code } = refusalIn(response, text)
        if (!isPassing(status)) return { refusal: new RefusedError(sentence, status, code) }
        if (code === 'OUTCOME_UNKNOWN' && !hasKey)
          throw new GaveUpError(`${sentence}; ${NOT_AGAIN}`)
        trouble = sentence
        askedMs = retryAfterMs(response)
      } catch (error) {
        if (error instanceof RefusedError || error instanceof GaveUpError) throw error
        trouble = describeError(error)
      }
      const waitMs = backOff.next(askedMs)
      if (performance.now() - startedMs + waitMs > retryForMs) throw new GaveUpError(trouble)
      this.#retries.add(trouble, waitMs)
      await pause(waitMs, signal)
      if (signal.aborted) throw new GaveUpError(`interrupted while trying again: ${trouble}`)
    }
  }

  #doubtKey(): void {
    if (this.#isKeyDoubted) return
    this.#isKeyDoubted = true
    this.#options.tell(
      'this server does not answer with cursors, so it probably knows no Idempotency-Key: what is sent again may be doubled',
    )
  }

  [Symbol.dispose](): void {
    this.#exchange[Symbol.dispose]()
  }
}

type Outcome = 'published' | 'no batches' | 'too large'

/** Codes of docs/errors.md that a smaller batch may not get. */
const TOO_LARGE: ReadonlySet<string> = new Set(['LIMIT_EXCEEDED', 'PAYLOAD_TOO_LARGE'])

/** The server knows that it does not know: whoever cannot tell a repeat from a new event decides for himself. */
const NOT_AGAIN = 'it is not sent again, as it has no Idempotency-Key (--idempotent gives it one)'

/** For the answer to a publication, in ms: a flush on a slow disk, a directory that has to be asked. */
const ANSWER_MS = 60_000

const NEVER = new AbortController().signal
