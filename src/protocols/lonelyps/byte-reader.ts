import { isUtf8 } from 'node:buffer'

/** Bytes that are no message. What was being done with them has changed nothing. */
export class MalformedError extends Error {}

/** Reads the fields of a message, one after another; all numbers are big-endian. */
export class ByteReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** How many bytes have been read. */
  get offset(): number {
    return this.#at
  }

  /** How many have not. */
  get left(): number {
    return this.#bytes.length - this.#at
  }

  u8(): number {
    return this.bytes(1)[0]!
  }

  u16(): number {
    return this.bytes(2).readUInt16BE()
  }

  u32(): number {
    return this.bytes(4).readUInt32BE()
  }

  u64(): bigint {
    return this.bytes(8).readBigUInt64BE()
  }

  /** A view. @throws {MalformedError} there are fewer. */
  bytes(length: number): Buffer {
    if (length > this.left)
      throw new MalformedError(`${length} bytes should begin at byte ${this.#at}, not ${this.left}`)
    const start = this.#at
    this.#at += length
    return this.#bytes.subarray(start, this.#at)
  }

  /** Bytes behind their length in one byte. */
  b8(): Buffer {
    return this.bytes(this.u8())
  }

  /** Bytes behind their length in two bytes. */
  b16(): Buffer {
    return this.bytes(this.u16())
  }

  /** @throws {MalformedError} no UTF-8. */
  str16(): string {
    const start = this.#at
    return utf8(this.b16(), `at byte ${start}`)
  }

  /** All that is left. */
  rest(): Buffer {
    return this.bytes(this.left)
  }
}

/** `where`: for the message. @throws {MalformedError} no UTF-8. */
export function utf8(bytes: Buffer, where: string): string {
  if (!isUtf8(bytes)) throw new MalformedError(`the text ${where} is no UTF-8`)
  return bytes.toString('utf8') // keeps a byte order mark, which belongs to the text here
}
