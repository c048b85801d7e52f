import type { PublishedEvent } from './event.ts'

/** A condition beside the topics: an event that does not match it is not due. */
export interface EventPredicate {
  /** Equal for equal wishes: it is evaluated once per distinct key and event, and equal ones may share an audience. */
  readonly key: string
  /** Must not throw. Asked only about events that the subscriber may see. */
  matches(event: PublishedEvent): boolean
}
