import { PubSubError } from '../publication/errors.ts'

/** Why the hub cannot do what it is asked for. */
export type HubErrorCode = (
  | LogUnavailableError
  | OutcomeUnknownError
  | OverloadedError
  | ShareExceededError
  | TooManyStreamsError
  | IdempotencyKeyReusedError
)['code']

/** The log cannot take events now; nothing was stored, try again later. */
export class LogUnavailableError extends PubSubError {
  readonly code = 'LOG_UNAVAILABLE'
}

/**
 * A commit was begun, and how it ended cannot be told: what was handed in is in the log, whole, or nothing of it. Under the same
 * `Once` it can be handed in again; without one it may then be there twice.
 */
export class OutcomeUnknownError extends PubSubError {
  readonly code = 'OUTCOME_UNKNOWN'
}

/** All requests together have reached a maximum; it may pass. */
export class OverloadedError extends PubSubError {
  readonly code = 'OVERLOADED'
}

/** One user or address has as much as it may have of what is limited for all; it may pass, as soon as it gives something up. */
export class ShareExceededError extends PubSubError {
  readonly code = 'SHARE_EXCEEDED'
}

/** The same of open streams. */
export class TooManyStreamsError extends PubSubError {
  readonly code = 'TOO_MANY_STREAMS'
}

/** A key that stands for one publication was sent with another. */
export class IdempotencyKeyReusedError extends PubSubError {
  readonly code = 'IDEMPOTENCY_KEY_REUSED'
  constructor() {
    super('this Idempotency-Key was used for another path or body')
  }
}
