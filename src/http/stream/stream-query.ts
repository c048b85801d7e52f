import { durationMs } from '../../settings/measures.ts'
import type { IncomingHttpHeaders } from 'node:http'
import { HttpError } from '../server/errors.ts'
import { isCalendarDay } from '../publish/calendar-day.ts'
import { QueryValues } from './query-values.ts'

/** What a client wants when its cursor leads nowhere: the oldest event there is, what is live, or a refusal. */
export type OnGap = 'oldest' | 'live' | 'fail'

/** What the query and the headers of a GET say about the stream it asks for, beside its topics. */
export interface StreamQuery {
  /** The place it was at. */
  readonly cursor: string | null
  /** From then on, in ms since the Unix epoch; `-Infinity`: everything. */
  readonly sinceMs: number | null
  readonly onGap: OnGap | null
  /** Only events before then, in ms since the Unix epoch. */
  readonly untilMs: number | null
  /** Ends after so many events. */
  readonly count: number | null
  /** Ends after this time, in ms. */
  readonly timeoutMs: number | null
  /** Topics that must not be on an event. */
  readonly without: readonly string[]
  /** An expression about the payload. */
  readonly where: string | null
  /** Parameters that are given and not empty. */
  readonly parameters: readonly StreamParameter[]
}

export interface StreamQueryLimits {
  /** Events that `count` may ask for. */
  readonly countMax: number
  readonly timeoutMsMax: number
  /** Topics in `without`. */
  readonly topicsMax: number
}

/** When it was so many ms ago, by the clock that stamps events; in ms since the Unix epoch. */
type TimeAgo = (ms: number) => number

/**
 * Names that are not known are passed over, as PyPubSub passes over every query.
 * The cursor of a header counts before that of the query: it is the newer one when a client comes back to a URL that holds one.
 * @throws {BadQueryError} naming the parameter.
 */
export function streamQuery(
  target: string,
  headers: IncomingHttpHeaders,
  limits: StreamQueryLimits,
  timeAgo: TimeAgo,
): StreamQuery {
  const cursorOfHeader =
    firstOf(headers['x-fetch-since-cursor']) ?? firstOf(headers['last-event-id'])
  const since = firstOf(headers['x-fetch-since'])
  // Most requests are as plain as that.
  if (!target.includes('?'))
    return {
      ...NO_QUERY,
      cursor: cursorOfHeader,
      sinceMs: since === null ? null : secondsOf(since),
    }
  const query = new Query(target)
  return {
    cursor: cursorOfHeader ?? query.text('cursor'),
    sinceMs:
      since === null
        ? query.read('since', (text) => (text === 'all' ? -Infinity : readTime(text, timeAgo)))
        : secondsOf(since),
    onGap: query.onGap(),
    untilMs: query.read('until', (text) => readUntil(text, timeAgo)),
    count: query.read('count', (text) => readCount(text, limits.countMax)),
    timeoutMs: query.read('timeout', (text) => readTimeout(text, limits.timeoutMsMax)),
    without: query.read('without', (text) => readTopics(text, limits.topicsMax)) ?? [],
    where: query.text('where'),
    parameters: PARAMETERS.filter((name) => query.text(name) !== null),
  }
}

const NO_QUERY: StreamQuery = {
  cursor: null,
  sinceMs: null,
  onGap: null,
  untilMs: null,
  count: null,
  timeoutMs: null,
  without: [],
  where: null,
  parameters: [],
}

/** Names that mean something in the query of a stream. */
const PARAMETERS = [
  'cursor',
  'since',
  'on_gap',
  'until',
  'count',
  'timeout',
  'without',
  'where',
] as const

export type StreamParameter = (typeof PARAMETERS)[number]

class Query {
  readonly #values: QueryValues<StreamParameter>

  constructor(target: string) {
    this.#values = new QueryValues(target, PARAMETERS)
  }

  /** `null`: not there, or empty: forms send empty fields, and PyPubSub looks at none. */
  text(name: StreamParameter): string | null {
    return this.#only(name) || null
  }

