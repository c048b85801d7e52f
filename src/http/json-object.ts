import { isUtf8 } from 'node:buffer'
import { LimitExceededError, PubSubError } from '../hub/errors.ts'

/**
 * The text of the JSON object that a request body holds, as `Payload` wants it: one line from `{` to `}`, everything in
 * the words of the publisher, without top-level members of the server's own names.
 *
 * `JSON.parse` is the judge of what is JSON. The value it makes is dropped: it has lost big integers, `1.0`, `1e400` and
 * repeated members. A validator of our own over the bytes was measured and ruled out: 0.70 µs instead of 0.74 for 100
 * bytes, 0.51 ms instead of 0.63 for 100 KB, for a hundred lines more. The worst 100 KB found (a chain of objects with a
 * new name on each level, or 8,000 objects with a name of their own each) cost 5 to 9 ms; names that might collide, as
 * multiples of powers of two, nothing out of the ordinary.
 * @throws {NotJsonError | LimitExceededError | NotAnObjectError}
 */
export function readJsonObject(body: Buffer, depthMax: number): string {
  if (!isUtf8(body)) throw new NotJsonError('payload is not valid UTF-8')
  // Keeps a byte order mark, which JSON.parse then refuses; a TextDecoder would drop it silently.
  const whole = body.toString('utf8')
  // Before JSON.parse, which survives any depth, but pays 9 ms and 35 MB for 20,000 levels.
  if (isDeeperThan(depthMax, whole))
    throw new LimitExceededError(
      `payload is nested deeper than the limit of ${depthMax} levels (limits.json_depth)`,
    )
  validate(whole)
  const text = whole.trim()
  if (text.charCodeAt(0) !== OPENING_BRACE) throw new NotAnObjectError()
  return onOneLine(mayHaveOwnMembers(text) ? withoutOwnMembers(text) : text)
}

export class NotJsonError extends PubSubError {
  readonly code = 'BAD_REQUEST'
}

export class NotAnObjectError extends PubSubError {
  readonly code = 'NOT_AN_OBJECT'
  constructor() {
    super('payload is JSON, but not an object')
  }
}

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
const OPENING_BRACE = 0x7b
const CLOSING_BRACE = 0x7d

/** What turns `[` into `{` and `]` into `}`, and no other character into either: brackets are counted as one kind. */
const BRACKET_TO_BRACE = 0x20

/** The members the server writes into every event (pypubsub.md §3). A publisher cannot forge them. */
const OWN_MEMBERS: ReadonlySet<string> = new Set([
  'pubsub_timestamp',
  'pubsub_topics',
  'pubsub_path',
  'pubsub_cursor',
])

function validate(text: string): void {
  try {
    JSON.parse(text)
  } catch (cause) {
    throw new NotJsonError('payload is not valid JSON', { cause })
  }
}

/** Exact for valid JSON. For other text it may say either, without harm: that is refused in any case. */
function isDeeperThan(depthMax: number, text: string): boolean {
  if (text.length <= 2 * depthMax) return false // each level takes two brackets
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at)
    if (character === QUOTE) at = closingQuote(text, at)
    else if ((character | BRACKET_TO_BRACE) === CLOSING_BRACE) depth--
    else if ((character | BRACKET_TO_BRACE) === OPENING_BRACE && ++depth > depthMax) return true
  }
  return false
}

/** Raw line breaks in valid JSON are white space between tokens. */
function onOneLine(text: string): string {
  return text.replace(/[\r\n]/g, ' ')
}

/** An own name is written as it is, or some of its ASCII characters are escaped. */
function mayHaveOwnMembers(text: string): boolean {
  return text.includes('pubsub_') || text.includes('\\u00')
}

/** `text` is a valid object with at least one member. Members are split at the commas, so each keeps its white space. */
function withoutOwnMembers(text: string): string {
  const kept: string[] = []
  let removed = 0
  for (let start = 1, end = 0; start < text.length; start = end + 1) {
    const opening = text.indexOf('"', start)
    const closing = closingQuote(text, opening)
    end = memberEnd(text, closing + 1)
    if (OWN_MEMBERS.has(unescaped(text.slice(opening, closing + 1)))) removed++
    else kept.push(text.slice(start, end))
  }
  return removed === 0 ? text : `{${kept.join(',')}}`
}

/** The comma or brace that ends the member. */
function memberEnd(text: string, afterName: number): number {
  let depth = 0
  for (let at = afterName; ; at++) {
    const character = text.charCodeAt(at)
    if (character === QUOTE) at = closingQuote(text, at)
    else if (character === COMMA && depth === 0) return at
    else if ((character | BRACKET_TO_BRACE) === OPENING_BRACE) depth++
    else if ((character | BRACKET_TO_BRACE) === CLOSING_BRACE && depth-- === 0) return at
  }
}

/** The quote that closes a string, or the end of the text where none does. */
function closingQuote(text: string, openingQuote: number): number {
  let at = openingQuote
  do {
    at = text.indexOf('"', at + 1)
    if (at === -1) return text.length
  } while (isEscaped(text, at))
  return at
}

/** Behind an odd number of backslashes. */
function isEscaped(text: string, quote: number): boolean {
  let at = quote
  while (text.charCodeAt(at - 1) === BACKSLASH) at--
  return (quote - at) % 2 === 1
}

/** Parsed by itself: as names of an object, V8 13.6 confuses `"\\"` and `"\""` (its guess from the object before). */
function unescaped(string: string): string {
  return string.includes('\\') ? String(JSON.parse(string)) : string.slice(1, -1)
}
