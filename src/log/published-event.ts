import type { Cursor, Position, PublishedEvent } from '../hub/event.ts'
import type { Publication } from '../publication/publication.ts'

/** What a publication is once it has its place in the log. */
export function publishedEvent(
  publication: Publication,
  position: Position,
  cursor: Cursor,
  publishedAtMs: number,
): PublishedEvent {
  const { topics, isPrivate, path, payload, envelope, tags } = publication
  const event = { topics, isPrivate, path, payload, position, cursor, publishedAtMs }
  if (envelope === undefined && tags === undefined) return event
  return { ...event, ...(envelope && { envelope }), ...(tags && { tags }) }
}
