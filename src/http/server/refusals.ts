import { STATUS_CODES } from '../../ops/node-http.ts'
import { printable } from '../../ops/logger.ts'
import type { PubSubError } from '../../publication/errors.ts'
import type { HttpErrorCode } from './errors.ts'
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

/**
 * Seconds after which a refusal of the kind "not now" is worth another try, the least and the most: chance says which, as one cause,
 * such as a stop that ends all who wait for an event, may refuse thousands at once.
 */
const RETRY_AFTER_S = [5, 10] as const

const SOON = `in ${RETRY_AFTER_S.join(' to ')} seconds`

/** How HTTP says a refusal. */
interface HttpRefusal {
  readonly status: number
  /** Where PyPubSub has a text of its own, it is used; else the error says what is wrong. */
  readonly text?: string
  /** What to do about it, in one line: whoever reads it sits at a terminal and can copy a command. */
  readonly advice: string
  /** Which requests it can be the answer to. */
  readonly metBy: readonly Operation[]
}

export type Operation = 'publish' | 'listen' | 'preflight' | 'page' | 'other'

/** All that can be refused over HTTP. `docs/errors.md` and the OpenAPI document are held to it. */
export const REFUSALS: Readonly<Record<HttpErrorCode, HttpRefusal>> = {
  BAD_REQUEST: {
    status: 400,
    text: NOT_UNDERSTOOD,
    advice: `publish with ${PUBLISHING}, follow with ${FOLLOWING}`,
    metBy: ['publish', 'listen', 'preflight'],
  },
  NOT_AN_OBJECT: {
    status: 400,
    text: NOT_AN_OBJECT,
    advice: `publish an object: ${PUBLISHING}`,
    metBy: ['publish'],
  },
  BAD_BATCH: {
    status: 400,
    advice: 'nothing of the batch was published: correct it and send it again',
    metBy: ['publish'],
  },
  BAD_IDEMPOTENCY_KEY: {
    status: 400,
    advice: 'send a UUID, for example',
    metBy: ['publish'],
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    advice: 'use a new key for each publication; nothing was published',
    metBy: ['publish'],
  },
  BAD_CLOUD_EVENT: {
    status: 400,
    advice: 'see https://github.com/cloudevents/spec, version 1.0; nothing was published',
    metBy: ['publish'],
  },
  UNKNOWN_TYPE: {
    status: 400, // as PyPubSub, to which it is only no JSON
    advice:
      'send one JSON object as application/json (a webhook lets you choose it), or many, each on a line, as application/x-ndjson',
    metBy: ['publish'],
  },
  PAYLOAD_TOO_LARGE: {
    status: 400, // as PyPubSub
    text: TOO_LARGE,
    advice: 'publish less, for example a link to the rest, or have the limit raised',
    metBy: ['publish'],
  },
  LIMIT_EXCEEDED: {
    status: 400,
    advice: 'send or ask for less, or have the limit raised',
    metBy: ['publish', 'listen', 'page'],
  },
  RESERVED_PATH: {
    status: 400,
    advice: `publish to topics: ${PUBLISHING}`,
    metBy: ['publish'],
  },
  BAD_CREDENTIALS: {
    status: 401,
    advice: 'try curl -u NAME:PASSWORD, or nothing at all for what is public',
    metBy: ['publish', 'listen', 'page'],
  },
  FORBIDDEN: {
    status: 403,
    text: NOT_ALLOWED,
    advice: 'whoever runs this server can let you',
    metBy: ['publish'],
  },
  ORIGIN_NOT_ALLOWED: {
    status: 403,
    advice: 'whoever runs this server can list it under server.cors.origins',
    metBy: ['listen', 'preflight'],
  },
  BAD_QUERY: {
    status: 400,
    advice: 'correct what stands behind the question mark',
    metBy: ['listen', 'page'],
  },
  NOT_FOUND: {
    status: 404,
    advice: `follow a topic instead: ${FOLLOWING}`,
    metBy: ['page'],
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    advice: `read this page with GET; publish to topics: ${PUBLISHING}`,
    metBy: ['other'],
  },
  REQUEST_TIMEOUT: {
    status: 408,
    advice: 'send it faster, or have the limit raised',
    metBy: ['publish', 'listen', 'page'],
  },
  GONE: {
    status: 410,
    advice: 'the first goes on with the oldest event there is, the second with what is to come',
    metBy: ['listen'],
  },
  BAD_HANDSHAKE: {
    status: 400,
    advice: `without a WebSocket: ${FOLLOWING}`,
    metBy: ['publish', 'listen'],
  },
  UPGRADE_REQUIRED: {
    status: 426,
    advice: `without a WebSocket: ${FOLLOWING}`,
    metBy: ['listen'],
  },
  TOO_MANY_LOGINS: {
    status: 429,
    advice: `try again ${SOON}; what is public needs no name: ${FOLLOWING}`,
    metBy: ['publish', 'listen', 'page'],
  },
  SHARE_EXCEEDED: {
    status: 429,
    advice:
      'end streams that you do not need, or have the limit raised by whoever runs this server',
    metBy: ['listen'],
  },
  TOO_MANY_STREAMS: {
    status: 429,
    advice: "close one, or follow several topics in one stream: curl -N 'http://HOST/a,b'",
    metBy: ['listen'],
  },
  HEAD_TOO_LARGE: {
    status: 431,
    advice: 'ask for fewer topics, or have the limit raised',
    metBy: ['publish', 'listen', 'page'],
  },
  INTERNAL: {
    status: 500,
    advice: 'try again, or tell whoever runs this server when it happened',
    metBy: ['publish', 'listen', 'page'],
  },
  DIRECTORY_UNAVAILABLE: {
    status: 503,
    advice: `what is public needs no name: ${FOLLOWING}`,
    metBy: ['publish', 'listen', 'page'],
  },
  LOG_UNAVAILABLE: {
    status: 503,
    advice: `publish again ${SOON}; nothing was stored`,
    metBy: ['publish', 'listen'],
  },
  OUTCOME_UNKNOWN: {
    status: 503,
    advice:
      'with the same Idempotency-Key it can be published again and is there once; without one it may then be there twice',
    metBy: ['publish'],
  },
  OVERLOADED: {
    status: 503,
    advice: `try again ${SOON}`,
    metBy: ['publish', 'listen'],
  },
  NO_EVENT: {
    status: 504,
    advice: 'wait longer with ?timeout=5m, or go on from where you were with ?cursor=',
    metBy: ['listen'],
  },
}

