import { createHash } from 'node:crypto'
import { ViolationError } from './violation-error.ts'
import type { Content, StreamPart } from './ws-messages.ts'

/** A notification that comes in parts. They are in order, and no other notification is between them. */
export class PartialNotification {
  readonly identifier: Uint8Array
  readonly content: Content
  readonly #sha512 = createHash('sha512')
  /** Grows with what has come, not with what was promised. */
  #bytes = Buffer.alloc(0)
  #length = 0
  #nextPartId = 0

  /** @throws {ViolationError} */
  constructor(start: StreamPart<'NOTIFY_STREAM'>, messageBytesMax: number) {
    if (start.content === null)
      throw new ViolationError('the first part of a notification is not part 0')
    checkContent(start.content, messageBytesMax)
    // Copies, as a view would keep all of the first part.
    this.identifier = Uint8Array.from(start.identifier)
    this.content = {
      ...start.content,
      topic: Uint8Array.from(start.content.topic),
      compressedSha512: Uint8Array.from(start.content.compressedSha512),
    }
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
    this.#reserve(length)
    this.#bytes.set(part.body, this.#length)
    this.#sha512.update(part.body)
    this.#length = length
  }

  /**
   * The whole message.
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

/**
 * What can be said before the bytes are there.
 * @throws {ViolationError}
 */
export function checkContent(content: Content, messageBytesMax: number): void {
  const { compressor, compressedBytes, decompressedBytes } = content
  if (compressor !== 0) throw new ViolationError(`compressor ${compressor} was not enabled`)
  if (compressedBytes !== decompressedBytes)
    throw new ViolationError('two lengths of a message that is not compressed')
  if (compressedBytes > messageBytesMax)
    throw new ViolationError(
      `a message of ${compressedBytes} bytes, the limit is ${messageBytesMax}`,
    )
}

/** @throws {ViolationError} */
export function checkSha512(sha512: Uint8Array, { compressedSha512 }: Content): void {
  if (Buffer.compare(sha512, compressedSha512) !== 0)
    throw new ViolationError('the message is not what its SHA-512 says')
}
