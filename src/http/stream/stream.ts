import type { FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Login } from '../../auth/identity.ts'
import type { PageAccess } from '../../auth/web-pages.ts'
import type { CloseReason } from '../../hub/encoding.ts'
import { OverloadedError } from '../../hub/errors.ts'
import type { Subscription } from '../../hub/subscription.ts'
import type { TopicFilter } from '../../hub/topics.ts'
import { connectionOf, type OpenStream } from '../../sockets/connection.ts'
import { detach } from '../../sockets/detach.ts'
import { InputSlices } from '../../sockets/input-slices.ts'
import type { PubSubError } from '../../publication/errors.ts'
import { StreamSink } from '../../sockets/stream-sink.ts'
import { acceptHandshake, asksForWebSocket } from '../../websocket/handshake.ts'
import { WebSocketSink } from '../../websocket/websocket-sink.ts'
import { refuseSocket } from '../server/answer.ts'
import { HTTP, type HttpDoor, type RequestCounters } from '../server/door.ts'
import { HttpError, internalError, originNotAllowed } from '../server/errors.ts'
import { httpDate } from '../server/http-date.ts'
import { isTls } from '../server/peer.ts'
import { encodingFor } from './negotiation.ts'
import type { StreamEncoding } from './stream-encoding.ts'
import { endWaiting, timeLimits } from './time-limits.ts'
import { WebSocketEncoding } from './websocket-encoding.ts'
import { streamRequestOf, type StreamRequest } from './stream-request.ts'

/**
 * GET: an answer that goes on until what was asked for is there, mostly for ever. Once its head is sent the socket carries
 * nothing but the stream.
 * @throws {PubSubError} why there is none.
 */
export async function stream(
  door: HttpDoor,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const { hub, counters } = door
  const { raw: incoming } = request
  const { socket } = incoming
  const handshake = asksForWebSocket(incoming) ? openWebSocket(door, incoming) : null
  const streamRequest = await streamRequestOf(door, request, reply, {
    encodingFor: (knowsAdditions) =>
      handshake === null
        ? encodingFor(incoming, door.options.oldschoolers, knowsAdditions)
        : WEB_SOCKET,
    mayLogIn: handshake === null || handshake.access === 'everything',
  })
  const { encoding, query } = streamRequest
  // The connection ends with it, and whoever gets to its end first would ask for something else on it: Node's `fetch` does.
  const endsByItself = streamRequest.subscribe.bounds !== undefined || query.timeoutMs !== null
  // `null`: who asks for what does not end and closes its end has gone, as PyPubSub takes it.
  const onHalfClose =
    endsByItself && handshake === null ? () => void endWaiting(query, subscription, hub) : null
  const isHalfClosed = socket.readableEnded
  if (!socket.writable || (isHalfClosed && onHalfClose === null)) return void socket.destroy()
  const head =
    handshake === null
      ? headOf(reply.raw, counters, encoding, endsByItself)
      : headText('101 Switching Protocols', linesOf(handshake.lines), reply.raw, counters)
  // So that a wait in vain is no success: nobody knows yet what the status will be. A WebSocket says it when it closes.
  const holdsOpening = handshake === null && query.timeoutMs !== null
  const webSocket = handshake === null ? null : new WebSocketSink(socket)
  const subscription = hub.subscribe({
    ...streamRequest.subscribe,
    to: {
      encoding,
      opening: openingOf(door, head, streamRequest),
      holdsOpening,
      sink:
        webSocket ?? new StreamSink(socket, holdsOpening ? refusalOfWait(door, reply.raw) : null),
    },
    door: HTTP,
  })
  const ends = endsOf(door, streamRequest, subscription)
  detach(incoming, reply.raw)
  // Behind it: where two listen to an event and one goes, Node keeps a long array for the other.
  follow(socket, { subscription, ends, webSocket, onHalfClose })
  if (isHalfClosed) onHalfClose?.()
}

const WEB_SOCKET = new WebSocketEncoding()

interface WebSocketOpening {
  /** Lines of the head that accepts it. */
  readonly lines: readonly string[]
  /** What the page may see that has opened it; everything, if it is none. */
  readonly access: Exclude<PageAccess, 'nothing'>
}

/** @throws {BadHandshakeError | UpgradeRequiredError | OriginNotAllowedError} */
function openWebSocket({ webPages }: HttpDoor, request: IncomingMessage): WebSocketOpening {
  const lines = acceptHandshake(request)
  const { origin, host } = request.headers
  const access =
    origin === undefined ? 'everything' : webPages.accessFrom(origin, host, isTls(request))
  if (access === 'nothing') throw originNotAllowed()
  return { lines, access }
}

/** What ends with a stream; `null`: nothing, as with most. */
function endsOf(
  { hub }: HttpDoor,
  { login, query, subscribe }: StreamRequest,
  subscription: Subscription,
): Disposable | null {
  if (login === null) return timeLimits(query, subscription, hub)
  const ends = new DisposableStack()
  ends.use(keepRights(login, subscribe.wants.filters, subscription))
  ends.use(timeLimits(query, subscription, hub))
  return ends
}

function openingOf(
  { hub }: HttpDoor,
  head: Uint8Array,
  { encoding, subscribe, gap }: StreamRequest,
): Uint8Array {
  const nowMs = Date.now()
  if (!encoding.hasControlLines && gap === null) return head
  const opening = [head]
  if (encoding.hasControlLines) {
    const from = subscribe.from === 'head' ? hub.head : subscribe.from
    // Most cuts that are not told end all streams, as a stop does.
    opening.push(encoding.opened(hub.cursorOf(from), nowMs, hub.retryAfterMs('shutdown')))
  }
  const told = gap === null ? null : encoding.gap(gap, nowMs)
  if (told !== null) opening.push(told)
  return Buffer.concat(opening)
}

