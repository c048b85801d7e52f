/**
 * A text that is equal for names that are the same: whatever their case, the spaces around them and how many stand between
 * two words, Unicode's forms of one character (full width, composed or not, ligatures) and characters that nobody sees. A
 * directory may take any of these spellings for one user, and rights and blocks must not depend on which one was typed.
 * Two names are rather the same than different: what the file says of a name holds for all of its spellings. So this is no
 * means to find out whose rights somebody has in a directory, which knows its own entries.
 * Held by `test/auth/name.test.ts`, with OpenLDAP in `test/auth/equal-names.test.ts`.
 */
export function nameKey(name: string): string {
  // Nobody's name is so long, no directory is asked about it, and composing takes time that grows with the square.
  if (name.length > NAME_COMPARED_MAX) return name
  let key = name
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const next = folded(key)
    if (next === key) break
    key = next
  }
  return key
}

export function isSameName(one: string, other: string): boolean {
  return one === other || nameKey(one) === nameKey(other)
}

/**
 * Two of these names that are the same, if there are.
 * Names are the keys of what was read from a file, so that no two are spelled alike.
 */
export function sameNamesIn(names: Iterable<string>): readonly [string, string] | null {
  const byKey = new Map<string, string>()
  for (const name of names) {
    const key = nameKey(name)
    const other = byKey.get(key)
    if (other !== undefined) return [other, name]
    byKey.set(key, name)
  }
  return null
}

/** In UTF-16 units. Longer names are the same only if they are equal. */
export const NAME_COMPARED_MAX = 1_024

/** What one folding makes may be something to fold again: a second round changes few texts, a third one none that is known. */
const ROUNDS_MAX = 4

function folded(text: string): string {
  return (
    text
      .normalize('NFKC')
      .replace(INVISIBLE, '')
      .replace(SPACES, ' ')
      .trim()
      // Upper case first: it has the long forms, such as SS for ß, and makes one of what has several lower cases (ς, ſ, ı).
      .toUpperCase()
      .toLowerCase()
      .replaceAll('ς', 'σ') // which the context decides
      .replaceAll('i\u0307', 'i') // the lower case of the Turkish İ
      .normalize('NFKC')
  )
}

/** Format and control characters other than those that are spaces, and all that Unicode says to ignore where it cannot be shown. */
const INVISIBLE = /(?![\t-\r\u0085])[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Cc}]/gu

const SPACES = /[\s\u0085\p{Z}]+/gu
