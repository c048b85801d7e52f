import { PubSubError, type ErrorCode } from '../hub/errors.ts'

/** PyPubSub's answers, to the letter: clients and monitors compare them (pypubsub.py, the constants at its top). */
export const RECEIVED = 'Payload received, thank you very much!\n'
export const NOT_UNDERSTOOD =
  'I could not understand your request, sorry! Please see https://pubsub.apache.org/api.html for usage documentation.\n'
const NOT_ALLOWED = 'You are not authorized to deliver payloads!\n'
const NOT_AN_OBJECT = 'Bad payload type. Payloads must be JSON dictionary objects, {..}!\n'
const TOO_LARGE = 'Payload is too large for me to serve, please make it shorter.\n'

/** How HTTP says a refusal. */
const statusOf: Readonly<Record<ErrorCode, number>> = {
  BAD_REQUEST: 400,
  NOT_AN_OBJECT: 400,
  PAYLOAD_TOO_LARGE: 400, // as PyPubSub
  LIMIT_EXCEEDED: 400,
  RESERVED_PATH: 400,
  BAD_CREDENTIALS: 401,
  FORBIDDEN: 403,
  BAD_QUERY: 400,
  NOT_FOUND: 404,
  GONE: 410,
  TOO_MANY_STREAMS: 429,
  INTERNAL: 500,
  DIRECTORY_UNAVAILABLE: 503,
  LOG_UNAVAILABLE: 503,
  OVERLOADED: 503,
}

/** Where PyPubSub has a text of its own, it is used; else the error says what is wrong. */
const textOf: Readonly<Partial<Record<ErrorCode, string>>> = {
  BAD_REQUEST: NOT_UNDERSTOOD,
  NOT_AN_OBJECT,
  PAYLOAD_TOO_LARGE: TOO_LARGE,
  FORBIDDEN: NOT_ALLOWED,
}

export interface Refusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

/** Seconds after which a refusal of the kind "not now" is worth another try. */
const RETRY_AFTER_S = '5'

export function refusalOf(error: PubSubError): Refusal {
  const status = statusOf[error.code]
  const headers: Record<string, string> = {}
  if (status === 401) headers['WWW-Authenticate'] = 'Basic realm="pubsub", charset="UTF-8"'
  if (status === 429 || status === 503) headers['Retry-After'] = RETRY_AFTER_S
  return { status, headers, text: textOf[error.code] ?? `${error.message}\n` }
}

export class ForbiddenError extends PubSubError {
  readonly code = 'FORBIDDEN'
}

export class BadCredentialsError extends PubSubError {
  readonly code = 'BAD_CREDENTIALS'
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

export class BadRequestError extends PubSubError {
  readonly code = 'BAD_REQUEST'
}

/** A path that is the server's own: its message is shown. */
export class ReservedPathError extends PubSubError {
  readonly code = 'RESERVED_PATH'
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

/** A bug of ours. What it was stays in our log. */
export class InternalError extends PubSubError {
  readonly code = 'INTERNAL'
  constructor(cause: unknown) {
    super('something went wrong on our side; it has been logged', { cause })
  }
}
