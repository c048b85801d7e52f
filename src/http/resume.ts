import type { IncomingHttpHeaders } from 'node:http'
import type { Gap } from '../hub/encoding.ts'
import { PubSubError } from '../hub/errors.ts'
import type { Cursor, Position } from '../hub/event.ts'
import type { Hub } from '../hub/hub.ts'

/** Where a stream begins, and what is told first. */
export interface Start {
  readonly from: Position | 'head'
  readonly gap: Gap | null
}

/** What a client wants when its cursor leads nowhere: the oldest event there is, what is live, or a refusal. */
type OnGap = 'oldest' | 'live' | 'fail'

/**
 * Where the replay that a client asks for begins. A cursor that is known decides, else the time (pypubsub.md §7).
 * `target` is the request target: its query may say `on_gap`. Without it a cursor that leads nowhere brings no replay, as
 * in PyPubSub, and is told if it was once ours.
 * @throws {BadQueryError} `on_gap` is none of its values.
 * @throws {GoneError} the client would rather have no stream than a gap.
 */
export async function startOf(
  headers: IncomingHttpHeaders,
  target: string,
  hub: Hub,
): Promise<Start> {
  const onGap = onGapOf(target)
  const cursor = firstOf(headers['x-fetch-since-cursor'])
  const since = firstOf(headers['x-fetch-since'])
  let gap: Gap | null = null
  if (cursor !== '') {
    const resolution = hub.resolve(cursor as Cursor)
    // PyPubSub replays nothing after an event that is itself no longer kept, though all that came after it may be.
    const isFound =
      resolution.type === 'found' &&
      (onGap !== null || resolution.at >= hub.oldestKept || resolution.at === hub.head)
    if (isFound) return { from: resolution.at, gap: null }
    const reason = resolution.type === 'foreign' ? 'foreign' : 'expired'
    if (onGap === 'fail') throw new GoneError(reason)
    if (onGap !== null)
      return startAt(onGap === 'oldest' ? hub.beforeOldest : hub.head, reason, hub)
    if (reason === 'expired') ({ gap } = startAt(hub.head, reason, hub))
  }
  if (since === '') return { from: 'head', gap }
  return { from: await hub.positionAt(millisecondsOf(since)), gap }
}

/** `on_gap=fail`, and there is one. */
class GoneError extends PubSubError {
  readonly code = 'GONE'
  constructor(reason: Gap['reason']) {
    super(
      reason === 'expired'
        ? 'events after this cursor are no longer kept; ask with on_gap=oldest or on_gap=live'
        : 'this cursor is not of this log; ask with on_gap=oldest or on_gap=live',
    )
  }
}

/** The query of a request is not what it may be. */
class BadQueryError extends PubSubError {
  readonly code = 'BAD_QUERY'
}

/** Of a header that was sent twice the first counts, as in PyPubSub; Node joins them by commas. `''`: absent. */
function firstOf(header: string | string[] | undefined): string {
  return String(header ?? '').split(',', 1)[0]!
}

function startAt(from: Position, reason: Gap['reason'], hub: Hub): Start {
  return { from, gap: { reason, cursor: hub.cursorOf(from) } }
}

function onGapOf(target: string): OnGap | null {
  const query = /\?([^#]*)/.exec(target)?.[1]
  const value = query === undefined ? null : new URLSearchParams(query).get('on_gap')
  if (value === null || value === 'oldest' || value === 'live' || value === 'fail') return value
  throw new BadQueryError('on_gap must be oldest, live or fail')
}

/** Of epoch seconds; what is no number is 0, as in PyPubSub. */
function millisecondsOf(since: string): number {
  const seconds = /^\s*[+-]?(\d+\.?\d*|\.\d+)\s*$/.test(since) ? Number(since) : 0
  return Math.round(seconds * 1e6) / 1e3 // a time that we have shown ourselves must not lose by a rounding
}
