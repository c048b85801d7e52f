import type { FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import type { Login } from '../../auth/identity.ts'
import { shareOf } from '../../auth/share-of.ts'
import type { BoundsRequest } from '../../hub/bounds.ts'
import type { SubscribeRequest } from '../../hub/hub.ts'
import type { EventPredicate } from '../../hub/predicate.ts'
import { canonicalFilters, type CanonicalFilters } from '../../hub/topics.ts'
import { PUBLIC_ONLY, type Rights } from '../../hub/rights.ts'
import { without } from '../../where/without.ts'
import type { HttpDoor } from '../server/door.ts'
import { noSuchPage } from '../server/errors.ts'
import { identify } from '../server/identify.ts'
import { peerAddress } from '../server/peer.ts'
import { ThreadSlice } from '../server/thread-slice.ts'
import {
  decodePath,
  isReserved,
  topicFilters,
  type TopicFilterLimits,
} from '../server/topic-path.ts'
import { asksForPast, AT_HEAD, startOf, type Start } from './resume.ts'
import type { StreamEncoding } from './stream-encoding.ts'
import { streamQuery, type StreamQuery } from './stream-query.ts'

/** What a request for a stream asks for. */
export interface StreamRequest {
  readonly encoding: StreamEncoding
  readonly subscribe: Pick<
    SubscribeRequest,
    'conditions' | 'rights' | 'from' | 'bounds' | 'share'
  > & {
    readonly wants: CanonicalFilters
  }
  readonly gap: Start['gap']
  readonly query: StreamQuery
  readonly login: Login | null
}

/**
 * `encodingFor`: the form, which depends on whether the client knows of what we add to PyPubSub's. `mayLogIn`: false for pages
 * that see what is public, whatever they send.
 * @throws {PubSubError} why there is no stream.
 */
export async function streamRequestOf(
  door: HttpDoor,
  request: FastifyRequest,
  reply: FastifyReply,
  {
    encodingFor,
    mayLogIn,
  }: {
    readonly encodingFor: (knowsAdditions: boolean) => StreamEncoding
    readonly mayLogIn: boolean
  },
): Promise<StreamRequest> {
  const { limits, trustedProxies } = door.options
  const { raw: incoming, originalUrl } = request
  const path = decodePath(originalUrl)
  if (isReserved(path)) throw noSuchPage()
  // Reading thousands of topics takes some ms, sorting them and making a subscription of them as long again each: of all
  // requests together one step in a turn, however many connections they come by.
  const slice = path.length > LONG_PATH_CHARACTERS ? new ThreadSlice() : null
  let wants
  if (slice === null) wants = wantsOf(path, limits)
  else {
    await slice.next()
    const filters = topicFilters(path, limits)
    await slice.next()
    wants = canonicalFilters(filters)
  }
  const query = streamQuery(originalUrl, incoming.headers, limits, (ms) => door.hub.timeAgo(ms))
  const encoding = encodingFor(knowsAdditions(query, incoming.headers))
  const conditions = conditionsOf(query, door)
  const isNamed = mayLogIn && incoming.headers.authorization !== undefined
  const login = isNamed ? await identify(door, request, reply) : null
  const { from, gap } = asksForPast(query)
    ? await startOf(
        // Whoever knows of gaps gets by default what is left behind one.
        { ...query, onGap: query.onGap ?? (encoding.hasControlLines ? 'oldest' : null) },
        door.hub,
        rightsOf(login),
      )
    : AT_HEAD
  // A request that came behind another one gets its socket when that one is answered.
  if (reply.raw.socket === null) await new Promise((resolve) => reply.raw.once('socket', resolve))
  const address = peerAddress(incoming, trustedProxies)
  if (slice !== null) await slice.next()
  const share = shareOf(login?.identity.name ?? null, address)
  const subscribe = { wants, conditions, rights: rightsOf(login), from, share }
  const bounds = boundsOf(query)
  const bounded = bounds === null ? subscribe : { ...subscribe, bounds }
  return { encoding, subscribe: bounded, gap, query, login }
}

let lastPath = ''
let lastLimits: TopicFilterLimits | null = null
let lastWants: CanonicalFilters | null = null

/** Many come at a time who ask for the same, as after a restart: it is read once for them. */
function wantsOf(path: string, limits: TopicFilterLimits): CanonicalFilters {
  if (lastWants !== null && path === lastPath && limits === lastLimits) return lastWants
  lastWants = canonicalFilters(topicFilters(path, limits))
  lastPath = path
  lastLimits = limits
  return lastWants
}

/** They may change while something is waited for. */
function rightsOf(login: Login | null): Rights {
  return login === null ? PUBLIC_ONLY : login.identity.rights
}

/** Shorter ones take less than a millisecond. */
const LONG_PATH_CHARACTERS = 4_096

/** By what PyPubSub does not have: whoever sends its own headers only may be a client of it. */
function knowsAdditions({ parameters }: StreamQuery, headers: IncomingHttpHeaders): boolean {
  return parameters.length > 0 || Boolean(headers['last-event-id'])
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
