import type { Cursor, Position, PublishedEvent } from '../../hub/event.ts'
import { contentsOf, sealed, tagsOf } from '../../publication/envelope.ts'
import { payloadFromStored } from '../../publication/payload.ts'
import type { Publication } from '../../publication/publication.ts'
import { publishedEvent } from '../published-event.ts'
import type { BesidePayload, EventRecord } from './record.ts'

/** `undefined`: it has neither envelope nor tags. */
export function besidePayloadOf({ envelope, tags }: Publication): BesidePayload | undefined {
  if (envelope === undefined && tags === undefined) return undefined
  const contents = envelope && contentsOf(envelope)
  return {
    door: contents?.door ?? null,
    envelope: contents?.bytes ?? null,
    tags: tags === undefined ? null : JSON.stringify(tags),
  }
}

/** An event as it was published, from its row. */
export function eventFrom(record: EventRecord, position: Position, cursor: Cursor): PublishedEvent {
  const { publishedAtMs, isPrivate, path, topics, payload, beside } = record
  const plain = {
    topics: JSON.parse(topics) as string[],
    isPrivate,
    path,
    payload: payloadFromStored(payload),
  }
  if (beside === undefined) return publishedEvent(plain, position, cursor, publishedAtMs)
  const { door, envelope, tags } = beside
  const publication = {
    ...plain,
    ...(door !== null && envelope !== null && { envelope: sealed({ door, bytes: envelope }) }),
    ...(tags !== null && { tags: tagsOf(JSON.parse(tags) as Record<string, string>) }),
  }
  return publishedEvent(publication, position, cursor, publishedAtMs)
}
