import type { EventPredicate } from '../hub/predicate.ts'

/** Leaves out events that have any of these topics; distinct and sorted, so that equal lists have equal keys. */
export function without(topics: readonly string[]): EventPredicate {
  const unwanted = new Set(topics)
  return {
    key: `without ${JSON.stringify(topics)}`,
    matches: (event) => !event.topics.some((topic) => unwanted.has(topic)),
  }
}
