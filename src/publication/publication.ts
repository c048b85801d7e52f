import type { Envelope, Tags } from './envelope.ts'

/**
 * What a publisher handed in, as the JSON object that HTTP shows of it: one line of valid JSON, from its `{` to its `}`,
 * without raw line breaks and without top-level `pubsub_*` members of the server's own names.
 * `json-object`: in the text that was published (numbers, key order and escapes untouched).
 * `data`: bytes that were no such object, in the member `data` or `data_base64` (`payload.ts`).
 */
export interface Payload {
  readonly type: 'json-object' | 'data'
  readonly text: string
}

export interface Publication {
  /** In published order, duplicates kept; none is empty. Without the leading `private`. */
  readonly topics: readonly string[]
  /** Shown only to subscribers whose rights cover the topics. */
  readonly isPrivate: boolean
  /** The path as it was requested, percent-decoded: `/private/fruits/apples`. */
  readonly path: string
  readonly payload: Payload
  readonly envelope?: Envelope
  readonly tags?: Tags
}
