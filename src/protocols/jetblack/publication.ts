import type { PublishedEvent } from '../../hub/event.ts'
import { openedBy, sealed, type Envelope } from '../../publication/envelope.ts'
import { bytesOf, payloadOf } from '../../publication/payload.ts'
import type { Payload, Publication } from '../../publication/publication.ts'
import { publishedTopics } from '../../publication/published-topics.ts'
import type { ClientId, Data, Packet, Sender, ServerMessage } from './messages.ts'
import { bytesOfSealed, sealedIn, type Sealed, type SealedPacket } from './sealed.ts'

export const DOOR = 'jetblack'

/** Feed and topic, as they were published: both are of any text, and no other pair is the same. */
export interface Pair {
  readonly feed: string
  readonly topic: string
}

/** An event as jetblack's clients see it. `publisher`: the connection that has published it; `null`: it came by another door. */
export interface JetblackEvent extends Data, Sender {
  readonly publisher: ClientId | null
}

/** The path under which a pair is published, and seen at every other door. */
export function pathOf({ feed, topic }: Pair): string {
  return topic === '' ? `/${feed}` : `/${feed}/${topic}`
}

export interface Published extends Data, Sender {
  readonly publisher: ClientId
}

export interface PublicationLimits {
  readonly topicsMax: number
  readonly jsonDepthMax: number
}

/**
 * What HTTP and the other doors see: a packet is the object that its bytes are, or `{"data": …}`; several are `{"packets": […]}`; none is
 * `{"data": null}`. All that this does not say is in the envelope.
 * `isAuthorised`: its feed has authorisers, and elsewhere nobody asks them, so it is private there.
 * In steps, as packets may be 65,535.
 * @throws {LimitExceededError | EnvelopeTooLargeError}
 */
export function* publicationSteps(
  published: Published,
  { topicsMax, jsonDepthMax }: PublicationLimits,
  isAuthorised = false,
): Generator<void, SealedPublication, void> {
  const path = pathOf(published)
  const { topics, isPrivate } = publishedTopics(path, topicsMax)
  const texts: Payload[] = []
  for (const { data } of published.packets ?? []) {
    texts.push(payloadOf(data ?? NOTHING, jsonDepthMax))
    if (texts.length % STEP_PACKETS === 0) yield
  }
  const bytes = bytesOfSealed(sealedOf(published, texts))
  const envelope = sealed({ door: DOOR, bytes })
  return {
    topics,
    isPrivate: isPrivate || isAuthorised,
    path,
    payload: payloadOfAll(texts),
    envelope,
  }
}

/** One of this door. */
export type SealedPublication = Publication & { readonly envelope: Envelope }

/** The same in one go. */
export function publicationOf(...of: Parameters<typeof publicationSteps>): SealedPublication {
  const steps = publicationSteps(...of)
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/**
 * What was published, to the byte; of an event of another door one packet with its payload, and the entitlements that its feed has for
 * such packets.
 */
export function eventOf(
  event: PublishedEvent,
  entitlementsOf: (feed: string) => readonly number[] | null = () => null,
): JetblackEvent {
  const bytes = openedBy(DOOR, event)
  if (bytes !== null) return opened(sealedIn(bytes), event)
  const [, feed = '', ...rest] = event.path.split('/')
  return {
    ...OF_OTHER_DOORS,
    feed,
    topic: rest.join('/'),
    packets: [{ entitlements: entitlementsOf(feed), data: bytesOf(event.payload) }],
  }
}

export function isOfJetblack(event: PublishedEvent): boolean {
  return openedBy(DOOR, event) !== null
}

/** Never both empty: that would be a stale notice. */
const OF_OTHER_DOORS = {
  publisher: null,
  user: 'nobody',
  host: 'localhost',
  mark: 'application/json',
} as const

/** What is known of the pair may not be true any more: nobody publishes it. A refusal is the same. */
export function staleNotice({ feed, topic }: Pair): ServerMessage {
  return { type: 'multicast', user: '', host: '', feed, topic, mark: true, packets: null }
}

function sealedOf(
  { publisher, user, host, feed, mark, packets }: Published,
  texts: readonly Payload[],
): Sealed {
  const sealedPackets = packets?.map(({ entitlements, data }, n): SealedPacket => {
    const { type, text } = texts[n]!
    return { entitlements, type: data === null ? 'empty' : type, length: text.length }
  })
  return { publisher, user, host, feedLength: feed.length, mark, packets: sealedPackets ?? null }
}

function opened({ feedLength, packets, ...rest }: Sealed, event: PublishedEvent): JetblackEvent {
  const { path, payload } = event
  let at = packets?.length === 1 ? 0 : BEFORE_PACKETS.length
  const openedPackets = packets?.map(({ entitlements, type, length }): Packet => {
    const text = payload.text.slice(at, at + length)
    at += length + BETWEEN_PACKETS.length
    return { entitlements, data: type === 'empty' ? null : bytesOf({ type, text }) }
  })
  return {
    ...rest,
    feed: path.slice(1, 1 + feedLength),
    topic: path.slice(2 + feedLength),
    packets: openedPackets ?? null,
  }
}

function payloadOfAll(texts: readonly Payload[]): Payload {
  if (texts.length === 1) return texts[0]!
  const text =
    texts.length === 0
      ? '{"data": null}'
      : `${BEFORE_PACKETS}${texts.map((each) => each.text).join(BETWEEN_PACKETS)}]}`
  return { type: 'json-object', text }
}

/** Some 100 µs. */
const STEP_PACKETS = 64

const BEFORE_PACKETS = '{"packets": ['
const BETWEEN_PACKETS = ', '
const NOTHING = new Uint8Array()
