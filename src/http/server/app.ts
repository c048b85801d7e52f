import basicAuth from '@fastify/basic-auth'
import Fastify, {
  type FastifyError,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify'
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http'
import { createServer as createTlsServer, Server as TlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { PubSubError } from '../../publication/errors.ts'
import { head, refuse, refuseSocket } from './answer.ts'
import { behindAnswers, connectionOf } from '../../sockets/connection.ts'
import { isLongBody } from '../../sockets/discard-body.ts'
import {
  BODY_PATIENCE,
  isAnswerable,
  lingerWhenClosing,
  STRAY_PATIENCE,
} from '../../sockets/lingering-close.ts'
import { sliceWhatIsPipelined } from '../../sockets/pipelining.ts'
import { UnreadAnswers } from '../../sockets/unread-answers.ts'
import type { HttpDoor } from './door.ts'
import { HttpError, internalError } from './errors.ts'
import { isAwaitingContinue, markAwaitingContinue } from './expectation.ts'
import { latin1Credentials } from './latin-1-credentials.ts'
import { isMountedUpgrade, mountedDoors, mountUpgrades } from './mount.ts'
import type { DescribedRoute } from '../pages/openapi-document.ts'
import { ownUrl } from '../pages/own-url.ts'
import { ALIVE_URL, pages } from '../pages/pages.ts'
import { peerAddress } from './peer.ts'
import { carryOutWhenTurnAllows, hold, isHeld, PendingStream } from './pending-stream.ts'
import { publish } from '../publish/publish.ts'
import { preflight } from './preflight.ts'
import { prefersPage } from '../stream/negotiation.ts'
import { stream } from '../stream/stream.ts'
import { asksForWebSocket, refuseHandshake } from '../../websocket/handshake.ts'
import { beginWork } from '../../ops/current-work.ts'
import { createServer } from '../../ops/node-http.ts'
import { hasTurnLeft } from '../../ops/turn-budget.ts'
import { originForm } from './topic-path.ts'

export interface TlsFiles {
  readonly cert: string
  readonly key: string
}

/** The servers of the HTTP door, not yet listening. */
export async function httpServers(
  door: HttpDoor,
  tls: TlsFiles | null,
): Promise<{ readonly plain: Server; readonly secure: TlsServer | null }> {
  const { limits } = door.options
  const options = serverOptions(door)
  const app = Fastify({
    // Every other path is a topic set, so none must meet the router's ideas of a well-formed path.
    rewriteUrl: routedUrl,
    exposeHeadRoutes: false, // HEAD tells of any path how much there is to do
    serverFactory: (listener) => createServer(options, listener),
    clientErrorHandler: () => {}, // `attach` answers, in this protocol's words
    schemaController: OWN_COMPILERS,
  })
  await app.register(basicAuth, {
    async validate(name, password, request) {
      const address = peerAddress(request.raw, door.options.trustedProxies)
      const read = latin1Credentials(request.headers.authorization!) ?? { name, password }
      request.loginResult = await door.logins.login({ address, ...read })
    },
    strictCredentials: false,
  })
  app.decorateRequest('loginResult', null)
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  const unreadAnswers = new UnreadAnswers(limits.stallTimeoutMs)
  app.addHook('onRequest', (request, reply, done) => {
    const { socket } = request.raw
    // An answer to a publication is so short that it waits for its peer only behind others.
    if (socket.writableLength > 0 || request.url !== TOPIC_URL) unreadAnswers.watch(socket)
    // Most requests wait for nothing, and nothing is made for them to wait with: it would be one part in sixty of a publication.
    if (isHeld(socket)) hold(socket, () => accept(door, request, reply, done))
    else accept(door, request, reply, done)
  })
  app.setErrorHandler((error, request, reply) => refuseRequest(door, request, reply, error))
  const routes: DescribedRoute[] = []
  app.addHook('onRoute', ({ method, url, schema }) => {
    routes.push({ method, url, ...(schema && { schema }) })
  })
  await app.register(mountedDoors, { prefix: '/-', door })
  await app.register(pages, { prefix: '/-', door, routes })
  await app.ready()
  const plain = app.server
  const secure =
    tls === null
      ? null
      : createTlsServer(
          { ...options, ...tls, handshakeTimeout: limits.headTimeoutMs },
          (request, response) => app.routing(request, response),
        )
  for (const server of [plain, secure]) {
    if (server === null) continue
    door.connectionLimit.watch(server)
    attach(door, server)
  }
  return { plain, secure }
}

/** Of queries of our pages, each of whose parameters is a text that comes once. */
interface DescribedPart {
  readonly schema: { readonly properties: Readonly<Record<string, { readonly type: string }>> }
  readonly httpPart: string
}

/** In place of Fastify's, which so are not loaded: 40 ms of the start. Their types are those of its library. */
const OWN_COMPILERS = {
  compilersFactory: { buildValidator: () => textsOf, buildSerializer: () => () => JSON.stringify },
} as unknown as NonNullable<FastifyServerOptions['schemaController']>

/** Schemas of answers only describe. @throws {Error} a schema of a query asks for something else: look for a compiler then. */
function textsOf({ schema: { properties }, httpPart }: DescribedPart): FastifyValidator {
  const names = Object.keys(properties)
  if (names.some((name) => properties[name]!.type !== 'string'))
    throw new Error(`a schema of ${httpPart} has a parameter that is no text`)
  return (value: Readonly<Record<string, unknown>>) => {
    const wrong = names.find((name) => !['string', 'undefined'].includes(typeof value[name]))
    return wrong === undefined
      ? { value }
      : { error: new Error(`${httpPart}/${wrong} must be string`) }
  }
}

type FastifyValidator = (
  value: Readonly<Record<string, unknown>>,
) => { readonly value: unknown } | { readonly error: Error }

/** Publishers may be idle for more than a minute between two events (PyPubSub closes after 75 s). */
const KEEP_ALIVE_TIMEOUT_MS = 90_000

function serverOptions(door: HttpDoor): ServerOptions {
  const { limits } = door.options
  return {
    shouldUpgradeCallback: (request) => isMountedUpgrade(door, request),
    maxHeaderSize: limits.headBytesMax,
    headersTimeout: limits.headTimeoutMs,
    requestTimeout: Math.max(limits.requestTimeoutMs, limits.headTimeoutMs),
    // How often Node looks whether these have passed.
    connectionsCheckingInterval: Math.min(2_000, limits.headTimeoutMs),
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requireHostHeader: false, // PyPubSub answers such requests
  }
}

/** What Node tells only by events. */
function attach(door: HttpDoor, server: Server | TlsServer): void {
  const { counters } = door
  // Whoever has sent its last request and said so still gets its answers (RFC 9112 §9.6); Node knows it, and does not say it.
  // Held by `test/http/server/half-close.test.ts`.
  Object.assign(server, { httpAllowHalfOpen: true })
  // Node would drop those beyond 2,000, and with them perhaps the one that a proxy has added at the end.
  server.maxHeadersCount = 0
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    markAwaitingContinue(response)
    server.emit('request', request, response)
  })
  // An expectation we do not know is passed over, as PyPubSub does.
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) =>
    server.emit('request', request, response),
  )
  server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
    // Not before TLS is agreed upon: who leaves until then has asked for nothing.
    socket.allowHalfOpen = true
    lingerWhenClosing(socket)
    sliceWhatIsPipelined(socket)
  })
  mountUpgrades(door, server)
  server.on('connect', (request: IncomingMessage, socket: Socket) => {
    const connection = connectionOf(socket)
    const isBehindStream = connection.inputIgnored
    connection.inputIgnored = connection.hasAnswer = true
    if (isBehindStream) {
      socket.resume() // Node has left this socket to us
      return
    }
    counters.requests++
    behindAnswers(connection, () => {
      const error = new HttpError('BAD_REQUEST', 'this is no proxy')
      if (isAnswerable(socket)) refuseSocket(socket, counters, error, request.headers)
    })
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // Nothing can be said over TLS before both sides are agreed.
    if (isAgreeing(socket)) {
      socket.destroy()
      return
    }
    // A stream may stand on this socket: what comes behind its request is discarded.
    const connection = connectionOf(socket)
    if (connection.inputIgnored) connection.hasAnswer = true
    else if (isAnswerable(socket)) refuseBroken(door, error, socket)
    if (error.code === 'ECONNRESET') socket.destroy()
  })
}

