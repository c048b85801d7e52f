import type { Closing, Gap } from '../../hub/encoding.ts'
import type { Cursor, PublishedEvent } from '../../hub/event.ts'

/**
 * An event as a JSON object: the payload's own text, then the server's members, spaced as Python's `json.dumps` does.
 * One line, since neither has line breaks in it.
 */
export function eventText(event: PublishedEvent): string {
  const { payload, topics, path, cursor, publishedAtMs } = event
  const members = payload.text.slice(0, -1) // the closing brace comes behind ours
  const comma = EMPTY_OBJECT.test(payload.text) ? '' : ', '
  return (
    `${members}${comma}"pubsub_timestamp": ${epochSeconds(publishedAtMs)}, ` +
    `"pubsub_topics": [${topics.map((topic) => JSON.stringify(topic)).join(', ')}], ` +
    `"pubsub_path": ${JSON.stringify(path)}, "pubsub_cursor": "${cursor}"}`
  )
}

/**
 * An event as old clients read it: pure ASCII, as every further line of this file, since those clients decode each network
 * read by itself and would lose a character that is split (pypubsub.md §4).
 */
export function eventLine(event: PublishedEvent): string {
  return asciiOnly(`${eventText(event)}\n`)
}

export function keepAliveLine(nowMs: number): string {
  return `{"stillalive": ${epochSeconds(nowMs)}}\n`
}

/*
 * Further control lines are keep-alives with something to say: old clients skip them, because they look for `stillalive`. They
 * never carry a `pubsub_` member, by which a client tells events.
 */

/** Only on forms that old clients do not know. `cursor`: everything due up to there was sent. */
export function cursorLine(cursor: Cursor, nowMs: number): string {
  return `{"stillalive": ${epochSeconds(nowMs)}, "cursor": "${cursor}"}\n`
}

/** Likewise; the stream begins behind the cursor. */
export function openedLine(cursor: Cursor, nowMs: number): string {
  return `{"stillalive": ${epochSeconds(nowMs)}, "opened": {"cursor": "${cursor}"}}\n`
}

/** Tells that continuity broke, never how many events are missing: some may have been private. */
export function gapLine(gap: Gap, nowMs: number): string {
  return `{"stillalive": ${epochSeconds(nowMs)}, "gap": ${gapText(gap)}}\n`
}

export function gapText({ reason, cursor }: Gap): string {
  return `{"reason": "${reason}", "resumes_at": "${cursor}"}`
}

export function closingLine(closing: Closing, nowMs: number): string {
  return `{"stillalive": ${epochSeconds(nowMs)}, "closing": ${closingText(closing)}}\n`
}

export function closingText({ reason, cursor, retryAfterMs }: Closing): string {
  return `{"reason": "${reason}", "cursor": "${cursor}", "retry_after_ms": ${retryAfterMs}}`
}

/** What `clients.oldschoolers` get: a NUL behind every newline. */
export function oldSchool(line: string): string {
  return `${line}\0`
}

const EMPTY_OBJECT = /^\{\s*\}$/

/** Always with a fraction, as Python prints a float: `1588132959.0`. */
function epochSeconds(ms: number): string {
  const seconds = ms / 1000
  return Number.isInteger(seconds) ? `${seconds}.0` : `${seconds}`
}

/**
 * Outside ASCII there are only characters of strings in JSON, and any of those may be written as an escape. Bytes, because
 * `replace` with a function takes 4 to 8 ms for 100 KB of Japanese or French, and this 0.4 to 0.7.
 */
function asciiOnly(line: string): string {
  const furtherBytes = Buffer.byteLength(line) - line.length
  if (furtherBytes === 0) return line
  // A character outside ASCII takes at least one further byte in UTF-8, and five as an escape.
  const bytes = Buffer.allocUnsafe(line.length + 5 * furtherBytes)
  let length = 0
  for (let at = 0; at < line.length; at++) {
    const unit = line.charCodeAt(at)
    if (unit < 0x80) bytes[length++] = unit
    else {
      bytes[length++] = BACKSLASH
      bytes[length++] = LETTER_U
      bytes[length++] = HEX_DIGITS[unit >> 12]!
      bytes[length++] = HEX_DIGITS[(unit >> 8) & 15]!
      bytes[length++] = HEX_DIGITS[(unit >> 4) & 15]!
      bytes[length++] = HEX_DIGITS[unit & 15]!
    }
  }
  return bytes.toString('latin1', 0, length)
}

const BACKSLASH = 0x5c
const LETTER_U = 0x75
const HEX_DIGITS = Buffer.from('0123456789abcdef')