  /** `null`: as above. `read` says what is wrong by an `Unreadable`. */
  read<T>(name: StreamParameter, read: (text: string) => T, text = this.text(name)): T | null {
    if (text === null) return null
    try {
      return read(text)
    } catch (error) {
      if (error instanceof Unreadable) throw new HttpError('BAD_QUERY', `${name} ${error.message}`)
      throw error
    }
  }

  /** Its empty value is something misspelt, not nothing: what comes after a gap is at stake. */
  onGap(): OnGap | null {
    return this.read('on_gap', readOnGap, this.#only('on_gap'))
  }

  #only(name: StreamParameter): string | null {
    const count = this.#values.count(name)
    if (count > 1) throw new HttpError('BAD_QUERY', `${name} is given ${count} times`)
    return this.#values.first(name)
  }
}

/** What must be told behind the name of the parameter. */
class Unreadable extends Error {}

/** The first counts of a header that was sent twice, as in PyPubSub; Node joins them by commas. `null`: absent. */
function firstOf(header: string | string[] | undefined): string | null {
  return header === undefined ? null : String(header).split(',', 1)[0]! || null
}

/** Reads epoch seconds; what is no number is 0, as in PyPubSub. */
function secondsOf(since: string): number {
  return SECONDS.test(since) ? epochMs(Number(since)) : 0
}

const SECONDS = /^\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)\s*$/

/** A time that we have shown ourselves must not lose by a rounding. */
function epochMs(seconds: number): number {
  return Math.round(seconds * 1e6) / 1e3
}

/** The first ms that is not wanted. Until now means with the event of this very ms: no other could be meant. */
function readUntil(text: string, timeAgo: TimeAgo): number {
  const untilMs = readTime(text, timeAgo)
  return durationMs(text) === 0 ? untilMs + 1 : untilMs
}

/** In ms since the Unix epoch. */
function readTime(text: string, timeAgo: TimeAgo): number {
  if (SECONDS.test(text)) {
    if (Number(text) < SECONDS_MAX) return epochMs(Number(text))
    throw new Unreadable('must be in seconds since 1970, and this looks like milliseconds')
  }
  const agoMs = durationMs(text)
  if (agoMs !== null) return timeAgo(agoMs)
  const day = RFC_3339.exec(text)?.[1]
  // A plus sign in a query is a space.
  const ms =
    day === undefined || !isCalendarDay(day) ? Number.NaN : Date.parse(text.replace(' ', '+'))
  if (!Number.isNaN(ms)) return ms
  throw new Unreadable(
    'must be seconds since 1970, a duration such as 10m (that long ago), or a time such as 2026-11-20T10:00:00Z',
  )
}

/** The year 5138. Whoever asks for it means milliseconds, and would wait for ever. */
const SECONDS_MAX = 1e11

const RFC_3339 = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[-+ ]\d\d:\d\d)$/i

function readOnGap(text: string): OnGap {
  if (text === 'oldest' || text === 'live' || text === 'fail') return text
  throw new Unreadable('must be oldest, live or fail')
}

function readCount(text: string, countMax: number): number {
  const count = /^\d{1,15}$/.test(text) ? Number(text) : 0
  if (count >= 1 && count <= countMax) return count
  throw new Unreadable(`must be a number from 1 to ${countMax} (limits.count)`)
}

/** Seconds, or with a unit. */
function readTimeout(text: string, timeoutMsMax: number): number {
  const ms = durationMs(/^[\d.]+$/.test(text) ? `${text}s` : text) ?? 0
  if (ms > 0 && ms <= timeoutMsMax) return ms
  throw new Unreadable(
    `must be a duration such as 30s, of at most ${timeoutMsMax / 1_000} s (limits.timeout)`,
  )
}

function readTopics(text: string, topicsMax: number): readonly string[] {
  const topics = [...new Set(text.split(',').filter((topic) => topic !== ''))].toSorted()
  if (topics.length <= topicsMax) return topics
  throw new Unreadable(`has ${topics.length} topics, the limit is ${topicsMax} (limits.topics)`)
}
