import { UsageError } from './arguments.ts'

/**
 * `500ms`, `30s`, `5m`, `12h`, `7d`, or a number of seconds; in ms.
 * @throws {UsageError}
 */
export function parseDuration(option: string, text: string): number {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text) ?? []
  const ms =
    number === undefined ? NaN : Number(number) * MS_PER_UNIT[unit as keyof typeof MS_PER_UNIT]
  if (ms <= MS_MAX) return ms
  throw new UsageError(
    `${option} takes a duration such as 30s, 5m or 12h, of at most 24d, not ${JSON.stringify(text)}`,
  )
}

const MS_PER_UNIT = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** What a timer of Node can wait, in whole days and ms. */
const MS_MAX = 24 * MS_PER_UNIT.d
