import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Login } from '../../auth/identity.ts'
import type { BoundsRequest } from '../../hub/bounds.ts'
import type { SubscribeRequest } from '../../hub/hub.ts'
import type { EventPredicate } from '../../hub/predicate.ts'
import { PUBLIC_ONLY } from '../../hub/rights.ts'
import { without } from '../../where/without.ts'
import type { HttpDoor } from '../server/door.ts'
import { NotFoundError, TooManyStreamsError } from '../server/errors.ts'
import { identify } from '../server/identify.ts'
import { peerAddress } from '../server/peer.ts'
import { decodePath, isReserved, topicFilters } from '../server/topic-path.ts'
import { startOf, type Start } from './resume.ts'
import { streamQuery, type StreamQuery } from './stream-query.ts'

/** What a request for a stream asks for, in whatever form. */
export interface Wishes {
  readonly subscribe: Pick<SubscribeRequest, 'wants' | 'conditions' | 'rights' | 'from' | 'bounds'>
  readonly gap: Start['gap']
  readonly query: StreamQuery
  readonly login: Login | null
  /** Whose stream it is. */
  readonly address: string
}

/**
 * `isOurs`: the client knows of gaps, so that by default it gets what is left behind one. `mayLogIn`: false for pages that
 * see what is public, whatever they send.
 * @throws {PubSubError} why there is no stream.
 */
export async function wishesOf(
  door: HttpDoor,
  request: FastifyRequest,
  reply: FastifyReply,
  { isOurs, mayLogIn }: { readonly isOurs: boolean; readonly mayLogIn: boolean },
): Promise<Wishes> {
  const { limits, trustedProxies } = door.options
  const { raw: incoming, originalUrl } = request
  const path = decodePath(originalUrl)
  if (isReserved(path)) throw new NotFoundError('there is no such page here')
  const wants = topicFilters(path, limits)
  const query = streamQuery(originalUrl, incoming.headers, limits, (ms) => door.hub.timeAgo(ms))
  const conditions = conditionsOf(query, door)
  const isNamed = mayLogIn && incoming.headers.authorization !== undefined
  const login = isNamed ? await identify(door, request, reply) : null
  const { from, gap } = await startOf(
    { ...query, onGap: query.onGap ?? (isOurs ? 'oldest' : null) },
    door.hub,
  )
  // A request that came behind another one gets its socket when that one is answered.
  if (reply.raw.socket === null) await new Promise((resolve) => reply.raw.once('socket', resolve))
  const address = peerAddress(incoming, trustedProxies) ?? 'unknown'
  if (door.traffic.streamsOf(address) >= (limits.streamsPerAddressMax || Infinity))
    throw new TooManyStreamsError(limits.streamsPerAddressMax)
  const rights = login?.identity.rights ?? PUBLIC_ONLY
  const bounds = boundsOf(query)
  return {
    subscribe: { wants, conditions, rights, from, ...(bounds === null ? {} : { bounds }) },
    gap,
    query,
    login,
    address,
  }
}

function conditionsOf(query: StreamQuery, { where }: HttpDoor): readonly EventPredicate[] {
  const conditions = query.without.length === 0 ? [] : [without(query.without)]
  if (query.where !== null) conditions.push(where.parse(query.where))
  return conditions
}

function boundsOf({ count, untilMs }: StreamQuery): BoundsRequest | null {
  if (count === null && untilMs === null) return null
  return { eventsMax: count ?? Infinity, untilMs: untilMs ?? Infinity }
}
