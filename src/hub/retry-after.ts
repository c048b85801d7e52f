import type { CloseReason } from './encoding.ts'

/**
 * How long a subscriber whose stream ends is asked to wait before it comes back, in ms: by the reason, and each time by chance, as
 * those whom one cause has ended would all be back in the same instant. `streams`: how many are open.
 */
export function retryAfterMs(
  reason: CloseReason,
  streams: number,
  drainWindowMs: number,
  random: () => number = Math.random,
): number {
  const [leastMs, mostMs] = RANGES_MS[reason]
  const crowdMs = ENDS_ALL.has(reason)
    ? Math.min(leastMs + SPREAD_MS + streams * MS_PER_STREAM, drainWindowMs)
    : 0
  const spanMs = Math.max(mostMs, crowdMs) - leastMs
  return leastMs + Math.floor(random() * (spanMs + 1))
}

/** Least and most, but for the growth of the most with the number of streams. */
const RANGES_MS: Readonly<Record<CloseReason, readonly [leastMs: number, mostMs: number]>> = {
  /** A restart takes about a second, so whoever is back sooner is refused. How much longer is for the window alone to say. */
  shutdown: [1_000, 1_000],
  /** A way that was too slow a moment ago is so still, but what is published meanwhile is lost where nothing is kept. */
  slow: [2_000, 6_000],
  stalled: [2_000, 6_000],
  /** Nothing but the hand of an operator changes that. */
  revoked: [30_000, 60_000],
  /** As refusals ask by `Retry-After`. */
  unavailable: [5_000, 10_000],
  internal: [5_000, 10_000],
  /** It has had what it asked for: there is nothing to wait for but others like it. */
  timeout: [1_000, 2_000],
  finished: [1_000, 2_000],
  unsubscribed: [1_000, 2_000],
}

/** They end all streams in one instant, or may. */
const ENDS_ALL: ReadonlySet<CloseReason> = new Set(['shutdown', 'unavailable', 'internal'])

/** Of a few streams, in ms. */
const SPREAD_MS = 1_000

/**
 * So that 500 streams a second come back, however many there were: a stream that is opened through TLS takes 1 to 2 ms of one core, a
 * log-in at a directory up to ten times as long but few of those are asked anew, and the publishers come back as well.
 */
const MS_PER_STREAM = 2
