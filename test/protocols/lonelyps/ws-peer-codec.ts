import assert from 'node:assert/strict'
import type {
  BroadcasterMessage,
  Content,
  SubscriberMessage,
} from '../../../src/protocols/lonelyps/ws-messages.ts'

/** The other end of a WebSocket: what a subscriber writes and reads. Shares no code with ours. */
export type HeaderForm = 'minimal' | 'expanded'

type Header = readonly [name: string, value: Uint8Array]

export function writeSubscriberMessage(message: SubscriberMessage, form: HeaderForm): Buffer {
  const headers = headersOf(message)
  const body = 'body' in message ? message.body : new Uint8Array()
  const type = SUBSCRIBER_TYPES.indexOf(message.type)
  return form === 'minimal'
    ? Buffer.concat([u16(1), u16(type), ...headers.map(([, value]) => b16(value)), body])
    : writeExpanded(type, headers, body)
}

/** Any names and values, for headers that nobody should send. */
export function writeExpanded(
  type: number,
  headers: readonly Header[],
  body: Uint8Array = new Uint8Array(),
): Buffer {
  const named = headers.flatMap(([name, value]) => [b16(Buffer.from(name, 'latin1')), b16(value)])
  return Buffer.concat([u16(0), u16(type), u16(headers.length), ...named, body])
}

export function headersOf(message: SubscriberMessage): Header[] {
  const envelope: Header[] = [
    ['authorization', Buffer.from(message.authorization ?? '')],
    ['x-tracing', message.tracing],
  ]
  switch (message.type) {
    case 'CONFIGURE':
      return [
        ['x-subscriber-nonce', message.subscriberNonce],
        ['x-enable-zstd', Buffer.of(message.enableZstd ? 1 : 0)],
        ['x-enable-training', Buffer.of(message.enableTraining ? 1 : 0)],
        ['x-initial-dict', u16(message.initialDictionary)],
        ...envelope,
      ]
    case 'SUBSCRIBE_EXACT':
    case 'UNSUBSCRIBE_EXACT':
      return [...envelope, ['x-topic', message.topic]]
    case 'SUBSCRIBE_GLOB':
    case 'UNSUBSCRIBE_GLOB':
      return [...envelope, ['x-glob', Buffer.from(message.glob)]]
    case 'NOTIFY':
      return [...envelope, ['x-identifier', message.identifier], ...contentHeaders(message.content)]
    case 'NOTIFY_STREAM':
      return [
        ...envelope,
        ['x-identifier', message.identifier],
        ['x-part-id', uint(message.partId, 1)],
        ...(message.content === null ? [] : contentHeaders(message.content)),
      ]
    case 'CONTINUE_RECEIVE':
      return [
        ['x-identifier', message.identifier],
        ['x-part-id', uint(message.partId)],
        ...envelope,
      ]
    case 'CONFIRM_RECEIVE':
    default:
      return [
        ['x-identifier', message.identifier],
        ...envelope,
        ['x-num-subscribers', uint(message.subscribers, 4)],
      ]
  }
}

function contentHeaders(content: Content): Header[] {
  return [
    ['x-topic', content.topic],
    ['x-compressor', uint(content.compressor, 1)],
    ['x-compressed-length', uint(content.compressedBytes)],
    ['x-decompressed-length', uint(content.decompressedBytes)],
    ['x-compressed-sha512', content.compressedSha512],
  ]
}

