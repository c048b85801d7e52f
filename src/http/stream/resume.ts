import type { Gap } from '../../hub/encoding.ts'
import { HttpError } from '../server/errors.ts'
import type { Cursor, Position } from '../../hub/event.ts'
import type { Hub } from '../../hub/hub.ts'
import type { Rights } from '../../hub/rights.ts'
import type { StreamQuery } from './stream-query.ts'

/** Where a stream begins, and what is told first. */
export interface Start {
  readonly from: Position | 'head'
  readonly gap: Gap | null
}

/** What is live, with nothing to tell first. */
export const AT_HEAD: Start = { from: 'head', gap: null }

/** Without that a stream begins `AT_HEAD`. */
export function asksForPast({ cursor, sinceMs }: Pick<StreamQuery, 'cursor' | 'sinceMs'>): boolean {
  return cursor !== null || sinceMs !== null
}

/**
 * Where the replay that a client asks for begins. A cursor that is known decides, else the time (pypubsub.md §7).
 * Where `onGap` is `null` a cursor that leads nowhere brings no replay, as in PyPubSub, and is told if it was once ours.
 * What can never be seen with `rights` makes no difference.
 * @throws {GoneError} the client would rather have no stream than a gap.
 */
export async function startOf(
  { cursor, sinceMs, onGap }: Pick<StreamQuery, 'cursor' | 'sinceMs' | 'onGap'>,
  hub: Hub,
  rights: Rights,
): Promise<Start> {
  let gap: Gap | null = null
  if (cursor !== null) {
    const resolution = hub.resolve(cursor as Cursor, rights)
    // PyPubSub replays nothing after an event that is itself no longer kept, though all that came after it may be.
    const isFound =
      resolution.type === 'found' && (onGap !== null || hub.keepsEventAt(resolution.at, rights))
    if (isFound) return { from: resolution.at, gap: null }
    const reason = resolution.type === 'foreign' ? 'foreign' : 'expired'
    if (onGap === 'fail') throw gone(reason)
    if (onGap !== null)
      return startAt(onGap === 'oldest' ? hub.beforeOldest : hub.head, reason, hub)
    if (reason === 'expired') ({ gap } = startAt(hub.head, reason, hub))
  }
  if (sinceMs === null) return { from: 'head', gap }
  return { from: sinceMs === -Infinity ? hub.beforeOldest : await hub.positionAt(sinceMs), gap }
}

/** `on_gap=fail`, and there is one. */
function gone(reason: Gap['reason']): HttpError {
  const fact =
    reason === 'expired'
      ? 'events after this cursor are no longer kept'
      : 'this cursor is not of this log'
  return new HttpError('GONE', `${fact}; ask with on_gap=oldest or on_gap=live`)
}

function startAt(from: Position, reason: Gap['reason'], hub: Hub): Start {
  return { from, gap: { reason, cursor: hub.cursorOf(from) } }
}
