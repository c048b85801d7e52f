import { decodePath, isReserved, originForm } from '../server/topic-path.ts'

/**
 * A request target below `/-/` as the router is to see it: the path decoded, with one spelling for each page. `null`: it is a
 * topic URL, which never meets the router, since every path is a topic set.
 */
export function ownUrl(target: string): string | null {
  if (!MAY_BE_OWN.test(target)) return null // most targets: decoding them twice would cost publishers 0.3 µs
  const path = decodePath(target)
  if (!isReserved(path)) return null
  const query = /\?[^#]*/.exec(originForm(target))?.[0] ?? ''
  return `/-/${path.replace(LEADING, '').replace(NOT_PLAIN, escaped)}${query}`
}

const MAY_BE_OWN = /^(?:[^/]|\/+(?:-|%2d))/i
const LEADING = /^\/*-\/*/

/** What a path may hold unescaped (RFC 3986 §3.3), without `%`: what is still escaped was no UTF-8. */
const NOT_PLAIN = /[^\w.~!$&'()*+,;=:@/-]/gu

function escaped(character: string): string {
  return encodeURIComponent(character.toWellFormed())
}
