import type { Cursor, PublishedEvent } from './event.ts'

/** Why a stream ended. None of these is an error but the last one. */
export type CloseReason =
  | 'unsubscribed'
  /** It has had all that it asked for. */
  | 'finished'
  /** It asked for no more time. */
  | 'timeout'
  | 'slow'
  | 'stalled'
  | 'revoked'
  /** The log cannot be read now; it says itself why. */
  | 'unavailable'
  | 'shutdown'
  /** A bug of ours, or of a part that was given to us; the log has it. */
  | 'internal'

/** Told in-band where continuity broke: events that were due are not coming. */
export interface Gap {
  /** `expired`: no longer kept. `foreign`: not a cursor of this log. `damaged`: kept, and can no longer be read. */
  readonly reason: 'expired' | 'foreign' | 'damaged'
  /** Where the stream goes on. */
  readonly cursor: Cursor
}

/** Told in-band before the server ends a stream. */
export interface Closing {
  readonly reason: CloseReason
  /** Where the subscriber was, so that it can resume. */
  readonly cursor: Cursor
  /** How long it is asked to wait before it comes back. */
  readonly retryAfterMs: number
}

/**
 * Form and framing of a stream, e.g. PyPubSub lines in HTTP chunks: everything that is the same for each subscriber who
 * chose it, so that an event is encoded once for all of them. Every method gives whole frames.
 */
export interface SharedEncoding {
  /** Equal for equal bytes. */
  readonly key: string
  event(event: PublishedEvent): Uint8Array
  /** `cursor`: everything up to there that is due was sent. Asked only where it is told, as it takes long to make. */
  keepAlive(nowMs: number, cursor: () => Cursor): Uint8Array
  /** Nothing, where the form has no word for it. `null`: then it ends, as `unavailable`. */
  gap(gap: Gap, nowMs: number): Uint8Array | null
  /** Nothing, where the form has no word for it. */
  closing(closing: Closing, nowMs: number): Uint8Array
}

/** Where a subscriber's bytes go. Implemented by an HTTP stream, a WebSocket, a protocol session. */
export interface Sink {
  /** Takes whole encoded frames; never waits. `false`: the peer is behind; `Subscription.drained()` says when no more. */
  write(batch: Uint8Array): boolean
  /** Bytes handed over and not yet taken by the peer. */
  readonly queuedBytes: number
  /**
   * Bytes that were written to the sink and that the peer has taken, since the beginning; what a `FanOut` has sent may be left
   * out. While something is queued and this stands still, the peer is stalled.
   */
  readonly takenBytes: number
  /** Sends the farewell if the peer still takes bytes, and closes. `null`: nothing was sent so far, as the opening was held. */
  end(reason: CloseReason, farewell: Uint8Array | null): void
  /** Gives up the peer at once, after something has failed in such a way that nothing can be told. */
  destroy(): void
}
