/** What a subscriber sends over its WebSocket. Types are named as in lonelypsp 0.0.46. */
export type SubscriberMessage =
  | Configure
  | OfTopic<'SUBSCRIBE_EXACT'>
  | OfGlob<'SUBSCRIBE_GLOB'>
  | OfTopic<'UNSUBSCRIBE_EXACT'>
  | OfGlob<'UNSUBSCRIBE_GLOB'>
  | Notify
  | StreamPart<'NOTIFY_STREAM'>
  | PartDone<'CONTINUE_RECEIVE'>
  | ConfirmReceive

/** What we send. The messages about dictionaries of our own making are missing: we make none. */
export type BroadcasterMessage =
  | ConfirmConfigure
  | EnableZstdPreset
  | OfTopic<'CONFIRM_SUBSCRIBE_EXACT'>
  | OfGlob<'CONFIRM_SUBSCRIBE_GLOB'>
  | OfTopic<'CONFIRM_UNSUBSCRIBE_EXACT'>
  | OfGlob<'CONFIRM_UNSUBSCRIBE_GLOB'>
  | ConfirmNotify
  | PartDone<'CONTINUE_NOTIFY'>
  | StreamPart<'RECEIVE_STREAM'>
  | OfTopic<'MISSED'>

/** What every message has. */
interface Envelope<Type extends string> {
  readonly type: Type
  readonly authorization: string | null
  /** Opaque; the authorization covers it. */
  readonly tracing: Uint8Array
}

interface OfTopic<Type extends string> extends Envelope<Type> {
  readonly topic: Uint8Array
}

interface OfGlob<Type extends string> extends Envelope<Type> {
  readonly glob: string
}

interface Configure extends Envelope<'CONFIGURE'> {
  readonly subscriberNonce: Uint8Array
  readonly enableZstd: boolean
  readonly enableTraining: boolean
  /** The preset dictionary it would like; 0 and 1 are none. */
  readonly initialDictionary: number
}

interface ConfirmConfigure extends Envelope<'CONFIRM_CONFIGURE'> {
  readonly broadcasterNonce: Uint8Array
}

/** From now on both sides may compress so. */
interface EnableZstdPreset extends Envelope<'ENABLE_ZSTD_PRESET'> {
  /** 1 is zstd alone; 2 to 65,535 are dictionaries that both sides have. */
  readonly compressor: number
  readonly level: number
  /** It is for messages of so many bytes and more, and of fewer than `messageBytesEnd`. */
  readonly messageBytesMin: number
  readonly messageBytesEnd: bigint
}

/** What a notification is, said once before its bytes. */
export interface Content {
  readonly topic: Uint8Array
  /** 0 is none. */
  readonly compressor: number
  readonly compressedBytes: number
  readonly decompressedBytes: number
  /** The hash of the bytes as they are sent. */
  readonly compressedSha512: Uint8Array
}

export interface Notify extends Envelope<'NOTIFY'> {
  readonly identifier: Uint8Array
  readonly content: Content
  readonly body: Uint8Array
}

export interface StreamPart<Type extends string> extends Envelope<Type> {
  readonly identifier: Uint8Array
  readonly partId: number
  /** Part 0 has it, and no other. */
  readonly content: Content | null
  readonly body: Uint8Array
}

/** Every part but the last is answered so. */
interface PartDone<Type extends string> extends Envelope<Type> {
  readonly identifier: Uint8Array
  readonly partId: number
}

interface ConfirmNotify extends Envelope<'CONFIRM_NOTIFY'> {
  readonly identifier: Uint8Array
  readonly subscribers: number
}

interface ConfirmReceive extends Envelope<'CONFIRM_RECEIVE'> {
  readonly identifier: Uint8Array
  readonly subscribers: number
}
