/** Writes the fields of a message, one after another; all numbers are big-endian. */
export class ByteWriter {
  readonly #parts: Uint8Array[] = []

  u8(value: number): this {
    return this.raw(Uint8Array.of(value))
  }

  u16(value: number): this {
    const part = Buffer.allocUnsafe(2)
    part.writeUInt16BE(value)
    return this.raw(part)
  }

  u32(value: number): this {
    const part = Buffer.allocUnsafe(4)
    part.writeUInt32BE(value)
    return this.raw(part)
  }

  u64(value: bigint): this {
    const part = Buffer.allocUnsafe(8)
    part.writeBigUInt64BE(value)
    return this.raw(part)
  }

  f64(value: number): this {
    const part = Buffer.allocUnsafe(8)
    part.writeDoubleBE(value)
    return this.raw(part)
  }

  /** As they are. */
  raw(bytes: Uint8Array): this {
    this.#parts.push(bytes)
    return this
  }

  /** Behind their length in one byte. @throws {RangeError} more than 255. */
  b8(bytes: Uint8Array): this {
    return this.u8(checkedLength(bytes, 0xff)).raw(bytes)
  }

  /** Behind their length in two bytes. @throws {RangeError} more than 65,535. */
  b16(bytes: Uint8Array): this {
    return this.u16(checkedLength(bytes, 0xffff)).raw(bytes)
  }

  /** UTF-8 behind its length in two bytes. @throws {RangeError} more than 65,535 bytes. */
  str16(text: string): this {
    return this.b16(Buffer.from(text))
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

/** A length that does not fit would be written modulo, and all behind it misread. */
function checkedLength(bytes: Uint8Array, max: number): number {
  if (bytes.length > max) throw new RangeError(`${bytes.length} bytes in a field of at most ${max}`)
  return bytes.length
}
