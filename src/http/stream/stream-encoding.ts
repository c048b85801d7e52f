import type { SharedEncoding } from '../../hub/encoding.ts'
import type { Cursor } from '../../hub/event.ts'

/** A form in which HTTP clients get events. */
export interface StreamEncoding extends SharedEncoding {
  readonly contentType: string
  /** False for PyPubSub's own, whose clients know nothing of what it does not have. */
  readonly hasControlLines: boolean
  /** What is told first: the stream begins behind the cursor. `retryAfterMs`: how long to stay away after a cut. */
  opened(cursor: Cursor, nowMs: number, retryAfterMs: number): Uint8Array
}
