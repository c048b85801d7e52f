/**
 * Base of every refusal that a peer may be told about. The message states the fact and the limit, never a secret. Each room has
 * its few codes, and each door one table of what it says for those that can reach it; a missing one does not compile.
 */
export abstract class PubSubError extends Error {
  /** Stable: doors translate it, clients may match on it. */
  abstract readonly code: string
  override get name(): string {
    return this.constructor.name
  }
}

/** What may be wrong with something that is to be published, at any door. */
export type PublicationErrorCode = (
  | NotJsonError
  | NotAnObjectError
  | LimitExceededError
  | EnvelopeTooLargeError
)['code']

export class NotJsonError extends PubSubError {
  readonly code = 'BAD_REQUEST'
}

export class NotAnObjectError extends PubSubError {
  readonly code = 'NOT_AN_OBJECT'
  constructor() {
    super('payload is JSON, but not an object')
  }
}

/** A request asks for more than one request may. */
export class LimitExceededError extends PubSubError {
  readonly code = 'LIMIT_EXCEEDED'
}

/** What belongs to a publication beside its payload (envelope, tags) is larger than the log takes. */
export class EnvelopeTooLargeError extends PubSubError {
  readonly code = 'PAYLOAD_TOO_LARGE'
}
