import { membersOf, payloadText } from '../../publication/json-text.ts'
import { eventLines, type EventLine } from './event-lines.ts'
import {
  BrokenLineError,
  checkJsonObject,
  checkPath,
  readTime,
  readTopics,
  type PastEvent,
} from './past-event.ts'

/** The events of PyPubSub's storage file (pypubsub.md §7), in the words that stand there. */
export function readPypubsubBacklog(chunks: AsyncIterable<Buffer>): AsyncGenerator<EventLine> {
  return eventLines(chunks, parseLine)
}

/** @throws {BrokenLineError} */
function parseLine(line: string): PastEvent {
  checkJsonObject(line)
  const members = new Map(membersOf(line).map(({ name, value }) => [name, value]))
  const value = (name: string) => {
    const text = members.get(name)
    if (text === undefined) throw new BrokenLineError(`no event: it has no ${name}`)
    return text
  }
  const json = value('json')
  if (!json.startsWith('{')) throw new BrokenLineError('its json is not an object')
  const isPrivate: unknown = JSON.parse(value('private'))
  if (typeof isPrivate !== 'boolean')
    throw new BrokenLineError('its private is neither true nor false')

  // PyPubSub reads an event back by publishing it again to this path (pypubsub.py, read_backlog_storage).
  const rebuilt = `${isPrivate ? '/private/' : ''}${readTopics(value('topics')).join('/')}`
  const segments = rebuilt.split('/').filter((segment) => segment !== '')
  const saysPrivate = segments[0] === 'private'
  return {
    topics: saysPrivate ? segments.slice(1) : segments,
    isPrivate: saysPrivate,
    path: checkPath(pathIn(json) ?? rebuilt),
    payload: { type: 'json-object', text: payloadText(json) },
    publishedAtMs: readTime(value('timestamp')),
  }
}

function pathIn(json: string): string | null {
  const member = membersOf(json).findLast(({ name }) => name === 'pubsub_path')
  return member?.value.startsWith('"') ? String(JSON.parse(member.value)) : null
}
