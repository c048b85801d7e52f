/** A position in the event log, as a peer sees it: 36 characters. Opaque outside `log/`; compare only with `===`. */
export type Cursor = string & { readonly __brand: 'Cursor' }

/** A place in one log, increasing. Only `log/` and `hub/` use it; peers see cursors. */
export type Position = number & { readonly __brand: 'Position' }

/**
 * What a publisher handed in, as the JSON object that HTTP shows of it: one line of valid JSON, from its `{` to its `}`,
 * without raw line breaks and without top-level `pubsub_*` members of the server's own names.
 * `json-object`: in the text that was published (numbers, key order and escapes untouched).
 * `data`: bytes that were no such object, in the member `data` or `data_base64` (`hub/payload.ts`).
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
}

/** A publication the hub has accepted: it now has a place in the log. Never mutated after this. */
export interface PublishedEvent extends Publication {
  readonly position: Position
  readonly cursor: Cursor
  /** When the log took it, in milliseconds since the Unix epoch; never decreases along the log. */
  readonly publishedAtMs: number
}