/** Whether TLS has still to be agreed upon. */
function isAgreeing(socket: Socket): boolean {
  return (socket as Socket & { readonly secureConnecting?: boolean }).secureConnecting === true
}

/** Refuses what is no request, or no body of one, behind the answers to the requests before it. */
function refuseBroken(door: HttpDoor, error: NodeJS.ErrnoException, socket: Socket): void {
  const connection = connectionOf(socket)
  connection.inputIgnored = connection.hasAnswer = true
  const last = connection.lastResponse
  const isBody = last !== null && !last.req.complete
  if (!isBody) door.counters.requests++
  const refuseIt = () => {
    if (!isAnswerable(socket)) return
    const known = isBody ? last.req.headers : {}
    const shared = isBody ? door.cors.headersFor(known.origin) : []
    refuseSocket(socket, door.counters, refusalOfBroken(error, door), known, {
      shared,
      patience: isBody ? BODY_PATIENCE : STRAY_PATIENCE,
    })
  }
  if (isBody && last.headersSent) {
    // The request was refused already, and its body was only being read away.
    if (last.writableFinished) socket.destroySoon()
    else last.once('finish', () => socket.destroySoon())
  } else if (isBody && last.socket === null) last.once('socket', refuseIt)
  else if (isBody) refuseIt()
  else behindAnswers(connection, refuseIt)
}

function refusalOfBroken(error: NodeJS.ErrnoException, { options }: HttpDoor): PubSubError {
  if (error.code === 'HPE_HEADER_OVERFLOW')
    return new HttpError(
      'HEAD_TOO_LARGE',
      `the request line and headers exceed the limit of ${options.limits.headBytesMax} bytes (limits.head_bytes)`,
    )
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new HttpError(
      'REQUEST_TIMEOUT',
      'the request took too long to arrive (limits.head_timeout, limits.request_timeout)',
    )
  return new HttpError('BAD_REQUEST', 'this is no request of HTTP/1.1 or 1.0')
}

