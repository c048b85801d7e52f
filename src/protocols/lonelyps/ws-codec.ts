import { ByteReader, MalformedError, utf8 } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import type { BroadcasterMessage, Content, SubscriberMessage } from './ws-messages.ts'

/** Identifiers of notifications and deliveries, in bytes at most (docs/protocols/lonelyps.md, limits). */
const IDENTIFIER_BYTES_MAX = 64

const NONCE_BYTES = 32
const SHA512_BYTES = 64

/**
 * One whole binary message of a subscriber, with headers of either form. Its byte strings are views of `bytes`.
 * @throws {MalformedError}
 */
export function readSubscriberMessage(bytes: Uint8Array): SubscriberMessage {
  const reader = new ByteReader(bytes)
  const flags = reader.u16()
  const type = SUBSCRIBER_TYPES[reader.u16()]
  if (type === undefined) throw new MalformedError('a message of an unknown type')
  return READ[type](new Headers(reader, (flags & MINIMAL_HEADERS) !== 0))
}

/** With minimal headers: every subscriber reads both forms. */
export function writeBroadcasterMessage(message: BroadcasterMessage): Uint8Array {
  const writer = new ByteWriter().u16(MINIMAL_HEADERS).u16(BROADCASTER_TYPES[message.type])
  for (const value of headersOf(message)) writer.b16(value)
  if (message.type === 'RECEIVE_STREAM') writer.raw(message.body)
  return writer.bytes()
}

/** Set in the flags: values alone, in a fixed order. Not set: names and values, in any order. */
const MINIMAL_HEADERS = 0x0001

const SUBSCRIBER_TYPES: Readonly<Record<number, SubscriberMessage['type']>> = {
  1: 'CONFIGURE',
  2: 'SUBSCRIBE_EXACT',
  3: 'SUBSCRIBE_GLOB',
  4: 'UNSUBSCRIBE_EXACT',
  5: 'UNSUBSCRIBE_GLOB',
  6: 'NOTIFY',
  7: 'NOTIFY_STREAM',
  8: 'CONTINUE_RECEIVE',
  9: 'CONFIRM_RECEIVE',
}

/** 10 and 11 are of dictionaries that a broadcaster makes and sends, which we do not. */
const BROADCASTER_TYPES: Readonly<Record<BroadcasterMessage['type'], number>> = {
  CONFIRM_CONFIGURE: 1,
  CONFIRM_SUBSCRIBE_EXACT: 2,
  CONFIRM_SUBSCRIBE_GLOB: 3,
  CONFIRM_UNSUBSCRIBE_EXACT: 4,
  CONFIRM_UNSUBSCRIBE_GLOB: 5,
  CONFIRM_NOTIFY: 6,
  CONTINUE_NOTIFY: 7,
  RECEIVE_STREAM: 8,
  ENABLE_ZSTD_PRESET: 9,
  MISSED: 12,
}

/** Headers are taken in the order of the minimal form, which has no names. */
const READ: {
  readonly [Type in SubscriberMessage['type']]: (
    headers: Headers,
  ) => Extract<SubscriberMessage, { type: Type }>
} = {
  CONFIGURE: (headers) => ({
    type: 'CONFIGURE',
    subscriberNonce: headers.fixed('x-subscriber-nonce', NONCE_BYTES),
    enableZstd: headers.isOne('x-enable-zstd'),
    enableTraining: headers.isOne('x-enable-training'),
    initialDictionary: headers.uint('x-initial-dict', 2),
    ...readEnvelope(headers),
  }),
  SUBSCRIBE_EXACT: (headers) => ({ type: 'SUBSCRIBE_EXACT', ...readTopic(headers) }),
  SUBSCRIBE_GLOB: (headers) => ({ type: 'SUBSCRIBE_GLOB', ...readGlob(headers) }),
  UNSUBSCRIBE_EXACT: (headers) => ({ type: 'UNSUBSCRIBE_EXACT', ...readTopic(headers) }),
  UNSUBSCRIBE_GLOB: (headers) => ({ type: 'UNSUBSCRIBE_GLOB', ...readGlob(headers) }),
  NOTIFY: (headers) => ({
    type: 'NOTIFY',
    ...readEnvelope(headers),
    identifier: readIdentifier(headers),
    content: readContent(headers),
    body: headers.body(),
  }),
  NOTIFY_STREAM: (headers) => {
    const head = {
      ...readEnvelope(headers),
      identifier: readIdentifier(headers),
      partId: readPartId(headers),
    }
    return {
      type: 'NOTIFY_STREAM',
      ...head,
      content: head.partId === 0 ? readContent(headers) : null,
      body: headers.body(),
    }
  },
  CONTINUE_RECEIVE: (headers) => ({
    type: 'CONTINUE_RECEIVE',
    identifier: readIdentifier(headers),
    partId: readPartId(headers),
    ...readEnvelope(headers),
  }),
  CONFIRM_RECEIVE: (headers) => ({
    type: 'CONFIRM_RECEIVE',
    identifier: readIdentifier(headers),
    ...readEnvelope(headers),
    subscribers: headers.uint('x-num-subscribers', 4),
  }),
}

function readEnvelope(headers: Headers) {
  const authorization = headers.text('authorization')
  return {
    authorization: authorization === '' ? null : authorization,
    tracing: headers.raw('x-tracing'),
  }
}

