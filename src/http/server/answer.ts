import { STATUS_CODES, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { PubSubError } from '../../publication/errors.ts'
import type { Traffic } from './door.ts'
import { refusalOf } from './errors.ts'

const TEXT = 'text/plain; charset=utf-8'

/** A short answer. `headers`: names and values in turn, beside what is set on the response already. */
export function answer(
  response: ServerResponse,
  traffic: Traffic,
  status: number,
  text: string,
  headers: readonly string[] = [],
  contentType = TEXT,
): void {
  const length = String(Buffer.byteLength(text))
  const own = ['Content-Type', contentType, 'Content-Length', length, ...traffic.headers()]
  response.writeHead(status, [...own, ...headers])
  response.end(text)
}

/** What the counts are, and where the log ends: whoever comes back with that cursor misses nothing from now on. */
export function head(response: ServerResponse, traffic: Traffic): void {
  const cursor = ['X-Pubsub-Cursor', traffic.cursorOfHead()]
  response.writeHead(204, ['Content-Type', TEXT, ...traffic.headers(), ...cursor])
  response.end()
}

/**
 * Says no, and keeps the connection usable: a body that is still coming is read away, but not for long. `mustClose` is for
 * connections of which nobody knows what the next bytes mean, as a client that waits for `100 Continue` may send its body
 * after a no, or not.
 */
export function refuse(
  response: ServerResponse,
  traffic: Traffic,
  error: PubSubError,
  { mustClose, restBytesMax }: { readonly mustClose: boolean; readonly restBytesMax: number },
): void {
  const { status, headers, contentType, text } = refusalOf(error, response.req.headers.accept)
  const pairs = Object.entries(headers).flat()
  if (mustClose) pairs.push('Connection', 'close')
  answer(response, traffic, status, text, pairs, contentType)
  if (!response.req.complete && !mustClose) discardBody(response, restBytesMax)
}

/** How long the body of a refused request is read away, in ms. */
const DISCARD_MS = 10_000

function discardBody(response: ServerResponse, bytesMax: number): void {
  const request = response.req
  const { socket } = request
  const timer = setTimeout(() => socket.destroy(), DISCARD_MS)
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > bytesMax) socket.destroy()
  })
  request.on('close', () => clearTimeout(timer))
  request.on('error', () => {})
}

/**
 * The same on a socket whose request never became one (or of which Node keeps no response), closing it. `accept` and
 * `headers` are what is known of the request, and what every answer to it carries.
 */
export function refuseSocket(
  socket: Socket,
  traffic: Traffic,
  error: PubSubError,
  accept: string | undefined,
  headers: readonly string[] = [],
): void {
  const refusal = refusalOf(error, accept)
  const { status, contentType, text } = refusal
  const pairs = [...traffic.headers(), ...headers, ...Object.entries(refusal.headers).flat()]
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, `Content-Type: ${contentType}`]
  for (let i = 0; i < pairs.length; i += 2) lines.push(`${pairs[i]}: ${pairs[i + 1]}`)
  lines.push(`Content-Length: ${Buffer.byteLength(text)}`, 'Connection: close', '', text)
  socket.end(lines.join('\r\n'))
  // What it still sends is read away for a moment: closing on unread bytes would reset, and the answer be lost.
  socket.resume()
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(timer))
}

const LINGER_MS = 1_000
