import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { STATUS_CODES } from '../../ops/node-http.ts'
import type { Socket } from 'node:net'
import type { PubSubError } from '../../publication/errors.ts'
import type { RequestCounters } from './door.ts'
import { refusalOf } from './refusals.ts'
import { discardBody } from '../../sockets/discard-body.ts'
import { closeLingering, patienceWith, type Patience } from '../../sockets/lingering-close.ts'

const TEXT = 'text/plain; charset=utf-8'

/** A short answer. `headers`: names and values in turn, beside what is set on the response already. */
export function answer(
  response: ServerResponse,
  counters: RequestCounters,
  status: number,
  text: string,
  headers: readonly string[] = [],
  contentType = TEXT,
): void {
  const length = String(Buffer.byteLength(text))
  const own = counters.headers()
  own.push('Content-Type', contentType, 'Content-Length', length)
  for (const each of headers) own.push(each)
  response.writeHead(status, own)
  response.end(text)
}

/** What the counts are, and where the log ends: whoever comes back with that cursor misses nothing from now on. */
export function head(response: ServerResponse, counters: RequestCounters): void {
  const cursor = ['X-Pubsub-Cursor', counters.cursorOfHead()]
  response.writeHead(204, ['Content-Type', TEXT, ...counters.headers(), ...cursor])
  response.end()
}

/**
 * Says no, and keeps the connection usable: a body that is still coming is read away, but not for long. `mustClose` is for
 * connections of which nobody knows what the next bytes mean, as a client that waits for `100 Continue` may send its body
 * after a no, or not.
 */
export function refuse(
  response: ServerResponse,
  counters: RequestCounters,
  error: PubSubError,
  { mustClose }: { readonly mustClose: boolean },
): void {
  const { status, headers, contentType, text } = refusalOf(error, response.req.headers.accept)
  const { Connection: connection, ...others } = headers
  const pairs = Object.entries(others).flat()
  const options = [connection ?? [], mustClose ? 'close' : []].flat()
  if (options.length > 0) pairs.push('Connection', options.join(', '))
  answer(response, counters, status, text, pairs, contentType)
  if (!mustClose) discardBody(response)
}

/**
 * The same on a socket whose request never became one (or of which Node keeps no response), closing it. `request` and
 * `shared` are what is known of the headers of the request, and what every answer to it carries.
 */
export function refuseSocket(
  socket: Socket,
  counters: RequestCounters,
  error: PubSubError,
  request: IncomingHttpHeaders,
  {
    shared = [],
    patience = patienceWith(request),
  }: { readonly shared?: readonly string[]; readonly patience?: Patience } = {},
): void {
  socket.write(refusalBytes(counters, error, request, shared))
  closeLingering(socket, patience)
}

/** A whole answer, behind which the connection is closed. */
export function refusalBytes(
  counters: RequestCounters,
  error: PubSubError,
  request: IncomingHttpHeaders,
  shared: readonly string[],
): string {
  const refusal = refusalOf(error, request.accept)
  const { status, contentType, text } = refusal
  const pairs = [...counters.headers(), ...shared, ...Object.entries(refusal.headers).flat()]
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, `Content-Type: ${contentType}`]
  for (let i = 0; i < pairs.length; i += 2) lines.push(`${pairs[i]}: ${pairs[i + 1]}`)
  lines.push(`Content-Length: ${Buffer.byteLength(text)}`, 'Connection: close', '', text)
  return lines.join('\r\n')
}
