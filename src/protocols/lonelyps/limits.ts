export interface LonelypsLimits {
  /** Of one notification, in bytes. */
  readonly messageBytesMax: number
  /** Of all notifications that come, until they are stored, in bytes. */
  readonly messageMemoryMax: number
  /** Stored ones of all urls. */
  readonly subscriptionsMax: number
  /** Of one url, or one WebSocket. */
  readonly subscriptionsPerPeerMax: number
  /** Different ones of all urls, and of all WebSockets. */
  readonly globsMax: number
  /** Of them, those of the WebSockets of one user or address. 0: as many as are left for all others. */
  readonly globsPerAddressMax: number
  /** Unsent bytes of one WebSocket. */
  readonly queueBytesMax: number
  /** Nesting of a message that is to be a JSON object over HTTP. */
  readonly jsonDepthMax: number
  /** Segments of one topic. */
  readonly topicsMax: number
}
