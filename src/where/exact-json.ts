import { randomBytes } from 'node:crypto'

/**
 * What valid JSON says, with integers that a double cannot hold as `bigint`, as two different ids would be equal otherwise.
 * `JSON.parse` could do it by a reviver, but that goes down by recursion: 4,900 levels were more than the stack holds. It also
 * takes 29 ms instead of 1 for 100 KB of numbers. So those numbers become marked strings before, and are changed behind it.
 */
export function parseExact(text: string): unknown {
  if (!LONG_INTEGER.test(text)) return JSON.parse(text)
  const marked = withMarkedIntegers(text)
  return marked === null ? JSON.parse(text) : withIntegers([JSON.parse(marked)])[0]
}

/** Perhaps more than a double holds, or perhaps in a string. */
const LONG_INTEGER = /[[:,]\s*-?\d{16}/

/** Nobody can publish a string that begins with it. */
const MARK = `integer ${randomBytes(16).toString('hex')} `

/** `null`: there are none. */
function withMarkedIntegers(text: string): string | null {
  const parts: string[] = []
  let taken = 0
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = behindString(text, at)
    else if (code === MINUS || isDigit(code)) {
      const end = behindNumber(text, at)
      const number = text.slice(at, end)
      const isKept = number.length <= DIGITS_MAX && INTEGER.test(number)
      if (isKept && !Number.isSafeInteger(Number(number))) {
        parts.push(text.slice(taken, at), `"${MARK}${number}"`)
        taken = end
      }
      at = end
    } else at++
  }
  return parts.length === 0 ? null : `${parts.join('')}${text.slice(taken)}`
}

/** Goes by a list of what is still to be looked at, so that no depth is too much. */
function withIntegers(root: unknown[]): unknown[] {
  const open: Record<string, unknown>[] = [root as unknown as Record<string, unknown>]
  for (let node = open.pop(); node !== undefined; node = open.pop())
    for (const key of Object.keys(node)) {
      const value = node[key]
      if (typeof value === 'string') {
        if (value.startsWith(MARK)) node[key] = BigInt(value.slice(MARK.length))
      } else if (typeof value === 'object' && value !== null)
        open.push(value as Record<string, unknown>)
    }
  return root
}

function behindString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    const end = text.indexOf('"', at)
    let backslashes = 0
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++
    if (backslashes % 2 === 0) return end + 1
    at = end
  }
}

function behindNumber(text: string, start: number): number {
  let at = start + 1
  while (NUMBER_CHARACTERS.includes(text[at] ?? ' ')) at++
  return at
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE
}

/** Hashes and addresses have fewer. Beyond it is a double: to read an integer of 100,000 digits takes 10 ms. */
const DIGITS_MAX = 100

const INTEGER = /^-?\d+$/
const NUMBER_CHARACTERS = '0123456789+-.eE'
const QUOTE = 0x22
const BACKSLASH = 0x5c
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39
