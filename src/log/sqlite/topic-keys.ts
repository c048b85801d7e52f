import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { TopicFilter } from '../../hub/topics.ts'

/** Under which key the topic index holds a topic. Two topics may share one: what is found there is compared in full. */
function topicKey(topic: string): number {
  return crc32(topic)
}

/** Holds private events; no topic has a negative key. */
export const PRIVATE_KEY = -1

/**
 * Under which key the topic index holds the last event of a path: below all others, and by a hash for which nobody finds a second path
 * by chance. Who makes one by much work makes looking for its own paths slower.
 */
export function pathKey(path: string): number {
  return PATH_KEYS_END - hash('sha256', path, 'buffer').readUIntBE(0, 6)
}

/** Keys of paths are not above this: as SQLite writes numbers, they take 6 or 8 bytes. */
export const PATH_KEYS_END = -2

export function keysOfEvent(topics: readonly string[], isPrivate: boolean): Set<number> {
  const keys = new Set(topics.map(topicKey))
  if (isPrivate) keys.add(PRIVATE_KEY)
  return keys
}

/** An event that the filter matches is under each of these; none: every event. */
export function keysOfFilter({ topics, privateOnly }: TopicFilter): Set<number> {
  return keysOfEvent(topics, privateOnly)
}
