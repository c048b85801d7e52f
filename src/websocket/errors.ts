import { PubSubError } from '../publication/errors.ts'

/** Why a request for a WebSocket gets none. */
export type HandshakeErrorCode = (BadHandshakeError | UpgradeRequiredError)['code']

/** A request for a WebSocket that is none. */
export class BadHandshakeError extends PubSubError {
  readonly code = 'BAD_HANDSHAKE'
}

/** A WebSocket is wanted, in another version or without an `Upgrade`. */
export class UpgradeRequiredError extends PubSubError {
  readonly code = 'UPGRADE_REQUIRED'
}
