import { crc32 } from 'node:zlib'
import type { TopicFilter } from '../../hub/topics.ts'

/** Under which key the topic index holds a topic. Two topics may share one: what is found there is compared in full. */
function topicKey(topic: string): number {
  return crc32(topic)
}

/** Holds private events; no topic has a negative key. */
const PRIVATE_KEY = -1

export function keysOfEvent(topics: readonly string[], isPrivate: boolean): Set<number> {
  const keys = new Set(topics.map(topicKey))
  if (isPrivate) keys.add(PRIVATE_KEY)
  return keys
}

/** An event that the filter matches is under each of these; none: every event. */
export function keysOfFilter({ topics, privateOnly }: TopicFilter): Set<number> {
  return keysOfEvent(topics, privateOnly)
}
