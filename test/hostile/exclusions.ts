/**
 * Cases that fail and are not mended yet, by their names, each with what it is: here and nowhere else. They are skipped, and
 * told as skipped; to play one, take its line away.
 */
export const EXCLUDED: Readonly<Record<string, string>> = {
  'globs against long topics': 'a step of matching a glob has no price yet: 0.4 s for one topic',
}
