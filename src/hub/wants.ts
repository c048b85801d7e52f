import type { PublishedEvent } from './event.ts'
import type { EventPredicate } from './predicate.ts'
import { canonicalFilters, type CanonicalFilters, type TopicFilter } from './topics.ts'
import { shortKey } from './short-key.ts'

/** Events whose path is exactly this one. */
export interface PathFilter {
  readonly path: string
}

/**
 * One want of a subscriber: topics that must all be on the event, its whole path, or what a predicate says (a glob, a
 * pattern). However many subscribers have it, it is matched once for each event.
 */
export type Want = TopicFilter | PathFilter | EventPredicate

/** What a subscriber wants: an event that any of these matches. */
export type Wants = readonly Want[] | CanonicalFilters

/** What is to be wanted, too, and what is not wanted any more. */
export interface WantsChange {
  readonly add?: readonly Want[]
  readonly drop?: readonly Want[]
}

export function isTopicFilter(want: Want): want is TopicFilter {
  return 'topics' in want
}

export function isPathFilter(want: Want): want is PathFilter {
  return 'path' in want
}

export function isPredicate(want: Want): want is EventPredicate {
  return 'matches' in want
}

/** Nothing that is public to all is wanted. */
export function isPrivateOnly(wants: Wants): boolean {
  const each = 'key' in wants ? wants.filters : wants
  return each.every((want) => isTopicFilter(want) && want.privateOnly)
}

/** Equal for equal wants. */
export function keyOfWant(want: Want): string {
  if (isTopicFilter(want)) return `topics ${canonicalFilters([want]).key}`
  return isPathFilter(want) ? keyOfPath(want.path) : `predicate ${want.key}`
}

export function keyOfPath(path: string): string {
  return `path ${path}`
}

/** Topic filters, and the topics of all of them together. */
export interface FilterCount {
  readonly filters: number
  readonly topics: number
}

export function countFilters(wants: Iterable<Want>): FilterCount {
  let [filters, topics] = [0, 0]
  for (const want of wants) {
    if (!isTopicFilter(want)) continue
    filters++
    topics += want.topics.length
  }
  return { filters, topics }
}

/** `sign`: -1 takes the second one away. */
export function sumOf(one: FilterCount, other: FilterCount, sign: 1 | -1 = 1): FilterCount {
  return {
    filters: one.filters + sign * other.filters,
    topics: one.topics + sign * other.topics,
  }
}

/** What they may take of the index, where topics cost as filters do. */
export function weightOf({ filters, topics }: FilterCount): number {
  return Math.max(filters, topics)
}

/**
 * What a change brings and takes of topic filters, for whoever has wants with these keys. One that is dropped and added is
 * neither.
 */
export function filtersOfChange(
  has: (key: string) => boolean,
  { add = [], drop = [] }: WantsChange,
): { readonly added: FilterCount; readonly dropped: FilterCount } {
  const added = byKey(add.filter(isTopicFilter))
  const dropped = byKey(drop.filter(isTopicFilter))
  for (const key of dropped.keys()) if (!has(key) || added.has(key)) dropped.delete(key)
  for (const key of added.keys()) if (has(key)) added.delete(key)
  return { added: countFilters(added.values()), dropped: countFilters(dropped.values()) }
}

function byKey<W extends Want>(wants: readonly W[]): Map<string, W> {
  return new Map(wants.map((want) => [keyOfWant(want), want]))
}

/** The same wants in one order, and a key that is equal for equal ones. */
export interface CanonicalWants {
  readonly wants: readonly Want[]
  readonly key: string
}

export function canonicalWants(wants: Wants): CanonicalWants {
  if ('key' in wants) return { wants: wants.filters, key: wants.key }
  if (wants.every(isTopicFilter)) {
    const { filters, key } = canonicalFilters(wants)
    return { wants: filters, key }
  }
  const different = byKey(wants)
  return {
    wants: [...different.values()],
    key: shortKey(JSON.stringify(['wants', ...[...different.keys()].toSorted()])),
  }
}

/** Whether an event is wanted by its topics or its path, of one subscriber's wants. To be made once and asked about many events. */
export type WantsMatcher = (event: PublishedEvent) => boolean
