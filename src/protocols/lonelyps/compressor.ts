import { promisify } from 'node:util'
import {
  constants,
  zstdCompress,
  zstdCompressSync,
  zstdDecompress,
  zstdDecompressSync,
} from 'node:zlib'
import { ViolationError } from './violation-error.ts'

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

/** A way to compress that both sides of a WebSocket know by its number. It works beside the main thread. */
export class Compressor {
  /** 1 is zstd alone, 2 to 65,535 are dictionaries. */
  readonly identifier: number
  readonly level: number
  /** It is for messages of so many bytes and more. */
  readonly messageBytesMin: number
  /** And of fewer than these. */
  readonly messageBytesEnd: bigint
  readonly #dictionary: { readonly dictionary?: Buffer }

  constructor(
    identifier: number,
    level: number,
    messages: { readonly bytesMin: number; readonly bytesEnd: bigint },
    dictionary: Buffer | null = null,
  ) {
    this.identifier = identifier
    this.level = level
    this.messageBytesMin = messages.bytesMin
    this.messageBytesEnd = messages.bytesEnd
    this.#dictionary = dictionary === null ? {} : { dictionary }
  }

  isFor(messageBytes: number): boolean {
    return messageBytes >= this.messageBytesMin && messageBytes < this.messageBytesEnd
  }

  /** Without checksum, content size and number of a dictionary: the protocol's messages say all of that themselves. */
  compress(message: Uint8Array): Promise<Buffer> {
    return compress(message, {
      ...this.#dictionary,
      params: {
        [constants.ZSTD_c_compressionLevel]: this.level,
        [constants.ZSTD_c_checksumFlag]: 0,
        [constants.ZSTD_c_contentSizeFlag]: 0,
        [constants.ZSTD_c_dictIDFlag]: 0,
      },
      pledgedSrcSize: message.length,
      chunkSize: CHUNK_BYTES,
    })
  }

  /**
   * A message of exactly that length.
   * @throws {ViolationError} it is none.
   */
  async decompress(bytes: Uint8Array, messageBytes: number): Promise<Uint8Array> {
    let message
    try {
      message = await decompress(bytes, {
        ...this.#dictionary,
        params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX },
        maxOutputLength: Math.max(messageBytes, 1),
        chunkSize: CHUNK_BYTES,
      })
    } catch (error) {
      throw new ViolationError(`a compressed message is unreadable: ${(error as Error).message}`)
    }
    if (message.length !== messageBytes)
      throw new ViolationError(`${message.length} bytes decompressed instead of ${messageBytes}`)
    return message
  }
}

/** As lonelypss 0.0.11 offers it: shorter messages gain too little without a dictionary. */
export const PLAIN_ZSTD = new Compressor(1, 3, { bytesMin: 16_384, bytesEnd: 2n ** 64n - 1n })

/**
 * With a dictionary that both sides have, trained or any bytes, for the messages that are too short for zstd alone: the
 * lengths are lonelypss 0.0.11's.
 * @throws {Error} it is no dictionary. The message is for the operator.
 */
export function presetZstd(identifier: number, level: number, dictionary: Buffer): Compressor {
  if (dictionary.length < DICTIONARY_BYTES_MIN)
    throw new Error(`a dictionary has at least ${DICTIONARY_BYTES_MIN} bytes`)
  try {
    const probe = zstdCompressSync(dictionary.subarray(-DICTIONARY_BYTES_MIN), { dictionary })
    zstdDecompressSync(probe, { dictionary })
  } catch (error) {
    throw new Error('it begins as a dictionary of zstd does, and is none', { cause: error })
  }
  return new Compressor(identifier, level, { bytesMin: 32, bytesEnd: 16_384n }, dictionary)
}

/** What messages of that length may have as the compressor's worst (`ZSTD_compressBound`). */
export function compressedBytesMax(messageBytesMax: number): number {
  return messageBytesMax + Math.ceil(messageBytesMax / 256) + 64
}

/** 8 MiB: what the reference's client is told to read at most, and we read. */
const WINDOW_LOG_MAX = 23

/** zstd makes no dictionary of fewer bytes, and does not say so. */
const DICTIONARY_BYTES_MIN = 8

/** One step of the work, between which others have their turn. */
const CHUNK_BYTES = 64 * 1024
