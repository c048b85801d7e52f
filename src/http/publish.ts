import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Socket } from 'node:net'
import { ANONYMOUS } from '../auth/identity.ts'
import type { Publication } from '../hub/event.ts'
import { answer } from './answer.ts'
import { readBody } from './body.ts'
import type { HttpDoor } from './door.ts'
import { ForbiddenError, RECEIVED, ReservedPathError } from './errors.ts'
import { sendContinue } from './expectation.ts'
import { identify } from './identify.ts'
import { readJsonObject } from './json-object.ts'
import { isTls, peerAddress } from './peer.ts'
import { decodePath, isReserved, publishedTopics } from './topic-path.ts'

/**
 * PUT or POST. Publications of one connection come to the hub in the order in which they were sent, whatever each has to
 * wait for: one that is packed must not be overtaken by a plain one behind it.
 * @throws {PubSubError} why nothing was published.
 */
export async function publish(
  door: HttpDoor,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const { socket } = request.raw
  const previous = turns.get(socket)
  const { promise: ownTurn, resolve: handOver } = Promise.withResolvers<void>()
  turns.set(socket, Promise.all([previous, ownTurn]))
  let published
  try {
    const publication = await acceptedPublication(door, request, reply)
    await previous
    if (publication === null) return // cut off: there is nobody to answer
    published = door.hub.publish([publication])
  } finally {
    handOver()
  }
  const { events } = await published
  answer(reply.raw, door.traffic, 202, RECEIVED, ['X-Pubsub-Cursor', events[0]!.cursor])
}

/** For each connection: resolved once the hub has its newest publication and all before, or will never have them. */
const turns = new WeakMap<Socket, Promise<unknown>>()

/**
 * The order of the checks is part of the protocol: who may not publish is not told whether the payload is right, and its
 * body is not read.
 */
async function acceptedPublication(
  door: HttpDoor,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Publication | null> {
  const { limits, rejectBadCredentials } = door.options
  const { raw } = request
  const path = decodePath(request.originalUrl)
  if (isReserved(path))
    throw new ReservedPathError(
      "paths that begin with /-/ are the server's own, nothing can be published there",
    )
  const { topics, segments, isPrivate } = publishedTopics(path, limits.topicsMax)
  // A directory may have to be asked, so nobody is, unless the answer can change the outcome.
  const asksWho = rejectBadCredentials || door.policy.dependsOnIdentity(segments)
  const login = asksWho ? await identify(door, request, reply) : null
  const peer = {
    address: peerAddress(raw, door.options.trustedProxies),
    identity: login?.identity ?? ANONYMOUS,
  }
  if (!door.policy.mayPublish(segments, peer))
    throw new ForbiddenError(
      'your address is not among clients.payloaders, or the topic is one of clients.secure_topics',
    )
  const { origin, host, 'sec-fetch-site': secFetchSite } = raw.headers
  if (
    !door.webPages.mayPublish({
      origin,
      secFetchSite,
      host,
      isTls: isTls(raw),
    })
  )
    throw new ForbiddenError('a web page asks whose origin is not listed in server.cors.origins')

  const body = await readBody(raw, limits.payloadBytesMax, () => sendContinue(reply.raw))
  if (body === null) return null
  const payload = { type: 'json-object', text: readJsonObject(body, limits.jsonDepthMax) } as const
  return { topics, isPrivate, path, payload }
}
