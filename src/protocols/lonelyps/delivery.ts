import { hash } from 'node:crypto'
import { binaryFrame } from './binary-frame.ts'
import { ByteWriter } from './byte-writer.ts'
import type { Compressor } from './compressor.ts'
import { writeBroadcasterMessage } from './ws-codec.ts'
import type { Content } from './ws-messages.ts'

/** A part that a subscriber has to acknowledge. */
export interface SentPart {
  readonly identifier: Uint8Array
  /** `null`: the last one of its message, of which the acknowledgement has no part id. */
  readonly partId: number | null
  /** The acknowledgement of a last part, as lonelypsc 0.0.17 writes it without authorization. `null`: it is to be read. */
  readonly plainConfirmation: Buffer | null
}

/** A message for any number of subscribers, in the form in which it is sent. */
export class Delivery {
  readonly topic: Uint8Array
  /** Compressed, if it is. */
  readonly message: Uint8Array
  /** The hash of these bytes. */
  readonly sha512: Uint8Array
  /** The delivery's own identifier, 64 bytes at most. */
  readonly identifier: Uint8Array
  /** For all of them. */
  readonly lastPart: SentPart
  readonly #compression: Compression | null
  readonly #frames = new Map<string | null, Buffer>()
  #compressed: Map<Compressor, Promise<Delivery>> | null = null

  constructor(
    topic: Uint8Array,
    message: Uint8Array,
    sha512: Uint8Array,
    identifier: Uint8Array,
    compression: Compression | null = null,
  ) {
    this.topic = topic
    this.message = message
    this.sha512 = sha512
    this.identifier = identifier
    this.lastPart = { identifier, partId: null, plainConfirmation: plainConfirmationOf(identifier) }
    this.#compression = compression
  }

  /** The same for all who ask for that: it is compressed once. Unless that makes it shorter, it stays as it is. */
  compressed(compressor: Compressor): Promise<Delivery> {
    this.#compressed ??= new Map()
    let compressed = this.#compressed.get(compressor)
    if (compressed === undefined)
      this.#compressed.set(compressor, (compressed = this.#compress(compressor)))
    return compressed
  }

  async #compress(compressor: Compressor): Promise<Delivery> {
    const { topic, message, identifier } = this
    // There is another way to send it, whatever went wrong: there was no memory for it, for instance.
    const bytes = await compressor.compress(message).catch(() => message)
    if (bytes.length >= message.length) return this
    return new Delivery(topic, bytes, hash('sha512', bytes, 'buffer'), identifier, {
      compressor: compressor.identifier,
      decompressedBytes: message.length,
    })
  }

  /** What part 0 says of it. */
  get content(): Content {
    const { topic, message, sha512 } = this
    return {
      topic,
      compressor: this.#compression?.compressor ?? 0,
      compressedBytes: message.length,
      decompressedBytes: this.#compression?.decompressedBytes ?? message.length,
      compressedSha512: sha512,
    }
  }

  /** In one part, as a whole WebSocket frame: the same for all whose authorization is not made for them alone. */
  frame(authorization: string | null): Buffer {
    let frame = this.#frames.get(authorization)
    if (frame === undefined)
      this.#frames.set(authorization, (frame = binaryFrame(this.bytes(authorization))))
    return frame
  }

  /** In one part, for one subscriber. */
  bytes(authorization: string | null): Uint8Array {
    const { content, message, identifier } = this
    return writeBroadcasterMessage({
      type: 'RECEIVE_STREAM',
      authorization,
      tracing: NO_TRACING,
      identifier,
      partId: 0,
      content,
      body: message,
    })
  }
}

/** How a message was made shorter. */
interface Compression {
  readonly compressor: number
  readonly decompressedBytes: number
}

const NO_TRACING = new Uint8Array()

/** CONFIRM_RECEIVE with minimal headers: the identifier, no authorization, no tracing, one subscriber. */
function plainConfirmationOf(identifier: Uint8Array): Buffer {
  return new ByteWriter()
    .u16(1)
    .u16(9)
    .b16(identifier)
    .b16(NO_TRACING)
    .b16(NO_TRACING)
    .b16(Uint8Array.of(0, 0, 0, 1))
    .bytes()
}
