import type { HubErrorCode } from '../../hub/errors.ts'
import { PubSubError, type PublicationErrorCode } from '../../publication/errors.ts'

/** What may be refused to a peer that is known. */
export class NotAllowedError extends PubSubError {
  readonly code = 'FORBIDDEN'
}

/** Everything that a peer of lonelyps may be refused for. */
type LonelypsErrorCode = NotAllowedError['code'] | HubErrorCode | PublicationErrorCode

/**
 * The status of an answer in the stateless mode; its client tries again after 502, 503 and 504, and after nothing else. `null`:
 * cannot happen here, as any bytes are a message, and no request has a key or an envelope, so it would be a bug. On a WebSocket, which has no
 * answers that refuse, each of them ends the connection.
 */
const STATUS: Readonly<Record<LonelypsErrorCode, number | null>> = {
  FORBIDDEN: 403,
  LIMIT_EXCEEDED: 400,
  OVERLOADED: 503,
  SHARE_EXCEEDED: 403, // of stored subscriptions; nothing is won by asking again before some are given up
  TOO_MANY_STREAMS: 503, // of WebSockets only
  LOG_UNAVAILABLE: 503,
  OUTCOME_UNKNOWN: 503, // of a subscription; a notification is never repeated, see `refuseUnknownOutcome`
  IDEMPOTENCY_KEY_REUSED: null,
  BAD_REQUEST: null,
  NOT_AN_OBJECT: null,
  PAYLOAD_TOO_LARGE: null,
}

/** `null`: it is a bug. */
export function statusOf({ code }: PubSubError): number | null {
  return Object.hasOwn(STATUS, code) ? STATUS[code as LonelypsErrorCode] : null
}