/** For a stream that ends before there was an event. What it keeps of the request would be too much for every idle stream. */
function refusalOfWait(
  { counters }: HttpDoor,
  response: ServerResponse,
): (reason: CloseReason) => void {
  const { socket, headers } = response.req
  const shared = sharedHeaders(response)
  return (reason) => {
    refuseSocket(socket, counters, errorOfWait(reason), headers, { shared })
  }
}

function errorOfWait(reason: CloseReason): PubSubError {
  if (reason === 'timeout') return new HttpError('NO_EVENT', 'no event came within the timeout')
  if (reason === 'internal') return internalError(undefined)
  return new OverloadedError(`the stream ended before there was an event: ${reason}`)
}

/** What every answer to a request carries, as names and values in turn. */
function sharedHeaders(response: ServerResponse): readonly string[] {
  const names = response.getHeaderNames()
  return names.length === 0
    ? names
    : names.flatMap((name) => [name, response.getHeader(name) as string])
}

/** Ends the stream with the socket. All streams share the listeners, for the sake of idle memory. */
function follow(socket: Socket, open: OpenStream): void {
  connectionOf(socket).stream = open
  socket._destroy = onDestroy
  socket.on('drain', onDrain).on('close', onClose).on('end', onEnd).on('error', onError)
  if (open.webSocket !== null) socket.on('data', onData)
}

function onDrain(this: Socket): void {
  connectionOf(this).stream!.subscription.drained()
}

function onData(this: Socket, chunk: Buffer): void {
  const { webSocket, subscription } = connectionOf(this).stream!
  if (chunk.length <= FRAME_SLICE_BYTES) return webSocket!.receive(chunk, subscription)
  // From now on it is worth its own reader.
  this.off('data', onData)
  const slices = new InputSlices(this, {
    endOfSlice: () => FRAME_SLICE_BYTES,
    take: (slice) => webSocket!.receive(slice, subscription),
    isReading: () => !this.destroyed,
  })
  slices.putBack(chunk)
}

/** A slice of what a client of a WebSocket sends: at most 85 frames. A message of the longest control frame has 131. */
const FRAME_SLICE_BYTES = 512

/**
 * Before the kernel can give the descriptor to another connection: from now on nothing is sent to it. The event `close` comes
 * too late for that, so it is Node's documented method for subclasses that is put before its own.
 */
function onDestroy(
  this: Socket,
  error: Error | null,
  callback: (error?: Error | null) => void,
): void {
  connectionOf(this).stream!.subscription.close()
  ;(Reflect.getPrototypeOf(this) as Socket)._destroy.call(this, error, callback)
}

function onClose(this: Socket): void {
  const { subscription, ends } = connectionOf(this).stream!
  subscription.close() // again, unless its opening met an error and destroyed the socket before anybody followed it
  ends?.[Symbol.dispose]()
}

function onEnd(this: Socket): void {
  const { onHalfClose } = connectionOf(this).stream!
  if (onHalfClose === null) this.destroy()
  else onHalfClose()
}

/** A reset is an ordinary way to leave; `close` follows. */
function onError(): void {}

/** Withdrawn rights take effect at once. A stream that can show nothing any more is closed and told. */
function keepRights(
  login: Login,
  wants: readonly TopicFilter[],
  subscription: Subscription,
): Disposable {
  // Nothing of the topics is kept for as long as the stream may be open.
  const isPrivateOnly = wants.every((filter) => filter.privateOnly)
  return login.onChange(({ rights }) => {
    subscription.setRights(rights)
    if (rights.seesNothing && isPrivateOnly) subscription.end('revoked')
  })
}

function linesOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\r\n`).join('')
}

function headOf(
  response: ServerResponse,
  counters: RequestCounters,
  { contentType, hasControlLines }: StreamEncoding,
  endsByItself: boolean,
): Uint8Array {
  const isChunked = response.req.httpVersionMinor > 0
  // Python's requests reads a text whose charset is not named as ISO-8859-1, and would end lines within characters.
  const charset = contentType.startsWith('text/') ? '; charset=utf-8' : ''
  let lines = `Content-Type: ${contentType}${charset}\r\n`
  // Neither a cache nor nginx's buffer may keep events back.
  if (hasControlLines) lines += 'Cache-Control: no-store\r\nX-Accel-Buffering: no\r\n'
  if (isChunked) lines += 'Transfer-Encoding: chunked\r\n'
  if (!isChunked || endsByItself) lines += 'Connection: close\r\n'
  return headText('200 OK', lines, response, counters)
}

/** Written by ourselves, because Node's own would keep the response alive; in few pieces, as each joint of two takes memory. */
function headText(
  status: string,
  lines: string,
  response: ServerResponse,
  counters: RequestCounters,
): Uint8Array {
  const version = response.req.httpVersionMinor > 0 ? 'HTTP/1.1' : 'HTTP/1.0'
  let text = `${version} ${status}\r\nDate: ${httpDate()}\r\n${lines}${counters.headerLines()}`
  const shared = sharedHeaders(response)
  for (let i = 0; i < shared.length; i += 2) text += `${shared[i]}: ${shared[i + 1]}\r\n`
  return Buffer.from(`${text}\r\n`, 'latin1')
}
