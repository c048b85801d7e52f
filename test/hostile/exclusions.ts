/**
 * Cases that fail and are not mended yet, by their names, each with what it is: here and nowhere else. They are skipped, and
 * told as skipped; to play one, take its line away.
 */
export const EXCLUDED: Readonly<Record<string, string>> = {
  'batches, as large as they may be, which streams of every form follow':
    'a round of 10,000 events is encoded and handed out in one turn: 0.05 to 0.2 s for each form',
  'globs against long topics': 'a step of matching a glob has no price yet: 0.4 s for one topic',
}
