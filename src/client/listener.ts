import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
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
import { LineSplitter } from './line-splitter.ts'
import { pause } from './pause.ts'
import { parseStreamLine, type StreamLine } from './stream-line.ts'

export interface ListenerOptions {
  /** The URL of the topics, with what else it asks for in its query, but no place to begin at. */
  readonly url: URL
  /** The header, or `null`: anonymous. */
  readonly authorization: string | null
  /** Behind this place; `null`: see `since`. */
  readonly cursor: string | null
  /** What `?since=` takes, for the first stream without a cursor; `null`: from now on. */
  readonly since: string | null
  /** Names in the query of `url` that change what comes: a PyPubSub passes over them, so there they are refused. */
  readonly asks: readonly string[]
  /** The stream ends by itself one day (`?until=`). */
  readonly isRange: boolean
  /** How long it may be without a stream, in ms; `Infinity`: for ever. */
  readonly retryForMs: number
  /** Ends it. */
  readonly signal: AbortSignal
}

/** What following a stream brings, in order. */
export type ListenerMessage =
  | {
      readonly type: 'event'
      /** As it came. */
      readonly text: string
      readonly event: Extract<StreamLine, { type: 'event' }>
      /** Once this event and all before it are done, go on behind this; `null`: not a place to go on behind. */
      readonly cursor: string | null
    }
  /** Once all before is done, go on behind this. */
  | { readonly type: 'progress'; readonly cursor: string }
  /** Something that was due will not come, or may not: `reason` is a clause for people. */
  | { readonly type: 'gap'; readonly reason: string }
  | { readonly type: 'connected'; readonly isFirst: boolean }
  | { readonly type: 'disconnected'; readonly reason: string; readonly waitMs: number }

/**
 * Follows a stream over any number of connections, each behind the last event of the one before. Ends when the signal
 * comes, or when a range is over. Works with pubsubd and with PyPubSub, whose plain lines say less.
 * @throws {RefusedError} {GaveUpError}
 */
export async function* listen(options: ListenerOptions): AsyncGenerator<ListenerMessage, void> {
  using exchange = new HttpExchange()
  const follower = new Follower(options)
  const backOff = new BackOff()
  const { signal, retryForMs } = options
  let withoutSinceMs = performance.now()
  while (!signal.aborted) {
    let end: StreamEnd
    try {
      const response = await exchange.send(follower.request(signal))
      end = await follower.refusal(response)
      if (end === null) {
        yield* follower.opened(response)
        try {
          end = yield* follower.lines(response, () => backOff.reset())
        } finally {
          // However long we were busy with what came: until now there was a stream.
          withoutSinceMs = performance.now()
        }
      }
    } catch (error) {
      if (error instanceof RefusedError) throw error
      end = { reason: describeError(error), askedMs: 0 }
    }
    if (end === 'whole' || signal.aborted) return
    const { reason, askedMs } = end
    const waitMs = backOff.next(askedMs)
    if (performance.now() - withoutSinceMs + waitMs > retryForMs) throw new GaveUpError(reason)
    yield { type: 'disconnected', reason, waitMs }
    await pause(waitMs, signal)
  }
}

/** How a stream ended that has to be asked for again; `whole`: it has not. */
type StreamEnd = { readonly reason: string; readonly askedMs: number } | 'whole' | null

/** Knows where the next stream has to begin. */
class Follower {
  readonly #options: ListenerOptions
  #cursor: string | null
  #since: string | null
  #hadStream = false
  /** The server speaks plain lines: it has no word for where a stream begins, nor for gaps. */
  #isPlain = false

  constructor(options: ListenerOptions) {
    this.#options = options
    this.#cursor = options.cursor
    this.#since = options.since
  }

