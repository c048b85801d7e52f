/*
 * The case of ASCII letters (CEL's string extensions, `lowerAscii` and `upperAscii`); all other characters stay as they are,
 * where JavaScript's own functions would change `É`, and make two letters of `ß`.
 */

export function lowerAscii(text: string): string {
  return ASCII.test(text) ? text.toLowerCase() : withOtherCase(text, CAPITAL_A)
}

export function upperAscii(text: string): string {
  return ASCII.test(text) ? text.toUpperCase() : withOtherCase(text, SMALL_A)
}

// oxlint-disable-next-line no-control-regex -- they are ASCII, too
const ASCII = /^[\u0000-\u007f]*$/

/**
 * The 26 letters from the first one on in their other case. In bytes: `replace` with a function takes ten times as long where
 * every other character is to be changed, and the price of this is by character.
 */
function withOtherCase(text: string, first: number): string {
  const bytes = Buffer.from(text, 'utf16le')
  for (let at = 0; at < bytes.length; at += 2) {
    const letter = bytes[at]! - first
    if (letter >= 0 && letter < LETTERS && bytes[at + 1] === 0) bytes[at]! ^= CASE_BIT
  }
  return bytes.toString('utf16le')
}

const CAPITAL_A = 0x41
const SMALL_A = 0x61
const LETTERS = 26
const CASE_BIT = 0x20
