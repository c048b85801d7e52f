import type { PublishedEvent } from '../hub/event.ts'
import { isOwnMember, membersOf, payloadText, withoutMembers } from '../hub/json-text.ts'
import {
  BrokenLineError,
  checkJsonObject,
  checkPath,
  isPrivatePath,
  readTime,
  readTopics,
  type PastEvent,
} from './past-event.ts'

/**
 * An event as `pubsubd log export` writes it: as on the stream, but in the very words of its payload. What the path does
 * not say of its being private, the last member does.
 */
export function exportedLine(event: PublishedEvent): string {
  const { payload, topics, path, cursor, publishedAtMs, isPrivate } = event
  const members = payload.text.slice(0, -1) // the closing brace comes behind ours
  const comma = EMPTY_OBJECT.test(payload.text) ? '' : ', '
  const marker = isPrivate || isPrivatePath(path) ? `, "${PRIVATE_MARKER}": ${isPrivate}` : ''
  return (
    `${members}${comma}"pubsub_timestamp": ${publishedAtMs / 1000}, ` +
    `"pubsub_topics": [${topics.map((topic) => JSON.stringify(topic)).join(', ')}], ` +
    `"pubsub_path": ${JSON.stringify(path)}, "pubsub_cursor": "${cursor}"${marker}}\n`
  )
}

/**
 * An exported line, or one of a stream. Its cursor belongs to another log and is dropped.
 * @throws {BrokenLineError}
 */
export function parseExportedLine(line: string): PastEvent {
  checkJsonObject(line)
  const members = membersOf(line)
  const value = (name: string) => {
    const member = members.findLast((each) => each.name === name)
    if (member === undefined) throw new BrokenLineError(`no event: it has no ${name}`)
    return member.value
  }
  const topics = readTopics(value('pubsub_topics'))
  if (topics.includes('')) throw new BrokenLineError('one of its topics is empty')
  const path: unknown = JSON.parse(value('pubsub_path'))
  if (typeof path !== 'string') throw new BrokenLineError('its pubsub_path is not a text')

  // A payload may have a member of this name too; ours stands behind another one of ours.
  const ownFrom = members.findIndex(({ name }) => isOwnMember(name))
  const markerAt = members.findLastIndex(({ name }) => name === PRIVATE_MARKER)
  const hasMarker = markerAt > ownFrom
  const text = hasMarker ? withoutMembers(line, (_name, index) => index === markerAt) : line
  return {
    topics,
    path: checkPath(path),
    // In doubt private: a stream's line has no marker.
    isPrivate: hasMarker ? members[markerAt]!.value !== 'false' : isPrivatePath(path),
    payload: { type: 'json-object', text: payloadText(text) },
    publishedAtMs: readTime(value('pubsub_timestamp')),
  }
}

const PRIVATE_MARKER = 'pubsub_private'

const EMPTY_OBJECT = /^\{\s*\}$/