  request(signal: AbortSignal) {
    const url = new URL(this.#options.url)
    const headers: OutgoingHttpHeaders = { Accept: ACCEPT }
    if (this.#options.authorization !== null) headers['Authorization'] = this.#options.authorization
    if (this.#cursor !== null) headers['X-Fetch-Since-Cursor'] = this.#cursor
    else if (this.#since !== null) url.searchParams.set('since', this.#since)
    return { url, method: 'GET', headers, headMs: HEAD_MS, signal } as const
  }

  /** `null`: it is a stream. */
  async refusal(response: IncomingMessage): Promise<StreamEnd> {
    const status = response.statusCode!
    if (status === 200) return null
    const { sentence, code } = refusalIn(response, await shortText(response))
    if (isPassing(status)) return { reason: sentence, askedMs: retryAfterMs(response) }
    throw new RefusedError(sentence, status, code)
  }

  *opened(response: IncomingMessage): Generator<ListenerMessage> {
    const type = (response.headers['content-type'] ?? '').split(';', 1)[0]!.trim()
    this.#isPlain = type === PLAIN
    if (!this.#isPlain && !LINES.has(type))
      throw new RefusedError(
        `this is no stream of events (its Content-Type is ${type || 'missing'}); is the URL right?`,
        null,
      )
    if (this.#isPlain) {
      const asked = this.#since === null ? this.#options.asks : ['since', ...this.#options.asks]
      if (asked.length > 0)
        throw new RefusedError(
          `this server speaks PyPubSub's plain lines only and would pass over --${asked.join(', --')}; leave it out`,
          null,
        )
    }
    yield { type: 'connected', isFirst: !this.#hadStream }
    if (this.#isPlain && (this.#hadStream || this.#options.cursor !== null))
      yield {
        type: 'gap',
        reason:
          this.#cursor === null
            ? 'what came meanwhile is lost: this server has told no cursor to come back with'
            : 'perhaps: this server does not say whether it still knew the cursor',
      }
    this.#hadStream = true
  }

  async *lines(
    response: IncomingMessage,
    onAlive: () => void,
  ): AsyncGenerator<ListenerMessage, Exclude<StreamEnd, null>> {
    const splitter = new LineSplitter(LINE_BYTES_MAX)
    // In PyPubSub live events get in between a replay, so only behind it is the last cursor a place to come back to.
    const replay = { isOver: !this.#isPlain || this.#cursor === null, cursor: this.#cursor }
    let farewell: Extract<StreamLine, { type: 'closing' }> | null = null
    try {
      for await (const chunk of spoken(response)) {
        onAlive()
        for (const spelt of splitter.lines(chunk)) {
          const text = spelt.startsWith('\0') ? spelt.slice(1) : spelt
          const line = parseStreamLine(text)
          if (line === null)
            throw new RefusedError(`this is no line of a stream: ${text.slice(0, 80)}`, null)
          if (line.type === 'closing') farewell = line
          if (line.type === 'event') {
            if (replay.isOver) this.#cursor = line.cursor ?? this.#cursor
            else replay.cursor = line.cursor
            yield { type: 'event', text, event: line, cursor: replay.isOver ? line.cursor : null }
            continue
          }
          if (line.type === 'gap')
            yield { type: 'gap', reason: GAP_REASONS.get(line.reason) ?? line.reason }
          const known = this.#isPlain && !replay.isOver ? replay.cursor : line.cursor
          replay.isOver = true
          if (known === null) continue
          this.#cursor = known
          yield { type: 'progress', cursor: known }
        }
      }
    } catch (error) {
      if (farewell === null) throw error
    }
    if (farewell?.reason === 'revoked')
      throw new RefusedError('the right to see these events was withdrawn', null)
    if (farewell !== null)
      return {
        reason: `the server ended the stream (${farewell.reason})`,
        askedMs: farewell.retryAfterMs,
      }
    if (this.#options.isRange && response.complete) return 'whole'
    return { reason: 'the connection ended', askedMs: 0 }
  }
}

/** The chunks of a stream. @throws {Error} it was silent for too long, or cut. */
async function* spoken(response: IncomingMessage): AsyncGenerator<Buffer> {
  const chunks = (response as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  const silent = () =>
    response.destroy(new Error(`the server has been silent for ${SILENCE_MS / 1_000} s`))
  try {
    for (;;) {
      // Only while we wait: when we are the slow side, the silence is ours.
      const timer = setTimeout(silent, SILENCE_MS)
      const { value, done } = await chunks.next().finally(() => clearTimeout(timer))
      if (done === true) return
      yield value
    }
  } finally {
    response.destroy()
  }
}

const PLAIN = 'application/vnd.pypubsub-stream'
const LINES: ReadonlySet<string> = new Set([
  'application/x-ndjson',
  'application/ndjson',
  'application/jsonl',
])

const ACCEPT = 'application/x-ndjson, application/problem+json;q=0.9'

const GAP_REASONS: ReadonlyMap<string, string> = new Map([
  ['expired', 'events behind the cursor are no longer kept'],
  ['foreign', 'the cursor is not of this log: it was replaced, or lives in memory and ended'],
  ['damaged', 'events are damaged on the disk of the server'],
])

/** For the head of the answer, in ms: a replay may have to find its beginning. */
const HEAD_MS = 60_000

/** A keep-alive is due every 5 s; in ms. */
const SILENCE_MS = 20_000

/** The server's largest payload is 64 MiB; a JSON string may double that. */
const LINE_BYTES_MAX = 256 * 1024 * 1024
