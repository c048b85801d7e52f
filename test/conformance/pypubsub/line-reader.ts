import { hash } from 'node:crypto'
import { readMembers } from './json-text.ts'
import type { ControlSeen, EventSeen } from './observation.ts'

const OWN_MEMBERS = ['pubsub_timestamp', 'pubsub_topics', 'pubsub_path', 'pubsub_cursor']
const EPOCH_SECONDS = /^\d{10}\.\d+$/
const VERSION_4_UUID = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/

/** A clock may be off by this between a line's writing and its reading, in seconds. */
const CLOCK_SKEW_S = 60

/** Longer ones enter a transcript as their hash. */
const EVENT_LENGTH_MAX = 1_000

/** Reads the chunks of all streams of one case: checks what differs from run to run, and leaves it out. */
export class LineReader {
  /** Whole lines by cursor, in the order in which they were first seen. */
  readonly #linesByCursor = new Map<string, { text: string; timestamp: string }>()

  fillIn(bytes: string): string {
    return bytes.replaceAll(/\{\{(cursor|CURSOR|timestamp) (\d+)\}\}/g, (_, what, number) => {
      const [cursor, line] = [...this.#linesByCursor][Number(number) - 1] ?? []
      if (cursor === undefined || !line)
        throw new Error(`the case has not seen event ${number} yet`)
      if (what === 'timestamp') return line.timestamp
      return what === 'cursor' ? cursor : cursor.toUpperCase()
    })
  }

  /** `chunk`: one HTTP chunk, which has to be one whole line. */
  read(chunk: string): EventSeen | ControlSeen {
    const text = chunk.replace(/\n\0?$/, '')
    const terminator = chunk.slice(text.length)
    const { members, repeated } = readMembers(text)
    const faults: string[] = []
    if (terminator === '') faults.push('no newline at its end')
    if (/[^\t\x20-\x7f]/.test(text)) faults.push('not ASCII in one line')
    if (!members.has('pubsub_topics')) {
      checkTime('stillalive', members, faults)
      return { control: [...members.keys()].join(' '), ...particulars(terminator, faults) }
    }

    checkTime('pubsub_timestamp', members, faults)
    const names = [...members.keys()]
    if (names.slice(-4).join() !== OWN_MEMBERS.join())
      faults.push(`members in order ${names.join()}`)
    if (repeated.some((name) => OWN_MEMBERS.includes(name)))
      faults.push(`repeated ${repeated.join()}`)
    const cursor = String(JSON.parse(members.get('pubsub_cursor') ?? '""'))
    if (!VERSION_4_UUID.test(cursor)) faults.push('pubsub_cursor is not a version 4 UUID')
    const before = this.#linesByCursor.get(cursor)
    if (before && before.text !== text) faults.push('differs from the line with this cursor before')
    this.#linesByCursor.set(cursor, { text, timestamp: members.get('pubsub_timestamp') ?? '' })

    const own = [...members].filter(([name]) => !OWN_MEMBERS.includes(name))
    const event = `{${own.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join()}}`
    return {
      event: event.length > EVENT_LENGTH_MAX ? hash('sha256', event) : event,
      topics: JSON.parse(members.get('pubsub_topics') ?? 'null'),
      path: JSON.parse(members.get('pubsub_path') ?? 'null'),
      ...particulars(terminator, faults),
    }
  }
}

/** What a transcript says of a line only if it is unusual. */
function particulars(terminator: string, faults: readonly string[]) {
  return {
    ...(terminator === '\n' ? {} : { terminator }),
    ...(faults.length === 0 ? {} : { faults }),
  }
}

function checkTime(name: string, members: ReadonlyMap<string, string>, faults: string[]): void {
  const text = members.get(name) ?? ''
  if (!EPOCH_SECONDS.test(text)) faults.push(`${name} is not epoch seconds with a fraction`)
  else if (Math.abs(Number(text) - Date.now() / 1000) > CLOCK_SKEW_S) faults.push(`${name} is off`)
}
