import type { CloseReason, Gap } from './encoding.ts'
import type { Cursor, PublishedEvent } from './event.ts'

/** Where a subscription's events go whose bytes are made for each subscriber: signed, encrypted, in a session's own numbers. */
export interface EventSink {
  /**
   * In log order, each once; never waits. They are taken in any case; `false`: nothing more is to come until
   * `Subscription.drained()`. Meanwhile the subscription has its place in the log, and nothing is queued for it.
   */
  take(events: readonly PublishedEvent[]): boolean
  /** Bytes handed to the peer's connection and not yet taken by the peer. What waits for anything else does not count. */
  readonly queuedBytes: number
  /** Bytes that the peer has taken since the beginning. While something is queued and this stands still, the peer is stalled. */
  readonly takenBytes: number
  /** Nothing has been sent for a while. */
  keepAlive?(): void
  /** Events that were due are not coming; what comes next goes on behind them. */
  gap(gap: Gap): void
  /** Nothing more comes. `cursor`: everything up to there has been handed over. */
  end(reason: CloseReason, cursor: Cursor): void
  /** Gives up the peer at once, after something has failed in such a way that nothing can be told. */
  destroy(): void
}
