import { UsageError } from './arguments.ts'

/** An event as it came. */
export interface ListenedEvent {
  /** Its line. */
  readonly text: string
  readonly topics: readonly string[]
  readonly path: string
  readonly cursor: string | null
  /** When it was published, in seconds since the Unix epoch. */
  readonly timestamp: number | null
}

/** Pipes end on terminals, too: behind `| tee` and `| less`, or in what `cat` shows tomorrow. */
const FORMATS: Readonly<Record<string, (event: ListenedEvent) => string>> = {
  json: ({ text }) => `${harmlessJson(text)}\n`,
  payload: ({ text }) => `${harmlessJson(payloadOf(text))}\n`,
  pretty: ({ text, path, timestamp }) => {
    const time = new Date((timestamp ?? NaN) * 1_000)
    const shown = Number.isNaN(time.getTime()) ? '' : `${time.toISOString()} `
    const place = forTerminal(path).replaceAll('\n', '\\u000a')
    return `${shown}${place}\n${harmlessJson(indented(payloadOf(text)))}\n`
  },
}

/** @throws {UsageError} */
export function formatNamed(name: string): (event: ListenedEvent) => string {
  const format = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined
  if (format !== undefined) return format
  throw new UsageError(
    `--format is ${[...Object.keys(FORMATS), 'line'].join(', ')}, not ${JSON.stringify(name)}`,
  )
}

/**
 * The same JSON without what a terminal obeys, such as C1 controls and what turns lines around, and without the line ends of
 * Unicode. Outside ASCII, and for DEL, there are only characters of strings, and any of those may be written as an escape. A
 * carriage return can only be white space between tokens.
 */
export function harmlessJson(json: string): string {
  return json
    .replaceAll('\r', ' ')
    .replaceAll(
      OBEYED,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    )
}

/** None has two units of UTF-16. */
const OBEYED = /[\u007f-\u009f\u2028\u2029\p{Bidi_Control}]/gu

/** The same text for a terminal: what would move its cursor or turn its lines around is escaped as JSON has it. */
export function forTerminal(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    character === '\n'
      ? '\n'
      : Array.from(
          { length: character.length },
          (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
        ).join(''),
  )
}

/** What was published, without the members that the server adds. */
export function payloadOf(text: string): string {
  // They come last, each once. Within a string this text would have a backslash in it.
  const tail = text.lastIndexOf('"pubsub_timestamp":')
  const payload = `${text.slice(0, tail).replace(/,\s*$/, '')}}`
  if (tail !== -1 && isWithoutServersMembers(payload)) return payload
  // PyPubSub leaves them where a payload had members of their names.
  const members = Object.entries(parseExactly(text)).filter(([name]) => !SERVERS_MEMBERS.has(name))
  return JSON.stringify(Object.fromEntries(members))
}

const SERVERS_MEMBERS: ReadonlySet<string> = new Set([
  'pubsub_timestamp',
  'pubsub_topics',
  'pubsub_path',
  'pubsub_cursor',
])

function isWithoutServersMembers(payload: string): boolean {
  try {
    return Object.keys(JSON.parse(payload)).every((name) => !SERVERS_MEMBERS.has(name))
  } catch {
    return false
  }
}

function indented(payload: string): string {
  return JSON.stringify(parseExactly(payload), null, 2)
}

/** Numbers keep their digits. */
export function parseExactly(text: string): object {
  return JSON.parse(text, (_name, value, context?: { readonly source?: string }) =>
    typeof value === 'number' && context?.source !== undefined
      ? RAW_JSON.rawJSON(context.source)
      : value,
  )
}

/** TypeScript does not know it yet. */
const RAW_JSON = JSON as unknown as { rawJSON(text: string): unknown }
