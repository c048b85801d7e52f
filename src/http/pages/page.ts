import type { FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { ANONYMOUS } from '../../auth/identity.ts'
import { answer } from '../server/answer.ts'
import type { HttpDoor } from '../server/door.ts'
import { NotFoundError } from '../server/errors.ts'
import { identify } from '../server/identify.ts'
import { manual } from './manual.ts'
import { prefersPage } from '../stream/negotiation.ts'
import { pageFile, type PageFile } from './page-file.ts'
import { isTls, peerAddress } from '../server/peer.ts'
import { publishedTopics } from '../../publication/published-topics.ts'
import { decodePath, isReserved } from '../server/topic-path.ts'
import { asksForWebSocket } from '../../websocket/handshake.ts'

/** Whether a GET asks for the page or the manual, one of its files or what it wants to know, rather than for a stream. */
export function isForPage({ raw, originalUrl }: FastifyRequest): boolean {
  return !asksForWebSocket(raw) && (prefersPage(raw) || isReserved(decodePath(originalUrl)))
}

/**
 * Answers such a GET. Any topic URL is the page for a browser that navigates to it.
 * @throws {PubSubError} there is no such file, or credentials are wrong and that is refused.
 */
export async function page(
  door: HttpDoor,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const path = decodePath(request.originalUrl)
  const name = isReserved(path) ? path.replace(RESERVED, '') : ''
  if (name === 'visitor') {
    const told = `${JSON.stringify(await visitor(door, request, reply))}\n`
    return answer(reply.raw, door.traffic, 200, told, PRIVATE, 'application/json')
  }
  const file = name === '' ? front(door, request.raw) : door.page.get(name)
  if (file === undefined) throw new NotFoundError('there is no such page here')
  send(file, request.raw, reply.raw, door)
}

/** `/-/` is the page for browsers, the manual for all others. */
function front({ page: files }: HttpDoor, request: IncomingMessage): PageFile | undefined {
  if (prefersPage(request)) return files.get(INDEX)
  return pageFile(Buffer.from(manual(request)), 'text/plain; charset=utf-8')
}

const RESERVED = /^\/*-\/*/
const INDEX = 'index.html'

/** Who the server takes the page's visitor for, so that it can offer what is allowed and nothing else. */
interface Visitor {
  /** Of the credentials sent along. `null`: none, or they are not known. */
  readonly user: string | null
  /** To the path behind `?path=`, from a page of the origin behind `?origin=`. */
  readonly may_publish: boolean
}

async function visitor(
  door: HttpDoor,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Visitor> {
  const { raw, originalUrl } = request
  const query = new URLSearchParams(originalUrl.split('?', 2)[1])
  const path = query.get('path') ?? '/'
  const { segments } = publishedTopics(path, door.options.limits.topicsMax)
  const login = await identify(door, request, reply)
  const identity = login?.identity ?? ANONYMOUS
  const address = peerAddress(raw, door.options.trustedProxies)
  const { host, 'sec-fetch-site': secFetchSite } = raw.headers
  // A page that reads from its own server sends no Origin. When it publishes it does, and may not know of a proxy.
  const origin = raw.headers.origin ?? query.get('origin') ?? undefined
  const headers = { origin, secFetchSite, host, isTls: isTls(raw) }
  return {
    user: identity.name,
    may_publish:
      !isReserved(path) &&
      door.policy.mayPublish(segments, { address, identity }) &&
      door.webPages.mayPublish(headers),
  }
}

function send(
  file: PageFile,
  { headers }: IncomingMessage,
  response: ServerResponse,
  { traffic }: HttpDoor,
): void {
  const own = [...traffic.headers(), ...HEADERS, 'ETag', file.etag]
  const vary = response.getHeader('Vary')
  response.setHeader('Vary', vary === undefined ? 'Accept' : `${String(vary)}, Accept`)
  if (isKnown(file.etag, headers['if-none-match'])) {
    response.writeHead(304, own)
    response.end()
    return
  }
  const length = String(file.bytes.length)
  response.writeHead(200, ['Content-Type', file.contentType, 'Content-Length', length, ...own])
  response.end(file.bytes)
}

function isKnown(etag: string, ifNoneMatch = ''): boolean {
  return ifNoneMatch.split(',').some((known) => known.trim().replace(/^W\//, '') === etag)
}

/** Only our own files run, only this server is asked, nobody frames the page, and no text ever becomes markup. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

const HEADERS = [
  ['Cache-Control', 'no-cache'],
  ['Content-Security-Policy', CONTENT_SECURITY_POLICY],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['Referrer-Policy', 'no-referrer'],
  ['X-Content-Type-Options', 'nosniff'],
].flat()

const PRIVATE = ['Cache-Control', 'no-store', 'X-Content-Type-Options', 'nosniff']
