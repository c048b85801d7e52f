import type { PublishedEvent } from '../hub/event.ts'
import { PUBLIC_ONLY, type Rights } from '../hub/rights.ts'

/**
 * Rights from ACL segments: a private event is visible when all topics of some segment are on it. A segment without topics
 * sees every private event; no segments see none.
 */
export function rightsOf(segments: Iterable<readonly string[]>): Rights {
  const needed = withoutCovered(segments)
  if (needed.length === 0) return PUBLIC_ONLY
  return {
    key: JSON.stringify(needed),
    seesNothing: false,
    maySee: ({ topics }: PublishedEvent) =>
      needed.some((segment) => segment.every((topic) => topics.includes(topic))),
  }
}

/** What is seen of private events that have some topics, and perhaps others. */
export type PrivateView =
  | { readonly sees: 'all'; readonly by: readonly string[] }
  /** Those that have these topics of a segment, too. */
  | {
      readonly sees: 'some'
      readonly by: readonly { readonly segment: string; readonly missing: readonly string[] }[]
    }
  /** There are no segments. */
  | { readonly sees: 'none' }

/** Why: the segments, by their names, that decide about what `rightsOf` lets see. */
export function privateViewOf(
  segments: Iterable<readonly [name: string, topics: readonly string[]]>,
  topics: readonly string[],
): PrivateView {
  const by = Array.from(segments, ([segment, needed]) => ({
    segment,
    missing: needed.filter((topic) => !topics.includes(topic)),
  }))
  const all = by.filter(({ missing }) => missing.length === 0)
  if (all.length > 0) return { sees: 'all', by: all.map(({ segment }) => segment) }
  return by.length === 0 ? { sees: 'none' } : { sees: 'some', by }
}

/** Sorted and without the segments that another one makes superfluous, so that equal rights look equal. */
function withoutCovered(segments: Iterable<readonly string[]>): readonly string[][] {
  const distinct = new Map<string, string[]>()
  for (const segment of segments) {
    const topics = [...new Set(segment)].toSorted()
    distinct.set(JSON.stringify(topics), topics)
  }
  const all = [...distinct.values()].toSorted((a, b) => a.length - b.length || compare(a, b))
  const needed: string[][] = []
  for (const segment of all) {
    const topics = new Set(segment)
    if (!needed.some((shorter) => shorter.every((topic) => topics.has(topic)))) needed.push(segment)
  }
  return needed
}

function compare(a: readonly string[], b: readonly string[]): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1
}