function readTopic(headers: Headers) {
  return { ...readEnvelope(headers), topic: headers.raw('x-topic') }
}

function readGlob(headers: Headers) {
  return { ...readEnvelope(headers), glob: headers.text('x-glob') }
}

function readContent(headers: Headers): Content {
  return {
    topic: headers.raw('x-topic'),
    compressor: headers.uint('x-compressor', 8),
    compressedBytes: headers.uint('x-compressed-length', 8),
    decompressedBytes: headers.uint('x-decompressed-length', 8),
    compressedSha512: headers.fixed('x-compressed-sha512', SHA512_BYTES),
  }
}

function readIdentifier(headers: Headers): Uint8Array {
  return headers.raw('x-identifier', IDENTIFIER_BYTES_MAX)
}

function readPartId(headers: Headers): number {
  return headers.uint('x-part-id', 8)
}

/** The headers of one message, and what is behind them. */
class Headers {
  readonly #reader: ByteReader
  /** `null`: the form without names. */
  readonly #named: ReadonlyMap<string, Buffer> | null

  constructor(reader: ByteReader, isMinimal: boolean) {
    this.#reader = reader
    this.#named = isMinimal ? null : readNamed(reader)
  }

  raw(name: string, bytesMax = 65_535): Buffer {
    const value = this.#named === null ? this.#reader.b16() : this.#named.get(name)
    if (value === undefined) throw new MalformedError(`no ${name}`)
    if (value.length > bytesMax)
      throw new MalformedError(`${name} has ${value.length} bytes, ${bytesMax} at most are allowed`)
    return value
  }

  fixed(name: string, length: number): Uint8Array {
    const value = this.raw(name, length)
    if (value.length < length)
      throw new MalformedError(`${name} has ${value.length} bytes instead of ${length}`)
    return value
  }

  /** Big-endian, of any length up to the longest: no bytes are 0. */
  uint(name: string, bytesMax: number): number {
    let number = 0
    for (const byte of this.raw(name, bytesMax)) number = number * 256 + byte
    // No length, part id or compressor that we accept comes near.
    if (!Number.isSafeInteger(number)) throw new MalformedError(`${name} is too large`)
    return number
  }

  /** Only the one byte 1 says yes (lonelypsp 0.0.46). */
  isOne(name: string): boolean {
    const value = this.raw(name)
    return value.length === 1 && value[0] === 1
  }

  text(name: string): string {
    return utf8(this.raw(name), `of ${name}`)
  }

  /** After all headers were taken. */
  body(): Uint8Array {
    return this.#reader.rest()
  }
}

/** The last of several values of one name counts, and names nobody asks for do no harm (lonelypsp 0.0.46). */
function readNamed(reader: ByteReader): ReadonlyMap<string, Buffer> {
  const named = new Map<string, Buffer>()
  for (let left = reader.u16(); left > 0; left--) {
    const name = reader.b16().toString('latin1').toLowerCase()
    named.set(name, reader.b16())
  }
  return named
}

/** The values in the order of the minimal form. Where the authorization stands differs from message to message. */
function headersOf(message: BroadcasterMessage): readonly Uint8Array[] {
  const envelope = [Buffer.from(message.authorization ?? ''), message.tracing]
  switch (message.type) {
    case 'CONFIRM_CONFIGURE':
      return [message.broadcasterNonce, ...envelope]
    case 'CONFIRM_SUBSCRIBE_EXACT':
    case 'CONFIRM_UNSUBSCRIBE_EXACT':
      return [message.topic, ...envelope]
    case 'CONFIRM_SUBSCRIBE_GLOB':
    case 'CONFIRM_UNSUBSCRIBE_GLOB':
      return [Buffer.from(message.glob), ...envelope]
    case 'CONFIRM_NOTIFY':
      return [message.identifier, minimalUint(message.subscribers), ...envelope]
    case 'CONTINUE_NOTIFY':
      return [message.identifier, minimalUint(message.partId), ...envelope]
    case 'RECEIVE_STREAM': {
      const head = [...envelope, message.identifier, uintWithZero(message.partId)]
      return message.content === null ? head : [...head, ...contentHeaders(message.content)]
    }
    case 'ENABLE_ZSTD_PRESET':
      return [
        minimalUint(message.compressor),
        Uint8Array.of((message.level >> 8) & 255, message.level & 255),
        minimalUint(message.messageBytesMin),
        minimalUint(message.messageBytesEnd),
        ...envelope,
      ]
    case 'MISSED':
    default:
      return [...envelope, message.topic]
  }
}

function contentHeaders(content: Content): readonly Uint8Array[] {
  return [
    content.topic,
    uintWithZero(content.compressor),
    minimalUint(content.compressedBytes),
    minimalUint(content.decompressedBytes),
    content.compressedSha512,
  ]
}

/** Big-endian without leading zeros, so that 0 is no bytes at all. */
function minimalUint(value: number | bigint): Uint8Array {
  const bytes: number[] = []
  if (typeof value === 'bigint')
    for (let rest = value; rest > 0n; rest /= 256n) bytes.unshift(Number(rest % 256n))
  else for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256)
  return Uint8Array.from(bytes)
}

/** A part id and a compressor of a stream: lonelypsp 0.0.46 writes their 0 as one byte. */
function uintWithZero(value: number): Uint8Array {
  return value === 0 ? Uint8Array.of(0) : minimalUint(value)
}
