import { LimitExceededError } from './errors.ts'

/** What a publication's path says. */
export interface PublishedTopics {
  /** Every segment, `private` too: what secure topics are looked up in. */
  readonly segments: readonly string[]
  /** In published order, duplicates kept, without the leading `private`. */
  readonly topics: readonly string[]
  readonly isPrivate: boolean
}

/**
 * Topics of a publication to a decoded path. A comma is an ordinary character.
 * @throws {LimitExceededError}
 */
export function publishedTopics(path: string, topicsMax: number): PublishedTopics {
  const segments = segmentsOf(path)
  const isPrivate = segments[0] === PRIVATE
  const topics = isPrivate ? segments.slice(1) : segments
  refuseTooManyTopics(topics.length, topicsMax)
  return { segments, topics, isPrivate }
}

/** As the first segment of a path it makes an event private, or a subscription one to private events. */
export const PRIVATE = 'private'

export function segmentsOf(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '')
}

/** @throws {LimitExceededError} */
export function refuseTooManyTopics(count: number, topicsMax: number): void {
  if (count > topicsMax)
    throw new LimitExceededError(
      `the path has ${count} topics, the limit is ${topicsMax} (limits.topics)`,
    )
}
