import { STATUS_CODES } from 'node:http'
import { PubSubError, type ErrorCode } from '../../publication/errors.ts'
import { mediaRanges } from './media-ranges.ts'

/** PyPubSub's answers, to the letter: clients and monitors compare them (pypubsub.py, the constants at its top). */
export const RECEIVED = 'Payload received, thank you very much!\n'
const NOT_UNDERSTOOD =
  'I could not understand your request, sorry! Please see https://pubsub.apache.org/api.html for usage documentation.\n'
const NOT_ALLOWED = 'You are not authorized to deliver payloads!\n'
const NOT_AN_OBJECT = 'Bad payload type. Payloads must be JSON dictionary objects, {..}!\n'
const TOO_LARGE = 'Payload is too large for me to serve, please make it shorter.\n'

const PUBLISHING = `curl -XPUT -d '{"text": "hello"}' http://HOST/fruits/apples`
const FOLLOWING = 'curl -N http://HOST/fruits'

/** Seconds after which a refusal of the kind "not now" is worth another try. */
const RETRY_AFTER_S = '5'

/** How HTTP says a refusal. */
export const statusOf: Readonly<Record<ErrorCode, number>> = {
  BAD_REQUEST: 400,
  NOT_AN_OBJECT: 400,
  BAD_BATCH: 400,
  BAD_IDEMPOTENCY_KEY: 400,
  IDEMPOTENCY_KEY_REUSED: 422,
  BAD_CLOUD_EVENT: 400,
  PAYLOAD_TOO_LARGE: 400, // as PyPubSub
  LIMIT_EXCEEDED: 400,
  RESERVED_PATH: 400,
  BAD_CREDENTIALS: 401,
  FORBIDDEN: 403,
  ORIGIN_NOT_ALLOWED: 403,
  BAD_QUERY: 400,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_TIMEOUT: 408,
  GONE: 410,
  BAD_HANDSHAKE: 400,
  UPGRADE_REQUIRED: 426,
  TOO_MANY_LOGINS: 429,
  TOO_MANY_STREAMS: 429,
  HEAD_TOO_LARGE: 431,
  INTERNAL: 500,
  DIRECTORY_UNAVAILABLE: 503,
  LOG_UNAVAILABLE: 503,
  OUTCOME_UNKNOWN: 503,
  OVERLOADED: 503,
  NO_EVENT: 504,
}

/** Where PyPubSub has a text of its own, it is used; else the error says what is wrong. */
const textOf: Readonly<Partial<Record<ErrorCode, string>>> = {
  BAD_REQUEST: NOT_UNDERSTOOD,
  NOT_AN_OBJECT,
  PAYLOAD_TOO_LARGE: TOO_LARGE,
  FORBIDDEN: NOT_ALLOWED,
}

/** What to do about it, in one line: whoever reads it sits at a terminal and can copy a command. */
const adviceOf: Readonly<Record<ErrorCode, string>> = {
  BAD_REQUEST: `publish with ${PUBLISHING}, follow with ${FOLLOWING}`,
  NOT_AN_OBJECT: `publish an object: ${PUBLISHING}`,
  BAD_IDEMPOTENCY_KEY: 'send a UUID, for example',
  IDEMPOTENCY_KEY_REUSED: 'use a new key for each publication; nothing was published',
  BAD_BATCH: 'nothing of the batch was published: correct it and send it again',
  BAD_CLOUD_EVENT: 'see https://github.com/cloudevents/spec, version 1.0; nothing was published',
  PAYLOAD_TOO_LARGE: 'publish less, for example a link to the rest, or have the limit raised',
  LIMIT_EXCEEDED: 'send or ask for less, or have the limit raised',
  RESERVED_PATH: `publish to topics: ${PUBLISHING}`,
  BAD_CREDENTIALS: 'try curl -u NAME:PASSWORD, or nothing at all for what is public',
  TOO_MANY_LOGINS: `try again in ${RETRY_AFTER_S} seconds; what is public needs no name: ${FOLLOWING}`,
  FORBIDDEN: 'whoever runs this server can let you',
  ORIGIN_NOT_ALLOWED: 'whoever runs this server can list it under server.cors.origins',
  BAD_QUERY: 'correct what stands behind the question mark',
  BAD_HANDSHAKE: `without a WebSocket: ${FOLLOWING}`,
  UPGRADE_REQUIRED: `without a WebSocket: ${FOLLOWING}`,
  NOT_FOUND: `follow a topic instead: ${FOLLOWING}`,
  METHOD_NOT_ALLOWED: `read this page with GET; publish to topics: ${PUBLISHING}`,
  REQUEST_TIMEOUT: 'send it faster, or have the limit raised',
  GONE: 'the first goes on with the oldest event there is, the second with what is to come',
  TOO_MANY_STREAMS: "close one, or follow several topics in one stream: curl -N 'http://HOST/a,b'",
  HEAD_TOO_LARGE: 'ask for fewer topics, or have the limit raised',
  INTERNAL: 'try again, or tell whoever runs this server when it happened',
  DIRECTORY_UNAVAILABLE: `what is public needs no name: ${FOLLOWING}`,
  LOG_UNAVAILABLE: `publish again in ${RETRY_AFTER_S} seconds; nothing was stored`,
  OUTCOME_UNKNOWN:
    'with the same Idempotency-Key it can be published again and is there once; without one it may then be there twice',
  OVERLOADED: `try again in ${RETRY_AFTER_S} seconds`,
  NO_EVENT: 'wait longer with ?timeout=5m, or go on from where you were with ?cursor=',
}

/** What a peer is told. */
export interface Refusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly contentType: string
  readonly text: string
}

