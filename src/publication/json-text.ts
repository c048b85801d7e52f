/*
 * JSON as text. What `JSON.parse` makes of an object has lost big integers, `1.0`, repeated members and, with V8 13.6, some
 * names with backslashes. So it only judges what is valid, and all else is cut out of the text.
 */

/** A member of an object. */
export interface JsonMember {
  readonly name: string
  /** As it stands, without the white space around it. */
  readonly value: string
}

/**
 * The text of a valid JSON object as `Payload` wants it: on one line, without top-level members of the server's own names.
 */
export function payloadText(text: string): string {
  return onOneLine(mayHaveOwnMembers(text) ? withoutMembers(text, isOwnMember) : text)
}

/** The members the server writes into every event (pypubsub.md §3). A publisher cannot forge them. */
export function isOwnMember(name: string): boolean {
  return OWN_MEMBERS.has(name)
}

/** A valid JSON object without some of its members; the others stand as they stood. */
export function withoutMembers(
  text: string,
  isUnwanted: (name: string, index: number) => boolean,
): string {
  const members = memberTexts(text)
  const kept = members.filter(({ name }, index) => !isUnwanted(name, index))
  if (kept.length === members.length) return text
  return `{${kept.map(({ member }) => member).join(',')}}`
}

/** The members of a valid JSON object, from its `{` to its `}`, in their order; repeated ones too. */
export function membersOf(text: string): JsonMember[] {
  return memberTexts(text).map(({ name, member, afterName }) => ({
    name,
    value: member.slice(member.indexOf(':', afterName) + 1).trim(),
  }))
}

/** Exact for valid JSON. For other text it may say either, without harm: that is refused in any case. */
export function isDeeperThan(depthMax: number, text: string): boolean {
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

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
const OPENING_BRACE = 0x7b
const CLOSING_BRACE = 0x7d

/** What turns `[` into `{` and `]` into `}`, and no other character into either: brackets are counted as one kind. */
const BRACKET_TO_BRACE = 0x20

const OWN_MEMBERS: ReadonlySet<string> = new Set([
  'pubsub_timestamp',
  'pubsub_topics',
  'pubsub_path',
  'pubsub_cursor',
])

/** Raw line breaks in valid JSON are white space between tokens. */
function onOneLine(text: string): string {
  return text.replace(/[\r\n]/g, ' ')
}

/** An own name is written as it is, or some of its ASCII characters are escaped. */
function mayHaveOwnMembers(text: string): boolean {
  return text.includes('pubsub_') || text.includes('\\u00')
}

interface MemberText {
  readonly name: string
  /** With the white space around it, so that members joined by commas are the text again. */
  readonly member: string
  /** Where in `member` the quote that closes its name is followed by white space and the colon. */
  readonly afterName: number
}

/** Split at the commas. */
function memberTexts(text: string): MemberText[] {
  const members: MemberText[] = []
  if (EMPTY_OBJECT.test(text)) return members
  for (let start = 1, end = 0; start < text.length; start = end + 1) {
    const opening = text.indexOf('"', start)
    const closing = closingQuote(text, opening)
    end = memberEnd(text, closing + 1)
    members.push({
      name: unescaped(text.slice(opening, closing + 1)),
      member: text.slice(start, end),
      afterName: closing + 1 - start,
    })
  }
  return members
}

const EMPTY_OBJECT = /^\{\s*\}$/

/** The comma or bracket that ends a member of an object. */
function memberEnd(text: string, from: number): number {
  let depth = 0
  for (let at = from; ; at++) {
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
