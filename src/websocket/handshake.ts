import { hash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { BadHandshakeError, UpgradeRequiredError } from './errors.ts'

/** A key alone counts, too: it comes from a WebSocket whose `Upgrade` a proxy has taken off. */
export function asksForWebSocket({ headers }: IncomingMessage): boolean {
  if (headers['sec-websocket-key'] !== undefined) return true
  return headers.upgrade !== undefined && hasToken(headers.upgrade, 'websocket')
}

/**
 * Refuses a method that opens none. Without a key it is no handshake, and `Upgrade` is passed over as in PyPubSub.
 * @throws {BadHandshakeError}
 */
export function refuseHandshake({ headers }: IncomingMessage): void {
  if (headers['sec-websocket-key'] !== undefined)
    throw new BadHandshakeError(
      'a WebSocket is opened with GET; it only sends, so publish with PUT or POST without one',
    )
}

/**
 * Lines of the head that accepts an opening handshake (RFC 6455 §4.2). No subprotocol and no extension is ever agreed upon.
 * @throws {BadHandshakeError | UpgradeRequiredError}
 */
export function acceptHandshake(request: IncomingMessage): readonly string[] {
  const { headers } = request
  if (
    request.httpVersionMinor === 0 ||
    !isUpgrade(headers) ||
    !hasToken(headers.upgrade, 'websocket')
  )
    throw new UpgradeRequiredError(
      'a WebSocket needs HTTP/1.1 with Upgrade: websocket and Connection: Upgrade; a proxy in between takes them off ' +
        'unless it is told to pass them on (nginx: proxy_http_version 1.1, and proxy_set_header for both)',
    )
  const key = headers['sec-websocket-key']
  if (key === undefined || !KEY.test(key))
    throw new BadHandshakeError('Sec-WebSocket-Key must be 16 bytes in base64')
  if (headers['sec-websocket-version'] !== '13')
    throw new UpgradeRequiredError('Sec-WebSocket-Version must be 13')
  const accept = hash('sha1', `${key}${GUID}`, 'base64')
  return ['Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`]
}

function isUpgrade({ connection }: IncomingMessage['headers']): boolean {
  return hasToken(connection, 'upgrade')
}

function hasToken(header: string | undefined, token: string): boolean {
  return header?.split(',').some((each) => each.trim().toLowerCase() === token) ?? false
}

/** 16 bytes are 22 characters, of which the last has 4 bits to spare. */
const KEY = /^[A-Za-z\d+/]{21}[AQgw]==$/

/** RFC 6455 §1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
