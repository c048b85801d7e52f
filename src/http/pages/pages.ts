import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ANONYMOUS } from '../../auth/identity.ts'
import { refusalText } from '../../auth/policy.ts'
import { publishedTopics } from '../../publication/published-topics.ts'
import { head } from '../server/answer.ts'
import type { HttpDoor } from '../server/door.ts'
import { HttpError, noSuchPage } from '../server/errors.ts'
import { identify } from '../server/identify.ts'
import { preflight } from '../server/preflight.ts'
import { isTls, peerAddress } from '../server/peer.ts'
import { prefersPage } from '../stream/negotiation.ts'
import { asksForWebSocket, refuseHandshake } from '../../websocket/handshake.ts'
import { manual } from './manual.ts'
import { pageResponses } from './openapi.ts'
import { openapiDocument, type DescribedRoute } from './openapi-document.ts'
import { pageFile, type PageFile } from './page-file.ts'

/**
 * What is ours, below `/-/`: ordinary routes, whose schemas `/-/openapi.json` is made of. Streams and publications are not
 * among them, as they leave Fastify before its router.
 */
export async function pages(
  app: FastifyInstance,
  { door, routes }: { readonly door: HttpDoor; readonly routes: readonly DescribedRoute[] },
): Promise<void> {
  // Before a body is looked at: it may be of any type, and is never read.
  app.addHook('onRequest', async (request, reply) => {
    if (request.is404 || asksForWebSocket(request.raw)) answerElsewhere(door, request, reply)
  })
  app.setNotFoundHandler(() => {}) // it is answered above; without this the hook would not be asked

  const index = door.page.get('index.html')
  app.get(
    '/',
    {
      schema: {
        operationId: 'manual',
        summary: 'The manual; for a browser the page',
        response: pageResponses('The manual, or the page', 'text/plain', 'text/html'),
      },
    },
    (request, reply) => {
      const file = prefersPage(request.raw) ? index : undefined
      return send(
        file ?? pageFile(Buffer.from(manual(request.raw)), 'text/plain; charset=utf-8'),
        request,
        reply,
      )
    },
  )

  app.get<{ Querystring: { path?: string; origin?: string } }>(
    '/visitor',
    {
      schema: {
        operationId: 'visitor',
        summary: 'Who the server takes the visitor of the page for',
        querystring: {
          type: 'object',
          properties: {
            path: { type: 'string', description: 'where the visitor would publish' },
            origin: { type: 'string', description: 'the origin of the page' },
          },
        },
        response: pageResponses('The visitor', 'application/json'),
      },
    },
    async (request, reply) => {
      const told = JSON.stringify(await visitor(door, request, reply))
      return reply.headers(PRIVATE).type('application/json').send(`${told}\n`)
    },
  )

  app.route({
    method: ['GET', 'HEAD'],
    url: HEALTH.alive,
    schema: {
      operationId: 'healthz',
      summary: 'Whether the process answers; to be restarted when it does not',
      response: pageResponses('It does', 'application/json'),
    },
    handler: (_request, reply) => tellHealth(reply, 200, { alive: true }),
  })
  app.route({
    method: ['GET', 'HEAD'],
    url: HEALTH.ready,
    schema: {
      operationId: 'readyz',
      summary: 'Whether publishers and listeners should be sent here',
      response: {
        ...pageResponses('They should', 'application/json'),
        503: {
          description: 'They should not, for these reasons',
          content: { 'application/json': { schema: {} } },
        },
      },
    },
    handler: (_request, reply) => {
      const reasons = door.hub.unreadiness
      return tellHealth(reply, reasons.length === 0 ? 200 : 503, {
        ready: reasons.length === 0,
        reasons,
      })
    },
  })

  let openapi: Promise<PageFile> | null = null
  app.get(
    '/openapi.json',
    {
      schema: {
        operationId: 'openapi',
        summary: 'This document',
        response: pageResponses('This document', 'application/json'),
      },
    },
    async (request, reply) => {
      openapi ??= openapiDocument(routes, door.version).then((document) =>
        pageFile(Buffer.from(`${JSON.stringify(document)}\n`), 'application/json'),
      )
      return send(await openapi, request, reply)
    },
  )

  for (const [name, file] of door.page)
    app.get(`/${name}`, { schema: { hide: true } }, (request, reply) => send(file, request, reply))
}