/** Throws on whatever no broadcaster of ours sends, dictionaries of its own making among them. */
export function readBroadcasterMessage(bytes: Uint8Array): BroadcasterMessage {
  const buffer = Buffer.from(bytes)
  let at = 4
  const u16At = () => (at += 2) && buffer.readUInt16BE(at - 2)
  const b16At = () => {
    const length = u16At()
    if (at + length > buffer.length) throw new RangeError('a header reaches behind the end')
    return buffer.subarray(at, (at += length))
  }
  const isMinimal = (buffer.readUInt16BE(0) & 1) === 1
  const named = new Map<string, Buffer>()
  if (!isMinimal)
    for (let left = u16At(); left > 0; left--) named.set(b16At().toString('latin1'), b16At())
  const raw = (name: string) => Buffer.from(isMinimal ? b16At() : named.get(name)!)
  const text = (name: string) => raw(name).toString('utf8')
  const number = (name: string) => raw(name).reduce((sum, byte) => sum * 256 + byte, 0)
  const envelope = () => ({
    authorization: text('authorization') || null,
    tracing: raw('x-tracing'),
  })
  const type = BROADCASTER_TYPES[buffer.readUInt16BE(2)]
  switch (type) {
    case 'CONFIRM_CONFIGURE':
      return { type, broadcasterNonce: raw('x-broadcaster-nonce'), ...envelope() }
    case 'CONFIRM_SUBSCRIBE_EXACT':
    case 'CONFIRM_UNSUBSCRIBE_EXACT':
      return { type, topic: raw('x-topic'), ...envelope() }
    case 'CONFIRM_SUBSCRIBE_GLOB':
    case 'CONFIRM_UNSUBSCRIBE_GLOB':
      return { type, glob: text('x-glob'), ...envelope() }
    case 'CONFIRM_NOTIFY': {
      const identifier = raw('x-identifier')
      return { type, identifier, subscribers: number('x-subscribers'), ...envelope() }
    }
    case 'CONTINUE_NOTIFY':
      return { type, identifier: raw('x-identifier'), partId: number('x-part-id'), ...envelope() }
    case 'RECEIVE_STREAM': {
      const head = { ...envelope(), identifier: raw('x-identifier'), partId: number('x-part-id') }
      const content: Content | null =
        head.partId > 0
          ? null
          : {
              topic: raw('x-topic'),
              compressor: number('x-compressor'),
              compressedBytes: number('x-compressed-length'),
              decompressedBytes: number('x-decompressed-length'),
              compressedSha512: raw('x-compressed-sha512'),
            }
      return { type, ...head, content, body: buffer.subarray(at) }
    }
    case 'ENABLE_ZSTD_PRESET':
      return {
        type,
        compressor: number('x-identifier'),
        level: raw('x-compression-level').readInt16BE(),
        messageBytesMin: number('x-min-size'),
        messageBytesEnd: BigInt(`0x${raw('x-max-size').toString('hex') || '0'}`),
        ...envelope(),
      }
    case 'MISSED':
      return { type, ...envelope(), topic: raw('x-topic') }
    case undefined:
    default:
      throw new RangeError('a message about a dictionary, or of an unknown type')
  }
}

const SUBSCRIBER_TYPES: readonly (SubscriberMessage['type'] | '')[] = [
  '',
  'CONFIGURE',
  'SUBSCRIBE_EXACT',
  'SUBSCRIBE_GLOB',
  'UNSUBSCRIBE_EXACT',
  'UNSUBSCRIBE_GLOB',
  'NOTIFY',
  'NOTIFY_STREAM',
  'CONTINUE_RECEIVE',
  'CONFIRM_RECEIVE',
]

const BROADCASTER_TYPES: Readonly<Record<number, BroadcasterMessage['type']>> = {
  1: 'CONFIRM_CONFIGURE',
  2: 'CONFIRM_SUBSCRIBE_EXACT',
  3: 'CONFIRM_SUBSCRIBE_GLOB',
  4: 'CONFIRM_UNSUBSCRIBE_EXACT',
  5: 'CONFIRM_UNSUBSCRIBE_GLOB',
  6: 'CONFIRM_NOTIFY',
  7: 'CONTINUE_NOTIFY',
  8: 'RECEIVE_STREAM',
  9: 'ENABLE_ZSTD_PRESET',
  12: 'MISSED',
}

function u16(value: number): Buffer {
  return Buffer.of(value >> 8, value & 255)
}

function b16(value: Uint8Array): Buffer {
  return Buffer.concat([u16(value.length), value])
}

/** Big-endian, in as few bytes as it takes but no fewer than these. */
function uint(value: number, bytesMin = 0): Buffer {
  const hex = value === 0 ? '' : value.toString(16)
  const even = hex.length % 2 === 1 ? `0${hex}` : hex
  return Buffer.from(even.padStart(2 * bytesMin, '0'), 'hex')
}

/** The message in a whole frame of a server. */
export function messageIn(frame: Uint8Array): Buffer {
  const bytes = Buffer.from(frame)
  assert.equal(bytes[0], 0x82)
  const length = bytes[1]!
  const [at, bytesInside] =
    length < 126
      ? [2, length]
      : length === 126
        ? [4, bytes.readUInt16BE(2)]
        : [10, Number(bytes.readBigUInt64BE(2))]
  assert.equal(bytes.length, at + bytesInside)
  return bytes.subarray(at)
}
