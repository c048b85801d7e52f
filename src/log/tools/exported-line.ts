import type { PublishedEvent } from '../../hub/event.ts'
import { contentsOf, sealed, tagsOf, type Envelope, type Tags } from '../../publication/envelope.ts'
import type { Payload } from '../../publication/publication.ts'
import { isOwnMember, membersOf, payloadText, withoutMembers } from '../../publication/json-text.ts'
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
 * not say of its being private, that the payload is bytes shown as an object, and what a door sealed, the last members do.
 */
export function exportedLine(event: PublishedEvent): string {
  const { payload, topics, path, cursor, publishedAtMs, isPrivate } = event
  const members = payload.text.slice(0, -1) // the closing brace comes behind ours
  const comma = EMPTY_OBJECT.test(payload.text) ? '' : ', '
  const privateMarker =
    isPrivate || isPrivatePath(path) ? `, "${PRIVATE_MARKER}": ${isPrivate}` : ''
  const dataMarker = payload.type === 'data' ? `, "${DATA_MARKER}": true` : ''
  return (
    `${members}${comma}"pubsub_timestamp": ${publishedAtMs / 1000}, ` +
    `"pubsub_topics": [${topics.map((topic) => JSON.stringify(topic)).join(', ')}], ` +
    `"pubsub_path": ${JSON.stringify(path)}, "pubsub_cursor": "${cursor}"` +
    `${privateMarker}${dataMarker}${besidePayload(event)}}\n`
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

  // A payload may have members of these names too; ours stand behind another one of ours.
  const ownFrom = members.findIndex(({ name }) => isOwnMember(name))
  const markerAt = (marker: string) => {
    const at = members.findLastIndex(({ name }) => name === marker)
    return at > ownFrom ? at : -1
  }
  const [privateAt, dataAt] = [markerAt(PRIVATE_MARKER), markerAt(DATA_MARKER)]
  const [envelopeAt, tagsAt] = [markerAt(ENVELOPE), markerAt(TAGS)]
  const markers = new Set([privateAt, dataAt, envelopeAt, tagsAt])
  const text = withoutMembers(line, (_name, index) => markers.has(index))
  const isData = dataAt !== -1 && members[dataAt]!.value === 'true'
  const isEmpty = members.every(({ name }, index) => isOwnMember(name) || markers.has(index))
  const payload = isEmpty ? emptyObjectOf(line) : payloadText(text)
  return {
    topics,
    path: checkPath(path),
    // In doubt private: a stream's line has no marker.
    isPrivate: privateAt === -1 ? isPrivatePath(path) : members[privateAt]!.value !== 'false',
    payload: isData ? dataPayload(payload) : { type: 'json-object', text: payload },
    publishedAtMs: readTime(value('pubsub_timestamp')),
    ...(envelopeAt !== -1 && { envelope: readEnvelope(members[envelopeAt]!.value) }),
    ...(tagsAt !== -1 && { tags: readTags(members[tagsAt]!.value) }),
  }
}

/** What pubsubd 69b132e and those before it would take for a part of the payload (docs/operating.md, "Updating"). */
function besidePayload({ envelope, tags }: PublishedEvent): string {
  let members = ''
  if (envelope !== undefined) {
    const { door, bytes } = contentsOf(envelope)
    const base64 = Buffer.from(bytes).toString('base64')
    members += `, "${ENVELOPE}": ${JSON.stringify({ door, base64 })}`
  }
  if (tags !== undefined) members += `, "${TAGS}": ${JSON.stringify(tags)}`
  return members
}

/** @throws {BrokenLineError} */
function readEnvelope(json: string): Envelope {
  const { door, base64 } = (JSON.parse(json) ?? {}) as { door?: unknown; base64?: unknown }
  if (typeof door !== 'string' || typeof base64 !== 'string')
    throw new BrokenLineError(`its ${ENVELOPE} is none`)
  return withinLimits(() => sealed({ door, bytes: Buffer.from(base64, 'base64') }))
}

/** @throws {BrokenLineError} */
function readTags(json: string): Tags {
  const tags: unknown = JSON.parse(json)
  const areTags =
    typeof tags === 'object' &&
    tags !== null &&
    !Array.isArray(tags) &&
    Object.values(tags).every((each) => typeof each === 'string')
  if (!areTags) throw new BrokenLineError(`its ${TAGS} are none`)
  return withinLimits(() => tagsOf(tags as Record<string, string>))
}

/** @throws {BrokenLineError} */
function withinLimits<T>(make: () => T): T {
  try {
    return make()
  } catch (error) {
    throw new BrokenLineError((error as Error).message)
  }
}

/** An empty payload's white space stands before the first member of ours, as `exportedLine` puts it. */
function emptyObjectOf(line: string): string {
  return `${line.slice(0, line.indexOf('"'))}}`
}

/** @throws {BrokenLineError} the object does not hold bytes. */
function dataPayload(text: string): Payload {
  const [member, ...others] = membersOf(text)
  const isText = member !== undefined && typeof JSON.parse(member.value) === 'string'
  if (!isText || others.length > 0 || !/^data(?:_base64)?$/.test(member.name))
    throw new BrokenLineError('its payload is no data')
  return { type: 'data', text }
}

const PRIVATE_MARKER = 'pubsub_private'
const DATA_MARKER = 'pubsub_data'
const ENVELOPE = 'pubsub_envelope'
const TAGS = 'pubsub_tags'

const EMPTY_OBJECT = /^\{\s*\}$/
