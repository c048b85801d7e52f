import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Login } from '../auth/identity.ts'
import type { CloseReason } from '../hub/encoding.ts'
import { OverloadedError } from '../hub/errors.ts'
import type { Subscription } from '../hub/subscription.ts'
import type { TopicFilter } from '../hub/topics.ts'
import { refuseSocket } from './answer.ts'
import { detach } from './detach.ts'
import type { HttpDoor, Traffic } from './door.ts'
import { NoEventError } from './errors.ts'
import { encodingFor } from './negotiation.ts'
import type { StreamEncoding } from './stream-encoding.ts'
import { StreamSink } from './stream-sink.ts'
import { timeLimits } from './time-limits.ts'
import { wishesOf, type Wishes } from './wishes.ts'

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
  const { hub, traffic } = door
  const { raw: incoming } = request
  const { socket } = incoming
  const encoding = encodingFor(incoming, door.options.oldschoolers)
  const wishes = await wishesOf(door, request, reply, encoding.isOurs)
  const { query, login, address } = wishes
  if (socket.destroyed) return
  const opening = openingOf(door, reply.raw, encoding, wishes)
  using ends = new DisposableStack()
  socket.cork() // head and first lines in one packet
  process.nextTick(() => socket.uncork())
  const subscription = hub.subscribe({
    ...wishes.subscribe,
    encoding,
    opening,
    // So that a wait in vain is no success: nobody knows yet what the status will be.
    holdsOpening: query.timeoutMs !== null,
    sink: new StreamSink(socket, query.timeoutMs === null ? null : refusalOfWait(door, reply.raw)),
  })
  traffic.streamOpened(address)
  if (login !== null) ends.use(keepRights(login, wishes.subscribe.wants, subscription))
  ends.use(timeLimits(query, subscription, hub))
  follow(socket, { subscription, traffic, address, ends: isBare(wishes) ? null : ends.move() })
  detach(incoming, reply.raw)
}

function isBare({ login, query }: Wishes): boolean {
  return login === null && query.timeoutMs === null && query.untilMs === null
}

function openingOf(
  { hub, traffic }: HttpDoor,
  response: ServerResponse,
  encoding: StreamEncoding,
  { subscribe, gap }: Wishes,
): Uint8Array {
  const nowMs = Date.now()
  const opening = [headOf(response, traffic, encoding)]
  if (encoding.isOurs) {
    const from = subscribe.from === 'head' ? hub.head : subscribe.from
    opening.push(encoding.opened(hub.cursorOf(from), nowMs))
  }
  if (gap !== null) opening.push(encoding.gap(gap, nowMs))
  return Buffer.concat(opening)
}

/** For a stream that ends before there was an event. What it keeps of the request would be too much for every idle stream. */
function refusalOfWait(
  { traffic }: HttpDoor,
  response: ServerResponse,
): (reason: CloseReason) => void {
  const { socket, headers } = response.req
  const shared = sharedHeaders(response)
  return (reason) => {
    const error =
      reason === 'timeout'
        ? new NoEventError()
        : new OverloadedError(`the stream ended before there was an event: ${reason}`)
    refuseSocket(socket, traffic, error, headers.accept, shared)
  }
}

/** What every answer to a request carries, as names and values in turn. */
function sharedHeaders(response: ServerResponse): string[] {
  return response.getHeaderNames().flatMap((name) => [name, response.getHeader(name) as string])
}

/** Ends the stream with the socket. All streams share the listeners, for the sake of idle memory. */
function follow(socket: StreamingSocket, open: OpenStream): void {
  socket[OPEN_STREAM] = open
  socket.on('drain', onDrain).on('close', onClose).on('end', onEnd).on('error', onError)
}

const OPEN_STREAM = Symbol('open stream')

interface OpenStream {
  readonly subscription: Subscription
  readonly traffic: Traffic
  readonly address: string
  /** What ends with it; `null` for most, which have nothing. */
  readonly ends: Disposable | null
}

type StreamingSocket = Socket & { [OPEN_STREAM]?: OpenStream }

function onDrain(this: StreamingSocket): void {
  this[OPEN_STREAM]!.subscription.drained()
}

function onClose(this: StreamingSocket): void {
  const { subscription, traffic, address, ends } = this[OPEN_STREAM]!
  subscription.close()
  traffic.streamClosed(address)
  ends?.[Symbol.dispose]()
}

/** A peer that half-closes is taken to have gone, as PyPubSub takes it. */
function onEnd(this: StreamingSocket): void {
  this.destroy()
}

/** A reset is an ordinary way to leave; `close` follows. */
function onError(): void {}

/** Withdrawn rights take effect at once. A stream that can show nothing any more is closed and told. */
function keepRights(
  login: Login,
  wants: readonly TopicFilter[],
  subscription: Subscription,
): Disposable {
  return login.onChange(({ rights }) => {
    subscription.setRights(rights)
    if (rights.seesNothing && wants.every((filter) => filter.privateOnly))
      subscription.end('revoked')
  })
}

/** Written by ourselves, because Node's own would keep the response alive. */
function headOf(
  response: ServerResponse,
  traffic: Traffic,
  { contentType, isOurs }: StreamEncoding,
): Uint8Array {
  const isChunked = response.req.httpVersionMinor > 0
  const lines = [
    `HTTP/1.${isChunked ? 1 : 0} 200 OK`,
    `Content-Type: ${contentType}`,
    `Date: ${new Date().toUTCString()}`,
  ]
  const pairs = [...traffic.headers(), ...sharedHeaders(response)]
  for (let i = 0; i < pairs.length; i += 2) lines.push(`${pairs[i]}: ${pairs[i + 1]}`)
  // Neither a cache nor nginx's buffer may keep events back.
  if (isOurs) lines.push('Cache-Control: no-store', 'X-Accel-Buffering: no')
  lines.push(isChunked ? 'Transfer-Encoding: chunked' : 'Connection: close', '', '')
  return Buffer.from(lines.join('\r\n'), 'latin1')
}
