/** Every refusal a peer may be told about. Doors translate these codes; clients may match on them. */
export type ErrorCode =
  | 'BAD_REQUEST'
  | 'NOT_AN_OBJECT'
  | 'BAD_BATCH'
  | 'BAD_IDEMPOTENCY_KEY'
  | 'IDEMPOTENCY_KEY_REUSED'
  | 'BAD_CLOUD_EVENT'
  | 'PAYLOAD_TOO_LARGE'
  | 'FORBIDDEN'
  | 'ORIGIN_NOT_ALLOWED'
  | 'NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'BAD_QUERY'
  | 'BAD_HANDSHAKE'
  | 'UPGRADE_REQUIRED'
  | 'GONE'
  | 'RESERVED_PATH'
  | 'BAD_CREDENTIALS'
  | 'DIRECTORY_UNAVAILABLE'
  | 'TOO_MANY_LOGINS'
  | 'LIMIT_EXCEEDED'
  | 'HEAD_TOO_LARGE'
  | 'REQUEST_TIMEOUT'
  | 'TOO_MANY_STREAMS'
  | 'OVERLOADED'
  | 'NO_EVENT'
  | 'LOG_UNAVAILABLE'
  | 'OUTCOME_UNKNOWN'
  | 'INTERNAL'

/** Base of every refusal a peer may be told about. The message states the fact and the limit, never a secret. */
export abstract class PubSubError extends Error {
  /** Stable: doors translate it, clients may match on it. */
  abstract readonly code: ErrorCode
  override get name(): string {
    return this.constructor.name
  }
}

/** A request asks for more than one request may. */
export class LimitExceededError extends PubSubError {
  readonly code = 'LIMIT_EXCEEDED'
}
