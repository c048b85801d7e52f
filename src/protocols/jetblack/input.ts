/** Bytes that have come and are not read yet, in one piece: each is copied a few times at most, however small the pieces are that they come in. */
export class Input {
  #bytes: Buffer = NOTHING
  #start = 0
  #end = 0
  /** Up to where the bytes are ours to write behind; -1: they are a chunk of somebody else's. */
  #ownEnd = -1

  /** Unread bytes. */
  get length(): number {
    return this.#end - this.#start
  }

  push(chunk: Buffer): void {
    if (this.length === 0) {
      this.#bytes = chunk
      this.#start = 0
      this.#end = chunk.length
      this.#ownEnd = -1
      return
    }
    const length = this.length + chunk.length
    if (this.#bytes.length - this.#start < length || this.#end !== this.#ownEnd) this.#grow(length)
    chunk.copy(this.#bytes, this.#end)
    this.#end += chunk.length
    this.#ownEnd = this.#end
  }

  /** Into a piece of its own: what was handed out of the old one stays as it is. */
  #grow(length: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(2 * length, SMALLEST_BYTES))
    this.#bytes.copy(grown, 0, this.#start, this.#end)
    this.#end = this.length
    this.#start = 0
    this.#bytes = grown
    this.#ownEnd = this.#end
  }

  /** A view of bytes that have come, which are read by that. */
  take(count: number): Buffer {
    const taken = this.#bytes.subarray(this.#start, this.#start + count)
    this.#start += count
    return taken
  }

  /** One that has come, and stays unread. */
  byteAt(offset: number): number {
    return this.#bytes[this.#start + offset]!
  }
}

const NOTHING = Buffer.alloc(0)
const SMALLEST_BYTES = 1_024
