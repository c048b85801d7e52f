import { createHash } from 'node:crypto'
import { compressedBytesMax, type Compressor } from './compressor.ts'
import { ViolationError } from './violation-error.ts'
import type { Content, StreamPart } from './ws-messages.ts'

/** A notification that comes in parts. They are in order, and no other notification is between them. */
export class PartialNotification {
  readonly identifier: Uint8Array
  readonly content: Content
  /** `null`: it is not compressed. */
  readonly compressor: Compressor | null
  /** Why it is not taken, whole or not: its bytes are not kept. `null`: it is taken. */
  readonly refusal: string | null
  readonly #sha512 = createHash('sha512')
  /** Grows with what has come, not with what was promised. */
  #bytes = Buffer.alloc(0)
  #length = 0
  #nextPartId = 0
  readonly #unproven: Unproven[] = []
  #unprovenBytes = 0

  /** @throws {ViolationError} */
  constructor(start: StreamPart<'NOTIFY_STREAM'>, rules: ContentRules) {
    if (start.content === null)
      throw new ViolationError('the first part of a notification is not part 0')
    this.compressor = checkContent(start.content, rules)
    this.refusal = refusalOf(start.content, rules)
    // Copies, as a view would keep all of the first part.
    this.identifier = Uint8Array.from(start.identifier)
    this.content = {
      ...start.content,
      topic: Uint8Array.from(start.content.topic),
      compressedSha512: Uint8Array.from(start.content.compressedSha512),
    }
  }

  /** Bytes of memory, whether they are used or not. */
  get heldBytes(): number {
    return this.#bytes.length + this.#unprovenBytes
  }

  get isComplete(): boolean {
    return this.#length === this.content.compressedBytes
  }

  /** @throws {ViolationError} */
  add(part: StreamPart<'NOTIFY_STREAM'>): void {
    if (Buffer.compare(part.identifier, this.identifier) !== 0)
      throw new ViolationError('a part of another notification before this one is complete')
    if (part.partId !== this.#nextPartId)
      throw new ViolationError(`part ${part.partId} instead of part ${this.#nextPartId}`)
    this.#nextPartId++
    const length = this.#length + part.body.length
    if (length > this.content.compressedBytes)
      throw new ViolationError(`more than the ${this.content.compressedBytes} bytes announced`)
    // Otherwise there would be no end of parts that bring nothing.
    if (part.body.length === 0 && !this.isComplete) throw new ViolationError('a part without bytes')
    if (this.refusal === null) {
      this.#reserve(length)
      this.#bytes.set(part.body, this.#length)
      this.#sha512.update(part.body)
    }
    this.#length = length
  }

  /**
   * Keeps what a later part was authorized with for when the message is decompressed.
   * @throws {ViolationError} there is too much of it.
   */
  addUnproven({ authorization, tracing }: Unproven): void {
    this.#unprovenBytes += (authorization?.length ?? 0) + tracing.length + UNPROVEN_OVERHEAD_BYTES
    if (this.#unprovenBytes > UNPROVEN_BYTES_MAX)
      throw new ViolationError('NOTIFY_STREAM is not authorized in too many parts')
    // Copies, as a view would keep all of the part.
    this.#unproven.push({ authorization, tracing: Uint8Array.from(tracing) })
  }

  /** Authorizations that are wrong unless they are of the decompressed message. */
  get unproven(): readonly Unproven[] {
    return this.#unproven
  }

  /**
   * The whole message, as it was sent.
   * @throws {ViolationError} it is not what was announced.
   */
  message(): Uint8Array {
    checkSha512(this.#sha512.digest(), this.content)
    return this.#bytes.subarray(0, this.#length)
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return
    const doubled = Math.max(length, Math.min(2 * this.#bytes.length, this.content.compressedBytes))
    const grown = Buffer.allocUnsafeSlow(doubled)
    this.#bytes.copy(grown, 0, 0, this.#length)
    this.#bytes = grown
  }
}

/** How a part says who it is from. */
export interface Unproven {
  readonly authorization: string | null
  readonly tracing: Uint8Array
}

export interface ContentRules {
  readonly messageBytesMax: number
  /** Those that were enabled. */
  readonly compressors: readonly Compressor[]
}

/**
 * What can be said before the bytes are there. Returns what is to decompress them.
 * @throws {ViolationError}
 */
export function checkContent(content: Content, { compressors }: ContentRules): Compressor | null {
  const { compressor: identifier, compressedBytes, decompressedBytes } = content
  const compressor = compressors.find((each) => each.identifier === identifier) ?? null
  if (compressor === null && identifier !== 0)
    throw new ViolationError(`compressor ${identifier} was not enabled`)
  if (compressor === null && compressedBytes !== decompressedBytes)
    throw new ViolationError('two lengths of a message that is not compressed')
  if (compressedBytes > compressedBytesMax(decompressedBytes))
    throw new ViolationError(
      `${compressedBytes} compressed bytes for a message of ${decompressedBytes}`,
    )
  return compressor
}

/** Why we do not take what keeps to the protocol: it is too long. `null`: it is not. */
export function refusalOf(
  { decompressedBytes }: Content,
  { messageBytesMax }: ContentRules,
): string | null {
  if (decompressedBytes <= messageBytesMax) return null
  return (
    `a message of ${decompressedBytes} bytes, the limit is ${messageBytesMax} ` +
    '(protocols.lonelyps.max_message_size)'
  )
}

/** @throws {ViolationError} */
export function checkSha512(sha512: Uint8Array, { compressedSha512 }: Content): void {
  if (Buffer.compare(sha512, compressedSha512) !== 0)
    throw new ViolationError('the message is not what its SHA-512 says')
}

/** Bytes of what is kept for later, for some thousand parts. */
const UNPROVEN_BYTES_MAX = 1024 * 1024
const UNPROVEN_OVERHEAD_BYTES = 256
