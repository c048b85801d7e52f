/** What is kept under a key. */
export interface StateEntry {
  readonly key: string
  readonly value: Uint8Array
}

/** A change: a new value, or `null` to forget the key. */
export interface StateChange {
  readonly space: string
  readonly key: string
  readonly value: Uint8Array | null
  /** When it may be forgotten, in ms since the Unix epoch; never, if absent. It is not shown after that. */
  readonly expiresAtMs?: number
}

/**
 * The hub's second port to storage: keys in named spaces, for what doors must not forget (idempotency keys, a protocol's
 * subscriptions, positions of webhooks). As durable as the event log beside it. Engines share
 * `test/contracts/state-store.ts`.
 */
export interface StateStore {
  /** `null`: no such key, or expired. */
  get(space: string, key: string): Promise<Uint8Array | null>
  /**
   * All or none, in the order given. Resolves once as durable as this store promises.
   * @throws {LogUnavailableError} for certain nothing was stored; try again later.
   * @throws {OutcomeUnknownError} all of it was, or nothing; the same changes can be applied again.
   */
  apply(changes: readonly StateChange[]): Promise<void>
  /** Everything in a space, by key in ascending order of its UTF-8 bytes. Changes made meanwhile may be seen or not. */
  entries(space: string): AsyncIterable<StateEntry>
}
