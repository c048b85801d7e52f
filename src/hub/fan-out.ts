import type { Sink } from './encoding.ts'

/**
 * A way to hand the same bytes to many sinks that is quicker than writing to each: the doors' side knows what the sinks are
 * made of. Whatever it does not send, the hub writes to the sink.
 */
export interface FanOut {
  seats(): FanOutSeats
}

/**
 * The members of one audience, by their seats. Nothing is sent for a sink that is `null`, nor while a sink has something
 * queued, as that must not be overtaken.
 */
export interface FanOutSeats {
  /** Behind the last one. */
  add(sink: Sink | null): void
  /** The last one takes that seat. */
  remove(seat: number): void
  /** Its sink has been written to otherwise, or is another one. */
  update(seat: number, sink: Sink | null): void
  /**
   * Sends to that seat and down from it to the first, as far as all is taken. The seat of the first one of which not all was; -1:
   * there is none. It never throws.
   */
  send(seat: number, bytes: Uint8Array): number
  /** How many bytes the one has taken that `send` has stopped at. */
  readonly sentBytes: number
  /** What was thrown there, so that it is not known what was sent. `null`: nothing. */
  readonly failure: { readonly error: unknown } | null
}

/** Everything is written to the sinks. */
export const NO_FAN_OUT: FanOut = {
  seats: () => ({
    add() {},
    remove() {},
    update() {},
    send: (seat) => seat,
    sentBytes: 0,
    failure: null,
  }),
}
