import type { Publication } from './event.ts'

/** Topics that must all be on the event. No topics: every event. */
export interface TopicFilter {
  /** Distinct. */
  readonly topics: readonly string[]
  /** Private events only (a subscription that begins with `private`). */
  readonly privateOnly: boolean
}

export function filterMatches(filter: TopicFilter, event: Publication): boolean {
  if (filter.privateOnly && !event.isPrivate) return false
  return filter.topics.every((topic) => event.topics.includes(topic))
}
