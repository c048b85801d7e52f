import { ByteReader, MalformedError, utf8 } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { strongEtag, type SubscriptionList } from './etag.ts'
import type { Interest } from './interests.ts'

/*
 * Bodies of the stateless mode (docs/protocols/lonelyps.md, Messages). Every reader throws MalformedError; bytes behind the
 * last field are passed over, as the reference does.
 */

export interface SubscribeBody {
  readonly url: string
  readonly interest: Interest
  /** `null`: none, as in every request to unsubscribe. */
  readonly recovery: string | null
  readonly tracing: Buffer
}

export function readSubscribe(
  body: Uint8Array,
  type: Interest['type'],
  hasRecovery: boolean,
): SubscribeBody {
  const reader = new ByteReader(body)
  const url = reader.str16()
  const interest: Interest =
    type === 'exact' ? { type, topic: Buffer.from(reader.b16()) } : { type, glob: reader.str16() }
  const recovery = hasRecovery ? optional(reader.str16()) : null
  return { url, interest, recovery, tracing: reader.b16() }
}

export interface NotifyHead {
  readonly topic: Buffer
  /** The message's hash. */
  readonly sha512: Buffer
  readonly tracing: Buffer
  readonly identifier: Buffer
  readonly messageBytes: bigint
  /** Where the message begins. */
  readonly headBytes: number
}

export function readNotifyHead(body: Uint8Array): NotifyHead {
  const reader = new ByteReader(body)
  const [topic, sha512] = [reader.b16(), reader.bytes(SHA512_BYTES)]
  const [tracing, identifier] = [reader.b16(), reader.b8()]
  const messageBytes = reader.u64()
  return { topic, sha512, tracing, identifier, messageBytes, headBytes: reader.offset }
}

/** The longest `readNotifyHead` can be asked about, in bytes. */
export const NOTIFY_HEAD_BYTES_MAX = 2 + 65_535 + 64 + 2 + 65_535 + 1 + 255 + 8

export interface CheckBody {
  readonly tracing: Buffer
  readonly url: string
}

export function readCheck(body: Uint8Array): CheckBody {
  const reader = new ByteReader(body)
  return { tracing: reader.b16(), url: reader.str16() }
}

export interface SetHead {
  readonly tracing: Buffer
  readonly url: string
  readonly etag: Buffer
  readonly headBytes: number
}

/** What is authorized, before the list is read. */
export function readSetHead(body: Uint8Array): SetHead {
  const reader = new ByteReader(body)
  const [tracing, url] = [reader.b16(), reader.str16()]
  const format = reader.u8()
  if (format !== ETAG_FORMAT) throw new MalformedError(`there is no etag format ${format}`)
  return { tracing, url, etag: reader.bytes(SHA512_BYTES), headBytes: reader.offset }
}

/** The list behind the head. @throws {MalformedError} also if it is not sorted, has more than `countMax`, or another etag. */
export function readSetList(
  body: Uint8Array,
  { url, etag, headBytes }: SetHead,
  countMax: number,
): SubscriptionList {
  const reader = new ByteReader(body.subarray(headBytes))
  const take = <T>(read: () => T, bytesOf: (entry: T) => Uint8Array): T[] => {
    const count = reader.u32()
    if (count > countMax)
      throw new MalformedError(`${count} subscriptions in one list, the limit is ${countMax}`)
    const entries: T[] = []
    let last: Uint8Array | null = null
    for (let i = 0; i < count; i++) {
      const entry = read()
      const bytes = bytesOf(entry)
      if (last !== null && Buffer.compare(last, bytes) >= 0)
        throw new MalformedError(`subscription ${i + 1} of the list is not behind the one before`)
      last = bytes
      entries.push(entry)
    }
    return entries
  }
  const topics = take(
    () => ({ topic: Buffer.from(reader.b16()), recovery: optional(reader.str16()) }),
    ({ topic }) => topic,
  )
  const globs = take(
    () => ({ glob: reader.str16(), recovery: optional(reader.str16()) }),
    ({ glob }) => Buffer.from(glob),
  )
  if (!strongEtag(url, { topics, globs }).equals(etag))
    throw new MalformedError('the etag is not that of the list')
  return { topics, globs }
}

/** The answer to one who has subscribed or unsubscribed, or whose list is the one that was sent. */
export function writeGeneric(authorization: string | null): Buffer {
  return answer(RESPONSE.generic, authorization).bytes()
}

