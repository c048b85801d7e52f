import type { Hub } from '../../hub/hub.ts'
import type { Subscription } from '../../hub/subscription.ts'
import type { StreamQuery } from './stream-query.ts'

/** Ends a subscription when its time is over: `timeout` from now on, `until` on the clock. `null`: it has none. */
export function timeLimits(
  { timeoutMs, untilMs }: Pick<StreamQuery, 'timeoutMs' | 'untilMs'>,
  subscription: Subscription,
  hub: Hub,
): Disposable | null {
  if (timeoutMs === null && untilMs === null) return null
  const timers = new DisposableStack()
  if (timeoutMs !== null) timers.use(at(Date.now() + timeoutMs, () => subscription.end('timeout')))
  if (untilMs !== null) timers.use(at(untilMs, () => void finishBefore(untilMs, subscription, hub)))
  return timers
}

async function finishBefore(timeMs: number, subscription: Subscription, hub: Hub): Promise<void> {
  // What was published before may still be on its way to the disk.
  await hub.settled()
  try {
    subscription.finishAt(await hub.positionAt(timeMs))
  } catch {
    subscription.end('unavailable') // the log cannot be read, as for everybody who catches up
  }
}

/** Like `setTimeout`, for times that may be further away than it can wait. */
function at(timeMs: number, act: () => void): Disposable {
  let timer: NodeJS.Timeout
  const wait = () => {
    const leftMs = timeMs - Date.now()
    timer = setTimeout(
      leftMs > TIMER_MS_MAX ? wait : act,
      Math.min(Math.max(0, leftMs), TIMER_MS_MAX),
    )
  }
  wait()
  return { [Symbol.dispose]: () => clearTimeout(timer) }
}

const TIMER_MS_MAX = 2 ** 31 - 1