/** The server's own pages have routes; a browser that navigates to a topic URL gets the page, too. */
function routedUrl(request: IncomingMessage): string {
  const own = ownUrl(request.url!)
  if (own !== null) return own
  return request.method === 'GET' && prefersPage(request) && !asksForWebSocket(request)
    ? '/-/'
    : TOPIC_URL
}

/** What the router sees of a topic URL. */
const TOPIC_URL = '/'

/** `false`: nothing is carried out on this connection any more, and there is no answer. */
function isAccepted(
  door: HttpDoor,
  { raw: incoming }: FastifyRequest,
  response: ServerResponse,
): boolean {
  const connection = connectionOf(incoming.socket)
  if (connection.inputIgnored) {
    connection.hasAnswer = true
    return false
  }
  door.counters.requests++
  connection.lastResponse = response
  const pairs = door.cors.headersFor(incoming.headers.origin)
  for (let i = 0; i < pairs.length; i += 2) response.setHeader(pairs[i]!, pairs[i + 1]!)
  return true
}

function accept(door: HttpDoor, request: FastifyRequest, reply: FastifyReply, done: Done): void {
  const { socket } = request.raw
  // At once, so that what is no request behind it is refused behind it.
  if (!isAccepted(door, request, reply.raw)) reply.hijack()
  else if (hasTurnLeft()) begin(door, request, reply, done)
  else carryOutWhenTurnAllows(socket, () => begin(door, request, reply, done))
}

function begin(door: HttpDoor, request: FastifyRequest, reply: FastifyReply, done: Done): void {
  const { raw } = request
  beginWork('request', `${raw.method} ${originForm(request.originalUrl)}`)
  // `GET /path` alone. What to send such a client is not known here, and PyPubSub refuses it too.
  if (raw.httpVersionMajor === 0) done(new HttpError('BAD_REQUEST', 'HTTP/0.9 is not spoken here'))
  else if (connectionOf(raw.socket).isBeyondLimit) {
    // A server that has much to do must not be taken for one that is dead.
    if (request.url !== ALIVE_URL) return done(door.connectionLimit.refusal())
    reply.header('Connection', 'close')
    done()
  } else if (request.url === TOPIC_URL) void handle(door, request, reply)
  else done()
}

type Done = (error?: Error) => void

/** A topic URL: whatever it is answered with, Fastify is done with it. */
async function handle(door: HttpDoor, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  reply.hijack()
  const { method, socket } = request.raw
  using pending = method === 'GET' ? new PendingStream(socket) : null
  try {
    await route(door, request, reply)
    // Nothing is refused behind a stream, and with its request this was a third of what an idle one took.
    if (pending !== null) connectionOf(socket).lastResponse = null
  } catch (error) {
    refuseRequest(door, request, reply, error)
  }
}

function refuseRequest(
  door: HttpDoor,
  { raw: incoming }: FastifyRequest,
  reply: FastifyReply,
  error: unknown,
): void {
  reply.hijack()
  const { raw: response } = reply
  const { socket } = incoming
  const connection = connectionOf(socket)
  const refusal = refusalFor(error)
  if (refusal.code === 'INTERNAL') door.bugs.add('answering', error)
  if (response.headersSent || !isAnswerable(socket)) return
  const mustClose =
    connection.hasAnswer ||
    connection.isBeyondLimit ||
    isAwaitingContinue(response) ||
    isLongBody(incoming.headers)
  if (mustClose) connection.inputIgnored = connection.hasAnswer = true
  // What has been asked for behind it may be a stream, whose input stays ignored.
  else if (connection.lastResponse === response) connection.inputIgnored = false
  refuse(response, door.counters, refusal, { mustClose })
}

/** Fastify's own refusals are of queries and types that a route does not take. */
function refusalFor(error: unknown): PubSubError {
  if (error instanceof PubSubError) return error
  const { statusCode = 500, code, message } = error as FastifyError
  if (code === 'FST_ERR_VALIDATION') return new HttpError('BAD_QUERY', message)
  return statusCode < 500 ? new HttpError('BAD_REQUEST', message) : internalError(error)
}

function route(door: HttpDoor, request: FastifyRequest, reply: FastifyReply): Promise<void> | void {
  if (request.raw.method !== 'GET') refuseHandshake(request.raw)
  switch (request.raw.method) {
    case 'PUT':
    case 'POST':
      return publish(door, request, reply)
    case 'GET':
      return stream(door, request, reply)
    case 'HEAD':
      return head(reply.raw, door.counters)
    case 'OPTIONS':
      if (preflight(door, request.raw, reply.raw)) return
      throw notForThisMethod()
    default:
      throw notForThisMethod()
  }
}

function notForThisMethod(): PubSubError {
  return new HttpError('BAD_REQUEST', 'only GET, HEAD, PUT and POST mean something here')
}
