import { LimitExceededError } from '../../publication/errors.ts'
import { PRIVATE, refuseTooManyTopics, segmentsOf } from '../../publication/published-topics.ts'
import type { TopicFilter } from '../../hub/topics.ts'

/** What one subscription may ask for. */
export interface TopicFilterLimits {
  /** Topics of one filter. */
  readonly topicsMax: number
  readonly topicFiltersMax: number
}

/**
 * The path of a request target, percent-decoded once. Query and fragment go first: an escaped `?` or `#` is part of a
 * topic. An absolute-form target counts by its path.
 */
export function decodePath(target: string): string {
  const path = originForm(target)
  const end = path.search(/[?#]/)
  const written = end === -1 ? path : path.slice(0, end)
  return written.includes('%') ? written.replace(ESCAPED_UTF8, decodeURIComponent) : written
}

/** Without the scheme and host that proxies write, and clients of proxies. */
export function originForm(target: string): string {
  return target.startsWith('/') ? target : target.replace(SCHEME_AND_AUTHORITY, '')
}

/** Whether a decoded path is one of the server's own pages, `/-/…`. There is nothing to publish to. */
export function isReserved(path: string): boolean {
  return /^\/*-(?:\/|$)/.test(path)
}

/**
 * What a subscription to a decoded path wants: any of the groups between commas, all topics of a group.
 * @throws {LimitExceededError}
 */
export function topicFilters(path: string, limits: TopicFilterLimits): TopicFilter[] {
  const groups = path.split(',') // before the slashes: `/a,b/c` means a, or b and c (pypubsub.md §2)
  if (groups.length > limits.topicFiltersMax)
    throw new LimitExceededError(
      `the path has ${groups.length} topic filters, the limit is ${limits.topicFiltersMax} (limits.topic_filters)`,
    )
  return groups.map((group) => {
    const segments = segmentsOf(group)
    const privateOnly = segments[0] === PRIVATE
    const topics = [...new Set(privateOnly ? segments.slice(1) : segments)]
    refuseTooManyTopics(topics.length, limits.topicsMax)
    return { topics, privateOnly }
  })
}

const SCHEME_AND_AUTHORITY = /^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i

/**
 * Escapes that spell valid UTF-8 (the table of RFC 3629 §4, byte by byte). No other escape is touched, so
 * `decodeURIComponent` never throws, and `%ff%41` becomes `%ffA`.
 */
const ESCAPED_UTF8 = new RegExp(
  [
    '%[0-7]H',
    '%(?:c[2-9a-f]|dH)T',
    '%e0%[ab]HT',
    '%(?:e[1-9a-cef])TT',
    '%ed%[89]HT',
    '%f0%[9ab]HTT',
    '%f[1-3]TTT',
    '%f4%8HTT',
  ]
    .join('|')
    .replaceAll('T', '%[89ab]H') // a continuation byte, 80 to BF
    .replaceAll('H', '[\\da-f]'),
  'gi',
)
