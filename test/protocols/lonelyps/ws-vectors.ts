import { readFileSync } from 'node:fs'
import type {
  BroadcasterMessage,
  Content,
  SubscriberMessage,
} from '../../../src/protocols/lonelyps/ws-messages.ts'

/** One WebSocket message, as lonelypsp 0.0.46 wrote it. */
export interface WsVector {
  readonly name: string
  readonly kind: string
  readonly direction: 's2b' | 'b2s'
  readonly fields: Readonly<Record<string, unknown>> & {
    readonly minimal_headers: boolean
    readonly type_name: string
  }
  readonly encoded_hex: string
}

/** All messages of one connection, in the order in which the broadcaster saw them. */
export interface Transcript {
  readonly name: string
  readonly frames: readonly {
    readonly direction: 's2b' | 'b2s'
    readonly type_name: string
    readonly encoded_hex: string
  }[]
}

const { vectors, transcripts } = JSON.parse(
  readFileSync(new URL('../../conformance/lonelyps/vectors.json', import.meta.url), 'utf8'),
) as { vectors: WsVector[]; transcripts: Transcript[] }

export const wsVectors = vectors.filter(({ kind }) => kind === 'ws-message')

export function transcript(name: string): Transcript {
  const found = transcripts.find((each) => each.name === name)
  if (found === undefined) throw new RangeError(`no transcript ${name}`)
  return found
}

/** What a vector says in the words of lonelypsp 0.0.46, in ours. */
export function messageOf({ fields }: WsVector): SubscriberMessage | BroadcasterMessage | null {
  const hex = (name: string) => bytesOf(fields[name])
  const number = (name: string) => Number(fields[name] ?? 0) // it writes the 0 of an enumeration as null
  const glob = String(fields['glob'])
  const envelope = {
    authorization: fields['authorization'] as string | null,
    tracing: hex('tracing'),
  }
  const identifier = hex('identifier')
  const type = fields.type_name as (SubscriberMessage | BroadcasterMessage)['type']
  switch (type) {
    case 'CONFIGURE':
      return {
        type,
        subscriberNonce: hex('subscriber_nonce'),
        enableZstd: fields['enable_zstd'] === true,
        enableTraining: fields['enable_training'] === true,
        initialDictionary: number('initial_dict'),
        ...envelope,
      }
    case 'CONFIRM_CONFIGURE':
      return { type, broadcasterNonce: hex('broadcaster_nonce'), ...envelope }
    case 'ENABLE_ZSTD_PRESET': {
      const end = number('max_size')
      return {
        type,
        compressor: number('identifier'),
        level: number('compression_level'),
        messageBytesMin: number('min_size'),
        // 2^64 - 1 is not a number of JavaScript.
        messageBytesEnd: end >= 2 ** 64 ? 2n ** 64n - 1n : BigInt(end),
        ...envelope,
      }
    }
    case 'SUBSCRIBE_EXACT':
    case 'UNSUBSCRIBE_EXACT':
    case 'CONFIRM_SUBSCRIBE_EXACT':
    case 'CONFIRM_UNSUBSCRIBE_EXACT':
    case 'MISSED':
      return { type, ...envelope, topic: hex('topic') }
    case 'SUBSCRIBE_GLOB':
    case 'UNSUBSCRIBE_GLOB':
    case 'CONFIRM_SUBSCRIBE_GLOB':
    case 'CONFIRM_UNSUBSCRIBE_GLOB':
      return { type, ...envelope, glob }
    case 'NOTIFY': {
      const body = hex(
        'compressed_message' in fields ? 'compressed_message' : 'uncompressed_message',
      )
      return { type, ...envelope, identifier, content: contentOf(fields, body), body }
    }
    case 'NOTIFY_STREAM':
    case 'RECEIVE_STREAM':
      return {
        type,
        ...envelope,
        identifier,
        partId: number('part_id'),
        content: number('part_id') === 0 ? contentOf(fields, hex('payload')) : null,
        body: hex('payload'),
      }
    case 'CONTINUE_RECEIVE':
    case 'CONTINUE_NOTIFY':
      return { type, identifier, partId: number('part_id'), ...envelope }
    case 'CONFIRM_RECEIVE':
      return { type, identifier, ...envelope, subscribers: number('num_subscribers') }
    case 'CONFIRM_NOTIFY':
      return { type, identifier, ...envelope, subscribers: number('subscribers') }
    default:
      return null
  }
}

function contentOf(fields: WsVector['fields'], body: Uint8Array): Content {
  // Whether the names say compressed or not depends on the compressor, and on the message how many there are.
  const first = (...names: readonly string[]) => {
    const name = names.find((each) => each in fields)
    return name === undefined ? undefined : fields[name]
  }
  const sha512 = first(
    'verified_compressed_sha512',
    'verified_uncompressed_sha512',
    'unverified_compressed_sha512',
    'unverified_uncompressed_sha512',
  )
  const compressedBytes = first('compressed_length', 'uncompressed_length') ?? body.length
  return {
    topic: bytesOf(fields['topic']),
    compressor: Number(fields['compressor_id'] ?? 0),
    compressedBytes: Number(compressedBytes),
    decompressedBytes: Number(fields['decompressed_length'] ?? compressedBytes),
    compressedSha512: bytesOf(sha512),
  }
}

function bytesOf(hex: unknown): Buffer {
  return Buffer.from(String(hex), 'hex')
}