export function writeNotified(
  authorization: string | null,
  { tracing, count, identifier }: { tracing: Uint8Array; count: number; identifier: Uint8Array },
): Buffer {
  return new ByteWriter()
    .u16(RESPONSE.notify)
    .str16(authorization ?? '')
    .b16(tracing)
    .u32(count)
    .b8(identifier)
    .bytes()
}

/** One moment in the tracing of an answer to a notification. */
export interface TraceRecord {
  /** ASCII, as the reference's broadcaster gives lengths in characters. */
  readonly name: string
  /** JSON, ASCII. */
  readonly extra: string
  /** Since the Unix epoch. */
  readonly atMs: number
}

/**
 * The tracing of an answer to a notification: without one record in it the reference's client ends with an error
 * (lonelypsc 0.0.18, its only stateless tracing). What does not fit is left out, and that is told.
 */
export function notifyTracing(
  records: readonly TraceRecord[],
  { receivedMs, sentMs }: { readonly receivedMs: number; readonly sentMs: number },
): Buffer {
  let bytes = TRACING_FRAME_BYTES
  let count = 0
  for (const { name, extra } of records) {
    bytes += 2 + name.length + 2 + extra.length + 8
    if (bytes > TRACING_BYTES_MAX) break
    count++
  }
  const writer = new ByteWriter().u8(count < records.length ? 1 : 0).u16(count)
  for (const { name, extra, atMs } of records.slice(0, count))
    writer
      .str16(name)
      .str16(extra)
      .f64(atMs / 1_000)
  return writer.u64(nanoseconds(receivedMs)).u64(nanoseconds(sentMs)).bytes()
}

/** As exact as a double has them: microseconds. */
function nanoseconds(ms: number): bigint {
  return BigInt(Math.round(ms * 1_000)) * 1_000n
}

export function writeChecked(authorization: string | null, etag: Uint8Array): Buffer {
  return answer(RESPONSE.check, authorization).u8(ETAG_FORMAT).raw(etag).bytes()
}

/** A webhook: what comes before the message. */
export function writeReceiveHead(
  topic: Uint8Array,
  identifier: Uint8Array,
  messageBytes: number,
): Buffer {
  return new ByteWriter().b16(EMPTY).b16(topic).b8(identifier).u64(BigInt(messageBytes)).bytes()
}

export function writeMissed(topic: Uint8Array): Buffer {
  return new ByteWriter().b16(EMPTY).b16(topic).bytes()
}

/** What a receiver says to a webhook. */
export type Receipt =
  | {
      readonly type: 'received'
      readonly authorization: string | null
      readonly tracing: Buffer
      readonly identifier: Buffer
      readonly count: number
    }
  | { readonly type: 'missed'; readonly authorization: string | null; readonly tracing: Buffer }
  /** It does not want that subscription. */
  | { readonly type: 'unsubscribe' }

export function readReceipt(body: Uint8Array): Receipt {
  const reader = new ByteReader(body)
  const type = reader.u16()
  if (type === RESPONSE.unsubscribe) return { type: 'unsubscribe' }
  if (type !== RESPONSE.received && type !== RESPONSE.missed)
    throw new MalformedError(`a receiver does not answer with ${type}`)
  const authorization = optional(utf8(reader.b16(), 'of an authorization'))
  const tracing = reader.b16()
  if (type === RESPONSE.missed) return { type: 'missed', authorization, tracing }
  const [identifier, count] = [reader.b8(), reader.u32()]
  return { type: 'received', authorization, tracing, identifier, count }
}

function answer(type: number, authorization: string | null): ByteWriter {
  return new ByteWriter()
    .u16(type)
    .str16(authorization ?? '')
    .b16(EMPTY)
}

function optional(text: string): string | null {
  return text === '' ? null : text
}

/** Types of answers, in both directions (lonelypsp 0.0.46, `stateless/constants.py`). */
const RESPONSE = { generic: 3, notify: 4, check: 5, received: 8, missed: 9, unsubscribe: 10 }

const TRACING_BYTES_MAX = 65_535

/** Flag, number of records, and two times. */
const TRACING_FRAME_BYTES = 1 + 2 + 8 + 8

const ETAG_FORMAT = 0
const SHA512_BYTES = 64
const EMPTY = new Uint8Array()
