import { NotJsonError } from './errors.ts'

/**
 * The elements of a JSON array, one after another, as they stand without the white space around them: so that whoever takes
 * them can stop in between. They are not judged. But when each is valid JSON by itself, so is the whole, and the other way
 * round (`test/publication/array-elements.test.ts`). `null`: it does not begin as an array.
 * @throws {NotJsonError} while they are taken: it does not end as one.
 */
export function arrayElements(body: Buffer): Iterable<Buffer> | null {
  const start = skipBlanks(body, 0, body.length)
  return body[start] === OPENING_BRACKET ? elementsBehind(body, start + 1) : null
}

function* elementsBehind(body: Buffer, from: number): Generator<Buffer> {
  let end = body.length - 1
  while (isBlank(body[end])) end--
  if (end < from || body[end] !== CLOSING_BRACKET)
    throw new NotJsonError('payload is not valid JSON')
  if (skipBlanks(body, from, end) === end) return // there are none
  for (let start = from; start <= end;) {
    const comma = endOfElement(body, start, end)
    yield trimmed(body, start, comma)
    start = comma + 1
  }
}

/** The comma behind it, or the end. */
function endOfElement(body: Buffer, from: number, end: number): number {
  let depth = 0
  for (let at = from; at < end; at++) {
    const byte = body[at]!
    if (byte === QUOTE) {
      at = closingQuote(body, at)
      if (at === -1) return end
    } else if (byte === COMMA && depth === 0) return at
    else if ((byte | BRACKET_TO_BRACE) === OPENING_BRACE) depth++
    else if ((byte | BRACKET_TO_BRACE) === CLOSING_BRACE) depth--
  }
  return end
}

/** -1: none closes it. */
function closingQuote(body: Buffer, opening: number): number {
  for (let at = body.indexOf(QUOTE, opening + 1); at !== -1; at = body.indexOf(QUOTE, at + 1)) {
    let backslashes = 0
    while (body[at - 1 - backslashes] === BACKSLASH) backslashes++
    if (backslashes % 2 === 0) return at
  }
  return -1
}

function trimmed(body: Buffer, from: number, to: number): Buffer {
  const start = skipBlanks(body, from, to)
  let end = to
  while (end > start && isBlank(body[end - 1])) end--
  return body.subarray(start, end)
}

function skipBlanks(body: Buffer, from: number, to: number): number {
  let at = from
  while (at < to && isBlank(body[at])) at++
  return at
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

const QUOTE = 0x22
const COMMA = 0x2c
const OPENING_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSING_BRACKET = 0x5d
const OPENING_BRACE = 0x7b
const CLOSING_BRACE = 0x7d

/** What turns `[` into `{` and `]` into `}`, and no other byte into either: brackets are counted as one kind. */
const BRACKET_TO_BRACE = 0x20
