import type { HubErrorCode } from '../../hub/errors.ts'
import { PubSubError, type PublicationErrorCode } from '../../publication/errors.ts'
import type { HandshakeErrorCode } from '../../websocket/errors.ts'
import type { WhereErrorCode } from '../../where/where.ts'

/** What only HTTP refuses. */
type OwnErrorCode =
  | 'BAD_REQUEST'
  | 'BAD_BATCH'
  | 'BAD_IDEMPOTENCY_KEY'
  | 'BAD_CLOUD_EVENT'
  | 'UNKNOWN_TYPE'
  | 'PAYLOAD_TOO_LARGE'
  | 'FORBIDDEN'
  | 'ORIGIN_NOT_ALLOWED'
  | 'NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'BAD_QUERY'
  | 'GONE'
  | 'RESERVED_PATH'
  | 'BAD_CREDENTIALS'
  | 'DIRECTORY_UNAVAILABLE'
  | 'TOO_MANY_LOGINS'
  | 'HEAD_TOO_LARGE'
  | 'REQUEST_TIMEOUT'
  | 'NO_EVENT'
  | 'INTERNAL'

/** Everything that a request may be refused for. Clients may match on it. */
export type HttpErrorCode =
  | OwnErrorCode
  | PublicationErrorCode
  | HubErrorCode
  | HandshakeErrorCode
  | WhereErrorCode

/** A refusal of HTTP's own. */
export class HttpError extends PubSubError {
  readonly code: OwnErrorCode

  constructor(code: OwnErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export function payloadTooLarge(bytesMax: number): HttpError {
  return new HttpError(
    'PAYLOAD_TOO_LARGE',
    `the payload exceeds the limit of ${bytesMax} bytes (server.max_payload_size)`,
  )
}

/** A page may not use this server from the browser of its visitor. */
export function originNotAllowed(): HttpError {
  return new HttpError('ORIGIN_NOT_ALLOWED', 'pages of this origin may not use this server')
}

export function noSuchPage(): HttpError {
  return new HttpError('NOT_FOUND', 'there is no such page here')
}

/** A bug of ours. What it was stays in our log. */
export function internalError(cause: unknown): HttpError {
  return new HttpError('INTERNAL', 'something went wrong on our side; it has been logged', {
    cause,
  })
}
