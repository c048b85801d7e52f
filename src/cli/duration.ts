import { durationMs } from '../settings/measures.ts'
import { UsageError } from './arguments.ts'

/**
 * `500ms`, `30s`, `1h30m`, `7d`, or a number of seconds; in ms.
 * @throws {UsageError}
 */
export function parseDuration(option: string, text: string): number {
  const ms = durationMs(/^\d+(?:\.\d+)?$/.test(text) ? `${text}s` : text)
  if (ms !== null && ms <= MS_MAX) return ms
  throw new UsageError(
    `${option} takes a duration such as 30s, 5m or 1h30m, of at most 24d, not ${JSON.stringify(text)}`,
  )
}

/** What a timer of Node can wait, in whole days and ms. */
const MS_MAX = 24 * 86_400_000
