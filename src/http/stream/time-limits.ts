import type { Hub } from '../../hub/hub.ts'
import type { Subscription } from '../../hub/subscription.ts'
import type { StreamQuery } from './stream-query.ts'

/** Ends a subscription when its time is over: `timeout` from now on, `until` by the clock of the log. `null`: it has none. */
export function timeLimits(
  { timeoutMs, untilMs }: Pick<StreamQuery, 'timeoutMs' | 'untilMs'>,
  subscription: Subscription,
  hub: Hub,
): Disposable | null {
  if (timeoutMs === null && untilMs === null) return null
  const timers = new DisposableStack()
  if (timeoutMs !== null) {
    const endMs = performance.now() + timeoutMs
    timers.use(
      when(
        () => endMs - performance.now(),
        () => subscription.end('timeout'),
      ),
    )
  }
  if (untilMs !== null)
    timers.use(
      when(
        () => untilMs - hub.timeAgo(0),
        () => void finishBefore(untilMs, subscription, hub),
      ),
    )
  return timers
}

/**
 * For a peer that has closed its end behind its request: it still gets all that was published by now, but what is to come
 * is not waited for, as a peer that has gone looks the same.
 */
export async function endWaiting(
  { untilMs }: Pick<StreamQuery, 'untilMs'>,
  subscription: Subscription,
  hub: Hub,
): Promise<void> {
  if (untilMs !== null && untilMs <= hub.timeAgo(0)) return // it is about to end by itself
  await hub.settled()
  subscription.endAtHead()
}

async function finishBefore(timeMs: number, subscription: Subscription, hub: Hub): Promise<void> {
  // What was published before may still be on its way to the disk.
  await hub.settled()
  let position
  try {
    position = await hub.positionAt(timeMs)
  } catch {
    return subscription.end('unavailable') // the log cannot be read, as for everybody who catches up
  }
  subscription.finishAt(position)
}

/** Acts once nothing is left: of a time that may be longer than a timer can wait, or pass at another speed. */
function when(leftMs: () => number, act: () => void): Disposable {
  let timer: NodeJS.Timeout
  const wait = () => {
    timer = setTimeout(
      () => (leftMs() > 0 ? wait() : act()),
      Math.min(Math.max(0, leftMs()), TIMER_MS_MAX),
    )
  }
  wait()
  return { [Symbol.dispose]: () => clearTimeout(timer) }
}

const TIMER_MS_MAX = 2 ** 31 - 1