/** `accept` is the header of the request: programs may ask for `application/problem+json` (RFC 9457). */
export function refusalOf(error: PubSubError, accept: string | undefined): Refusal {
  const { code, message } = error
  const status = statusOf[code]
  const headers: Record<string, string> = {}
  if (status === 401) headers['WWW-Authenticate'] = 'Basic realm="pubsub", charset="UTF-8"'
  if (status === 405) headers['Allow'] = 'GET, HEAD'
  if (status === 426) Object.assign(headers, UPGRADE)
  if (status === 429 || status === 503) headers['Retry-After'] = RETRY_AFTER_S
  const detail = `${message}; ${adviceOf[code]}`
  if (!asksForProblem(accept))
    return { status, headers, contentType: TEXT, text: textOf[code] ?? `${detail}\n` }
  // Our codes are no URIs that anybody could look up, and the status says what kind of problem it is (RFC 9457 §4.2.1).
  const problem = { type: 'about:blank', title: STATUS_CODES[status], status, detail, code }
  return { status, headers, contentType: PROBLEM, text: `${JSON.stringify(problem)}\n` }
}

/** The one version there is (RFC 6455 §4.4). */
const UPGRADE = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13' }

const TEXT = 'text/plain; charset=utf-8'
const PROBLEM = 'application/problem+json'

/** By its name, or as JSON where no text would do: then PyPubSub's texts are nothing that anybody waits for. */
function asksForProblem(accept: string | undefined): boolean {
  if (accept === undefined || !/json/i.test(accept)) return false
  return namesIn(accept).includes(PROBLEM) || asksForJson(accept)
}

/** As JSON where no text would do: what curl sends by itself keeps PyPubSub's text. */
export function asksForJson(accept: string | undefined): boolean {
  if (accept === undefined || !/json/i.test(accept)) return false
  const names = namesIn(accept)
  return names.includes('application/json') && !names.some((name) => TEXT_RANGES.has(name))
}

const TEXT_RANGES: ReadonlySet<string> = new Set(['text/plain', 'text/*', '*/*'])

function namesIn(accept: string): string[] {
  const wanted = mediaRanges(accept).filter(({ quality }) => quality > 0)
  return wanted.map(({ name }) => name)
}

export class ForbiddenError extends PubSubError {
  readonly code = 'FORBIDDEN'
}

export class BadCredentialsError extends PubSubError {
  readonly code = 'BAD_CREDENTIALS'
}

/** Whether name and password are right was not looked at. */
export class TooManyLoginsError extends PubSubError {
  readonly code = 'TOO_MANY_LOGINS'
  constructor() {
    super(
      'too many log-ins failed from your address, or by this name (limits.login_delay), or wait there (limits.waiting_logins)',
    )
  }
}

export class DirectoryUnavailableError extends PubSubError {
  readonly code = 'DIRECTORY_UNAVAILABLE'
}

export class PayloadTooLargeError extends PubSubError {
  readonly code = 'PAYLOAD_TOO_LARGE'
  constructor(bytesMax: number) {
    super(`the payload exceeds the limit of ${bytesMax} bytes (server.max_payload_size)`)
  }
}

/** A batch is published whole or not at all. */
export class BadBatchError extends PubSubError {
  readonly code = 'BAD_BATCH'
}

export class BadIdempotencyKeyError extends PubSubError {
  readonly code = 'BAD_IDEMPOTENCY_KEY'
}

export class BadCloudEventError extends PubSubError {
  readonly code = 'BAD_CLOUD_EVENT'
}

export class BadRequestError extends PubSubError {
  readonly code = 'BAD_REQUEST'
}

/** A path that is the server's own: its message is shown. */
export class ReservedPathError extends PubSubError {
  readonly code = 'RESERVED_PATH'
}

/** A page may not use this server from the browser of its visitor. */
export class OriginNotAllowedError extends PubSubError {
  readonly code = 'ORIGIN_NOT_ALLOWED'
  constructor() {
    super('pages of this origin may not use this server')
  }
}

export class MethodNotAllowedError extends PubSubError {
  readonly code = 'METHOD_NOT_ALLOWED'
  constructor() {
    super("paths that begin with /-/ are the server's own, which know GET and HEAD only")
  }
}

export class HeadTooLargeError extends PubSubError {
  readonly code = 'HEAD_TOO_LARGE'
  constructor(bytesMax: number) {
    super(`the request line and headers exceed the limit of ${bytesMax} bytes (limits.head_bytes)`)
  }
}

export class RequestTimeoutError extends PubSubError {
  readonly code = 'REQUEST_TIMEOUT'
  constructor() {
    super('the request took too long to arrive (limits.head_timeout, limits.request_timeout)')
  }
}

/** The query of a request is not what it may be. */
export class BadQueryError extends PubSubError {
  readonly code = 'BAD_QUERY'
}

export class NotFoundError extends PubSubError {
  readonly code = 'NOT_FOUND'
}

export class TooManyStreamsError extends PubSubError {
  readonly code = 'TOO_MANY_STREAMS'
  constructor(streamsMax: number) {
    super(
      `your address already has ${streamsMax} streams open, which is the limit (limits.streams_per_address)`,
    )
  }
}

/** `?timeout=` has passed. */
export class NoEventError extends PubSubError {
  readonly code = 'NO_EVENT'
  constructor() {
    super('no event came within the timeout')
  }
}

/** A bug of ours. What it was stays in our log. */
export class InternalError extends PubSubError {
  readonly code = 'INTERNAL'
  constructor(cause: unknown) {
    super('something went wrong on our side; it has been logged', { cause })
  }
}
