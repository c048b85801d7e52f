import type { Entitlements } from './messages.ts'

/** Fields one behind the other, in one piece. */
export class Output {
  #bytes: Buffer
  #length = 0

  /** `expected`: about how many bytes it will be. */
  constructor(expected = 256) {
    this.#bytes = Buffer.allocUnsafe(expected)
  }

  /** All that was written. Nothing is written behind that. */
  get all(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = value
  }

  /** 4 bytes, big-endian. */
  integer(value: number): void {
    this.#reserve(4)
    this.#length = this.#bytes.writeInt32BE(value, this.#length)
  }

  /** Each 4 bytes, big-endian. */
  integers(values: Entitlements): void {
    if (values instanceof Int32Array) return this.bytes(swapped(values))
    for (const value of values) this.integer(value)
  }

  /** Not negative, below 2^32; 7 bits a byte, the lowest first. */
  number(value: number): void {
    this.#reserve(5)
    let rest = value
    for (; rest > 127; rest = Math.floor(rest / 128))
      this.#bytes[this.#length++] = (rest % 128) | 128
    this.#bytes[this.#length++] = rest
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** UTF-8, of so many bytes. */
  text(text: string, length: number): void {
    this.#reserve(length)
    this.#length += this.#bytes.write(text, this.#length)
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(2 * (this.#length + count))
    this.#bytes.copy(grown, 0, 0, this.#length)
    this.#bytes = grown
  }
}

/** The bytes the other way round, as those of this machine are little-endian. */
function swapped(values: Int32Array): Buffer {
  return Buffer.from(values.slice().buffer).swap32()
}
