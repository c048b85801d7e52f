/**
 * The same JSON without the characters that it may hold as they are and at which readers by the rules of Unicode end a line:
 * Python's `str.splitlines`, and so httpx's `iter_lines` and that of requests with `decode_unicode`. Outside ASCII there are
 * only characters of strings in JSON, and any of those may be written as an escape.
 */
export function escapeLineEnds(json: string): string {
  // Most text has none, and each event passes here. V8 keeps ASCII and Latin-1 in bytes, where the first look is a search for
  // a byte and the second, for what no byte can be, is none: 0.02 µs for 300 characters, 0.8 µs for 100,000.
  if (!json.includes(NEXT_LINE) && !SEPARATORS.test(json)) return json
  return json
    .replaceAll(/\u0085/g, '\\u0085')
    .replaceAll(/\u2028/g, '\\u2028')
    .replaceAll(/\u2029/g, '\\u2029')
}

const NEXT_LINE = '\u0085'
const SEPARATORS = /[\u2028\u2029]/
