export interface LonelypsLimits {
  /** Bytes of one notification. */
  readonly messageBytesMax: number
  /** Bytes of all notifications that come, until they are stored. */
  readonly messageMemoryMax: number
  /** Stored ones of all urls. */
  readonly subscriptionsMax: number
  /** Of them, those of one user or address. 0: as many as are left for all others. */
  readonly subscriptionsPerAddressMax: number
  /** Subscriptions of one url, or one WebSocket. */
  readonly subscriptionsPerPeerMax: number
  /** Different ones of all urls, and of all WebSockets. */
  readonly globsMax: number
  /** Globs that one user or address may have of the ones, and of the others. 0: as many as are left for all others. */
  readonly globsPerAddressMax: number
  /** Unsent bytes of one WebSocket. */
  readonly queueBytesMax: number
  /** Nesting of a message that is to be a JSON object over HTTP. */
  readonly jsonDepthMax: number
  /** Segments of one topic. */
  readonly topicsMax: number
}
