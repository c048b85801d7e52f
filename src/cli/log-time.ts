import { durationMs } from '../settings/measures.ts'
import { UsageError } from './arguments.ts'

/**
 * A point in time as an operator writes it, in ms since the Unix epoch: a date, seconds since 1970, or how long ago by the
 * clock of the log.
 * @throws {UsageError}
 */
export function parseTime(text: string, timeAgo: (ms: number) => number): number {
  const agoMs = durationMs(text)
  if (agoMs !== null) return timeAgo(agoMs)
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1_000
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(ms)) return ms
  throw new UsageError(
    `${JSON.stringify(text)} is no time; write 2026-05-17, 2026-05-17T12:30:00Z, seconds since 1970, or 45s, 30m, 12h, 7d for so long ago`,
  )
}
