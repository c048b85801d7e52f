import { binaryFrame } from './binary-frame.ts'
import { ByteWriter } from './byte-writer.ts'
import { writeBroadcasterMessage } from './ws-codec.ts'

/** A part that a subscriber has to acknowledge. */
export interface SentPart {
  readonly identifier: Uint8Array
  /** `null`: the last one of its message, of which the acknowledgement has no part id. */
  readonly partId: number | null
  /** The acknowledgement of a last part, as lonelypsc 0.0.17 writes it without authorization. `null`: it is to be read. */
  readonly plainConfirmation: Buffer | null
}

/** A message for any number of subscribers. */
export class Delivery {
  readonly topic: Uint8Array
  readonly message: Uint8Array
  readonly sha512: Uint8Array
  /** Of its own, 64 bytes at most. */
  readonly identifier: Uint8Array
  /** For all of them. */
  readonly lastPart: SentPart
  readonly #frames = new Map<string | null, Buffer>()

  constructor(topic: Uint8Array, message: Uint8Array, sha512: Uint8Array, identifier: Uint8Array) {
    this.topic = topic
    this.message = message
    this.sha512 = sha512
    this.identifier = identifier
    this.lastPart = { identifier, partId: null, plainConfirmation: plainConfirmationOf(identifier) }
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
    const { topic, message, sha512, identifier } = this
    return writeBroadcasterMessage({
      type: 'RECEIVE_STREAM',
      authorization,
      tracing: NO_TRACING,
      identifier,
      partId: 0,
      content: {
        topic,
        compressor: 0,
        compressedBytes: message.length,
        decompressedBytes: message.length,
        compressedSha512: sha512,
      },
      body: message,
    })
  }
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
