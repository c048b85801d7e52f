import type { DatabaseSync } from 'node:sqlite'
import type { ClockMark } from '../log-clock.ts'

/** Written as the name of a row in `meta`: where the clock of the last server had come to. */
export const CLOCK = 'clock'

/** `null`: the store does not say, or what it says is damaged; the newest event then has to do. */
export function clockMarkIn(database: DatabaseSync): ClockMark | null {
  try {
    const row = database.prepare('SELECT value FROM meta WHERE name = ?').get(CLOCK)
    const mark = JSON.parse(String(row?.['value'])) as ClockMark
    return isMark(mark) ? mark : null
  } catch {
    return null
  }
}

function isMark(mark: ClockMark): boolean {
  const { logMs, steadyMs, wallMs, monotonicMs, uptimeMs, heldMs, leaps } = mark
  return (
    [logMs, steadyMs, wallMs, monotonicMs, uptimeMs, heldMs].every(Number.isFinite) &&
    Array.isArray(leaps) &&
    leaps.every(({ atMs, byMs, followedByMs }) => [atMs, byMs, followedByMs].every(Number.isFinite))
  )
}
