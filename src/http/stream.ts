import type { FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Login } from '../auth/identity.ts'
import { PUBLIC_ONLY } from '../hub/rights.ts'
import type { Subscription } from '../hub/subscription.ts'
import type { TopicFilter } from '../hub/topics.ts'
import { detach } from './detach.ts'
import type { HttpDoor, Traffic } from './door.ts'
import { NotFoundError, TooManyStreamsError } from './errors.ts'
import { identify } from './identify.ts'
import { peerAddress } from './peer.ts'
import { PypubsubEncoding } from './pypubsub-encoding.ts'
import { startOf } from './resume.ts'
import { StreamSink } from './stream-sink.ts'
import { decodePath, isReserved, topicFilters } from './topic-path.ts'

/**
 * GET: an endless answer. Once its head is sent the socket carries nothing but the stream.
 * @throws {PubSubError} why there is none.
 */
export async function stream(
  door: HttpDoor,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const { hub, traffic } = door
  const { limits, trustedProxies } = door.options
  const { raw: incoming } = request
  const { socket } = incoming
  const path = decodePath(request.originalUrl)
  if (isReserved(path)) throw new NotFoundError('there is no such page here')
  const wants = topicFilters(path, limits)
  const login = await identify(door, request, reply)
  const { from, gap } = await startOf(incoming.headers, request.originalUrl, hub)
  // A request that came behind another one gets its socket when that one is answered.
  if (reply.raw.socket === null) await new Promise((resolve) => reply.raw.once('socket', resolve))
  if (socket.destroyed) return
  const address = peerAddress(incoming, trustedProxies) ?? 'unknown'
  if (traffic.streamsOf(address) >= (limits.streamsPerAddressMax || Infinity))
    throw new TooManyStreamsError(limits.streamsPerAddressMax)

  const isChunked = incoming.httpVersionMinor > 0
  const encoding = encodingFor({ isOldSchool: isOldSchool(incoming, door), isChunked })
  const opening: Uint8Array[] = [headOf(reply.raw, traffic, isChunked)]
  if (gap !== null) opening.push(encoding.gap(gap, Date.now()))
  socket.cork() // head and first lines in one packet
  process.nextTick(() => socket.uncork())
  const subscription = hub.subscribe({
    wants,
    rights: login?.identity.rights ?? PUBLIC_ONLY,
    from,
    encoding,
    sink: new StreamSink(socket),
    opening: Buffer.concat(opening),
  })
  traffic.streamOpened(address)
  const watch = login === null ? null : keepRights(login, wants, subscription)
  follow(socket, { subscription, traffic, address, watch })
  detach(incoming, reply.raw)
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
  readonly watch: Disposable | null
}

type StreamingSocket = Socket & { [OPEN_STREAM]?: OpenStream }

function onDrain(this: StreamingSocket): void {
  this[OPEN_STREAM]!.subscription.drained()
}

function onClose(this: StreamingSocket): void {
  const { subscription, traffic, address, watch } = this[OPEN_STREAM]!
  subscription.close()
  traffic.streamClosed(address)
  watch?.[Symbol.dispose]()
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

function isOldSchool({ headers }: IncomingMessage, { options }: HttpDoor): boolean {
  const userAgent = headers['user-agent'] ?? ''
  return options.oldschoolers.some((part) => userAgent.includes(part))
}

const encodings = new Map<string, PypubsubEncoding>()

/** One for each form, as only those who have the same one share their bytes. */
function encodingFor(form: { isOldSchool: boolean; isChunked: boolean }): PypubsubEncoding {
  const made = new PypubsubEncoding(form)
  const known = encodings.get(made.key)
  if (known === undefined) encodings.set(made.key, made)
  return known ?? made
}

/** Written by ourselves, because Node's own would keep the response alive. */
function headOf(response: ServerResponse, traffic: Traffic, isChunked: boolean): Uint8Array {
  const lines = [
    `HTTP/1.${isChunked ? 1 : 0} 200 OK`,
    'Content-Type: application/vnd.pypubsub-stream',
    `Date: ${new Date().toUTCString()}`,
  ]
  const own = traffic.headers()
  for (let i = 0; i < own.length; i += 2) lines.push(`${own[i]}: ${own[i + 1]}`)
  for (const name of response.getHeaderNames())
    lines.push(`${name}: ${response.getHeader(name) as string}`)
  lines.push(isChunked ? 'Transfer-Encoding: chunked' : 'Connection: close', '', '')
  return Buffer.from(lines.join('\r\n'), 'latin1')
}
