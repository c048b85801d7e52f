import type { Publication } from '../publication/publication.ts'

/** A position in the event log, as a peer sees it: 36 characters. Opaque outside `log/`; compare only with `===`. */
export type Cursor = string & { readonly __brand: 'Cursor' }

/** A place in one log, increasing. Only `log/` and `hub/` use it; peers see cursors. */
export type Position = number & { readonly __brand: 'Position' }

/** A publication the hub has accepted: it now has a place in the log. Never mutated after this. */
export interface PublishedEvent extends Publication {
  readonly position: Position
  readonly cursor: Cursor
  /** When the log took it, in milliseconds since the Unix epoch; never decreases along the log. */
  readonly publishedAtMs: number
}
