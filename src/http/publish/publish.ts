import type { FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingMessage } from 'node:http'
import { ANONYMOUS } from '../../auth/identity.ts'
import { refusalText, type Refusal } from '../../auth/policy.ts'
import { TOPIC_BYTES, type Once, type Receipt } from '../../hub/event-log.ts'
import { beginWork } from '../../ops/current-work.ts'
import { LimitExceededError } from '../../publication/errors.ts'
import type { Publication } from '../../publication/publication.ts'
import { connectionOf, type Connection } from '../../sockets/connection.ts'
import { publishedTopics } from '../../publication/published-topics.ts'
import { answer } from '../server/answer.ts'
import type { HttpDoor } from '../server/door.ts'
import { HttpError } from '../server/errors.ts'
import { asksForJson, RECEIVED } from '../server/refusals.ts'
import { sendContinue } from '../server/expectation.ts'
import { identify } from '../server/identify.ts'
import { isTls, peerAddress } from '../server/peer.ts'
import { decodePath, isReserved } from '../server/topic-path.ts'
import { readBody } from './body.ts'
import { onceOf } from './idempotency-key.ts'
import { isBatch, payloadFormOf } from './payload-form.ts'

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
  const connection = connectionOf(socket)
  const previous = connection.publications
  const turn =
    previous === null && !mayBeOvertaken(request.raw) ? null : takeTurn(connection, previous)
  let published
  try {
    const accepted = await acceptedPublications(door, request, reply)
    if (previous !== null) await previous
    if (accepted === null) return // cut off: there is nobody to answer
    published = door.hub.store(accepted.publications, accepted.once)
  } finally {
    turn?.[Symbol.dispose]()
  }
  const receipt = await published
  const cursor = ['X-Pubsub-Cursor', receipt.last]
  const json = asksForJson(request.headers.accept) ? toJson(receipt) : null
  if (json === null) answer(reply.raw, door.counters, 202, RECEIVED, cursor)
  else answer(reply.raw, door.counters, 202, json, cursor, 'application/json')
}

/** Events of a batch stand together in the log, so its two ends tell where all of them are. */
function toJson({ first, last, count, publishedAtMs }: Receipt): string {
  const told = { cursor: last, first_cursor: first, count, timestamp: publishedAtMs / 1_000 }
  return `${JSON.stringify(told)}\n`
}

/**
 * Only unpacking, reading a batch, and asking who it is from take longer for one than for another: the rest comes in the
 * order of its bytes.
 */
function mayBeOvertaken({ headers }: IncomingMessage): boolean {
  return (
    headers['content-encoding'] !== undefined ||
    headers.authorization !== undefined ||
    isBatch(headers)
  )
}

/**
 * Those behind wait until it is disposed of, and then no longer than they must. Most connections never have a publication that may be
 * overtaken, and theirs pay for no promise.
 */
function takeTurn(connection: Connection, previous: Promise<unknown> | null): Disposable {
  const { promise, resolve } = Promise.withResolvers<void>()
  const all = Promise.all([previous, promise])
  connection.publications = all
  return {
    [Symbol.dispose]() {
      resolve()
      void forget(connection, all)
    },
  }
}

/** Once the last one and those before it have gone, what comes has nobody to wait for. */
async function forget(connection: Connection, all: Promise<unknown>): Promise<void> {
  await all
  if (connection.publications === all) connection.publications = null
}

/**
 * The order of the checks is part of the protocol: who may not publish is not told whether the payload is right, and its
 * body is not read.
 */
async function acceptedPublications(
  door: HttpDoor,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Accepted | null> {
  const { limits, rejectBadCredentials } = door.options
  const { raw } = request
  const path = decodePath(request.originalUrl)
  if (isReserved(path)) throw refused({ type: 'reserved-path' })
  const { topics, segments, isPrivate } = publishedTopics(path, limits.topicsMax)
  // A directory may have to be asked, so nobody is, unless the answer can change the outcome.
  const key = raw.headers['idempotency-key']
  const asksWho =
    rejectBadCredentials || key !== undefined || door.policy.dependsOnIdentity(segments)
  const login =
    asksWho && raw.headers.authorization !== undefined ? await identify(door, request, reply) : null
  const peer = {
    address: peerAddress(raw, door.options.trustedProxies),
    identity: login?.identity ?? ANONYMOUS,
  }
  const verdict = door.policy.mayPublishPath(segments, peer)
  if (!verdict.allowed) throw refused(verdict.reason)
  const { origin, host, 'sec-fetch-site': secFetchSite } = raw.headers
  if (
    !door.webPages.mayPublish({
      origin,
      secFetchSite,
      host,
      isTls: isTls(raw),
    })
  )
    throw refused({ type: 'foreign-page' })

  const form = payloadFormOf(raw)
  const body = await readBody(raw, form.limit(limits), () => sendContinue(reply.raw))
  if (body === null) return null
  beginWork('publication to', path)
  const read = form.read(body, limits)
  const texts = read instanceof Promise ? await read : read // no turn more for a single one
  refuseTooLarge(texts.length, { path, topics }, limits.batchBytesMax)
  const publications = texts.map((text) => {
    const payload = { type: 'json-object', text } as const
    return { topics, isPrivate, path, payload }
  })
  if (key === undefined) return { publications, once: undefined }
  return { publications, once: onceOf(String(key), peer, publications) }
}

/**
 * Each event of a batch has the path and its topics anew, in the index, too: a body of 30 KB could so bring 40 million entries, which
 * kept all other publishers waiting for minutes.
 */
function refuseTooLarge(
  count: number,
  { path, topics }: Pick<Publication, 'path' | 'topics'>,
  bytesMax: number,
): void {
  const bytesOfEach = path.length + TOPIC_BYTES * topics.length
  if (count > 1 && count * bytesOfEach > bytesMax)
    throw new LimitExceededError(
      `${count} events with this path take ${count * bytesOfEach} bytes for their topics alone (${TOPIC_BYTES} for each, and the path), ` +
        `more than the ${bytesMax} of a batch (limits.batch_bytes): send ${Math.max(1, Math.floor(bytesMax / bytesOfEach))} at a time`,
    )
}

function refused(reason: Refusal): HttpError {
  const code = reason.type === 'reserved-path' ? 'RESERVED_PATH' : 'FORBIDDEN'
  return new HttpError(code, refusalText(reason))
}

interface Accepted {
  readonly publications: readonly Publication[]
  readonly once: Once | undefined
}