function isOfHttp(code: string): code is HttpErrorCode {
  return Object.hasOwn(REFUSALS, code)
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
  const { message } = error
  const code = isOfHttp(error.code) ? error.code : 'INTERNAL'
  const { status, text, advice } = REFUSALS[code]
  const headers: Record<string, string> = {}
  if (status === 401) headers['WWW-Authenticate'] = 'Basic realm="pubsub", charset="UTF-8"'
  if (status === 405) headers['Allow'] = 'GET, HEAD'
  if (status === 426) Object.assign(headers, UPGRADE)
  if (status === 429 || status === 503) headers['Retry-After'] = retryAfter()
  const detail = printable(`${message}; ${advice}`) // it may say what was sent, and is read on terminals
  if (!asksForProblem(accept))
    return { status, headers, contentType: TEXT, text: text ?? `${detail}\n` }
  // Our codes are no URIs that anybody could look up, and the status says what kind of problem it is (RFC 9457 §4.2.1).
  const problem = { type: 'about:blank', title: STATUS_CODES[status], status, detail, code }
  return { status, headers, contentType: PROBLEM, text: `${JSON.stringify(problem)}\n` }
}

function retryAfter(): string {
  const [least, most] = RETRY_AFTER_S
  return String(least + Math.floor(Math.random() * (most - least + 1)))
}

/** The one version there is (RFC 6455 §4.4). */
const UPGRADE = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13' }

const TEXT = 'text/plain; charset=utf-8'
const PROBLEM = 'application/problem+json'

/** It is asked for by its name, or as JSON where no text would do: then PyPubSub's texts are nothing that anybody waits for. */
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
