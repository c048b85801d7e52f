import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { SLICED_LISTENER } from './input-slices.ts'

/**
 * Takes a socket out of Node's HTTP layer, as Node itself does for an upgrade: an idle stream then keeps neither parser
 * nor request nor response, and what the peer sends behind its request is discarded. Node has no public
 * way to do it; where its insides are not what is known here, `false` comes back and the socket stays as it is, which
 * costs memory and nothing else.
 *
 * Not to be called by what the parser itself has called: all that was read must be parsed before, or a request pipelined
 * behind this one would get the socket. But in the same turn of the event loop: of all requests that are read in one turn
 * what is left would outlive the young generation.
 */
export function detach(request: IncomingMessage, response: ServerResponse): boolean {
  const socket = request.socket as HttpSocket
  const { parser } = socket
  if (!isKnown(parser)) return false
  const listeners = httpListeners(socket)
  if (!hasAll(listeners, parser)) return false
  response.detachSocket(socket)
  leaveHttpWith(socket, parser, listeners)
  if (socket.readableLength > 0) socket.read() // even if it is somebody's who reads on
  socket.resume() // what the peer still sends is thrown away
  return true
}

/**
 * The same for a socket that carries no answer any more, as far as Node's HTTP layer still has it: what comes is no request,
 * and no part of one. Not to be called by what the parser itself has called.
 */
export function leaveHttp(socket: HttpSocket): void {
  const { parser } = socket
  if (isKnown(parser)) leaveHttpWith(socket, parser, httpListeners(socket))
}

function leaveHttpWith(socket: HttpSocket, parser: HttpParser, listeners: HttpListeners): void {
  for (let i = 0; i < EVENTS.length; i++) {
    const listener = listeners[i]
    if (listener !== undefined) socket.removeListener(EVENTS[i]!, listener)
  }
  // Set, not deleted: V8 keeps an object that has lost a property in a slow form.
  for (const name of OVERRIDDEN)
    Reflect.set(socket, name, Reflect.get(Object.getPrototypeOf(socket), name))
  if (parser._consumed) parser.unconsume()
  parser.remove()
  for (const field of POINTERS) parser[field] = null
  socket.parser = null
  setImmediate(close, parser) // the read is not over yet for the parser's native half
  readOn(socket)
}

/**
 * For a socket from which the parser does not read by itself any more: where it had paused the socket, the stream that it has
 * become does not know that nothing is read.
 */
export function readOn({ _handle: handle }: HttpSocket): void {
  if (handle?.reading !== false || typeof handle.readStart !== 'function') return
  handle.reading = true
  handle.readStart()
}

function close(parser: HttpParser): void {
  parser.close()
}

export interface HttpParser {
  [field: string]: unknown
  _consumed: boolean
  unconsume(): void
  remove(): void
  close(): void
}

export type HttpSocket = Socket & {
  parser?: HttpParser | null
  /** Node reads no more requests until some answers were taken. */
  readonly _paused?: boolean
  readonly _handle?: { reading?: unknown; readonly readStart?: unknown } | null
}
type Listener = (...values: unknown[]) => void

/** What Node's HTTP server listens to on its sockets (lib/_http_server.js, connectionListenerInternal). */
const HTTP_LISTENERS: Readonly<Record<string, string>> = {
  data: 'bound socketOnData',
  end: 'bound socketOnEnd',
  close: 'bound socketOnClose',
  drain: 'bound socketOnDrain',
  error: 'socketOnError',
  timeout: 'socketOnTimeout',
  resume: 'onSocketResume',
  pause: 'onSocketPause',
}

/** What it puts on the socket itself, for the time being. */
const OVERRIDDEN = ['on', 'addListener', 'prependListener', 'setEncoding']

const EVENTS = Object.keys(HTTP_LISTENERS)

/** What of a parser leads to its connection. */
const POINTERS = ['socket', 'incoming', 'outgoing', 'onIncoming']

/** By the places of their events in `EVENTS`. `undefined`: there is none. */
type HttpListeners = readonly (Listener | undefined)[]

/** Without lists of pairs and closures: those were a tenth of all that a stream's beginning allocated. */
function httpListeners(socket: Socket): HttpListeners {
  const found: (Listener | undefined)[] = []
  for (const event of EVENTS)
    found.push(httpListener(socket, event) ?? slicedListener(socket, event))
  return found
}

/** What Node's HTTP server has added for this event. */
export function httpListener(socket: Socket, event: string): Listener | undefined {
  return listenerOf(socket, event, HTTP_LISTENERS[event]!)
}

/** What reads in the place of Node's HTTP server, where its bytes are sliced. */
function slicedListener(socket: Socket, event: string): Listener | undefined {
  return event === 'data' ? listenerOf(socket, event, SLICED_LISTENER) : undefined
}

function listenerOf(socket: Socket, event: string, name: string): Listener | undefined {
  for (const candidate of socket.rawListeners(event))
    if (candidate.name === name) return candidate as Listener
  return undefined
}

/** The last two are there only while the parser reads for itself. */
function hasAll(found: HttpListeners, { _consumed: readsItself }: HttpParser): boolean {
  const needed = EVENTS.length - (readsItself ? 0 : 2)
  for (let i = 0; i < needed; i++) if (found[i] === undefined) return false
  return true
}

export function isKnown(parser: HttpParser | null | undefined): parser is HttpParser {
  if (parser === null || parser === undefined || typeof parser._consumed !== 'boolean') return false
  const { unconsume, remove, close: end } = parser as Readonly<Record<string, unknown>>
  return (
    typeof unconsume === 'function' && typeof remove === 'function' && typeof end === 'function'
  )
}