/** Answered on connections that are too many, too. */
export const ALIVE_URL = '/-/healthz'

/** What probes ask for, by anybody, often, and without a login. */
const HEALTH = { alive: '/healthz', ready: '/readyz' } as const

function tellHealth(reply: FastifyReply, status: number, told: object): FastifyReply {
  return reply
    .code(status)
    .headers(PRIVATE)
    .type('application/json')
    .send(`${JSON.stringify(told)}\n`)
}

/** Whatever no route takes. @throws {PubSubError} unless it may be asked of any path. */
function answerElsewhere(door: HttpDoor, { raw }: FastifyRequest, reply: FastifyReply): void {
  if (raw.method !== 'GET') refuseHandshake(raw)
  switch (raw.method) {
    case 'GET':
      throw noSuchPage()
    case 'PUT':
    case 'POST':
      throw new HttpError('RESERVED_PATH', refusalText({ type: 'reserved-path' }))
    case 'HEAD':
      reply.hijack()
      return head(reply.raw, door.counters)
    default:
      if (raw.method !== 'OPTIONS' || !preflight(door, raw, reply.raw))
        throw new HttpError(
          'METHOD_NOT_ALLOWED',
          "paths that begin with /-/ are the server's own, which know GET and HEAD only",
        )
      reply.hijack()
  }
}

/** Who the server takes the page's visitor for, so that it can offer what is allowed and nothing else. */
interface Visitor {
  /** Who the credentials sent along are of. `null`: none, or they are not known. */
  readonly user: string | null
  /** To the path behind `?path=`, from a page of the origin behind `?origin=`. */
  readonly may_publish: boolean
  /** Why not. */
  readonly reason: string | null
}

async function visitor(
  door: HttpDoor,
  request: FastifyRequest<{ Querystring: { path?: string; origin?: string } }>,
  reply: FastifyReply,
): Promise<Visitor> {
  const { raw, query } = request
  const path = query.path ?? '/'
  const { segments } = publishedTopics(path, door.options.limits.topicsMax)
  const login = await identify(door, request, reply)
  const identity = login?.identity ?? ANONYMOUS
  const address = peerAddress(raw, door.options.trustedProxies)
  const { host, 'sec-fetch-site': secFetchSite } = raw.headers
  // A page that reads from its own server sends no Origin. When it publishes it does, and may not know of a proxy.
  const origin = raw.headers.origin ?? query.origin
  const headers = { origin, secFetchSite, host, isTls: isTls(raw) }
  const verdict = door.policy.mayPublishPath(segments, { address, identity })
  const refusal = !verdict.allowed
    ? verdict.reason
    : door.webPages.mayPublish(headers)
      ? null
      : ({ type: 'foreign-page' } as const)
  return {
    user: identity.name,
    may_publish: refusal === null,
    reason: refusal === null ? null : refusalText(refusal),
  }
}

function send(file: PageFile, { headers }: FastifyRequest, reply: FastifyReply): FastifyReply {
  const vary = reply.raw.getHeader('Vary')
  reply.raw.setHeader('Vary', vary === undefined ? 'Accept' : `${String(vary)}, Accept`)
  reply.headers(HEADERS).header('ETag', file.etag)
  if (isKnown(file.etag, headers['if-none-match'])) return reply.code(304).send()
  return reply.type(file.contentType).send(file.bytes)
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

const HEADERS = {
  'Cache-Control': 'no-cache',
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
}

const PRIVATE = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' }
