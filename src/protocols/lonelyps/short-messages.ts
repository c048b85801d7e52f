/**
 * Takes the whole short binary messages out of what a WebSocket's client sends, before the library reads it. Nearly all that comes is
 * acknowledgements, one in a packet, and through the library each took 3 of the 12 µs of a delivery (`bench/lonelyps.ts`).
 * Everything else is left to the library, errors too, and only followed, so that it is known where the next frame begins.
 */
export class ShortMessages {
  /** The first bytes of a frame whose length is not known yet. */
  #head: number[] = []
  /** Bytes of the frame that is coming. */
  #left = 0
  #isFragmented = false

  /** The message, if these bytes are one, and nothing else; it is the caller's. `null`: they are for the library. */
  read(bytes: Uint8Array): Buffer | null {
    const length = bytes.length - MASKED_HEAD_BYTES
    const isOne =
      bytes[0] === FINAL_BINARY && bytes[1] === (MASKED | length) && length <= SHORT_BYTES_MAX
    if (isOne && this.#isBetweenMessages) return unmasked(bytes)
    this.#follow(bytes)
    return null
  }

  get #isBetweenMessages(): boolean {
    return this.#left === 0 && this.#head.length === 0 && !this.#isFragmented
  }

  /** RFC 6455 §5.2. */
  #follow(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, bytes.length - at)
        this.#left -= skipped
        at += skipped
        continue
      }
      this.#head.push(bytes[at++]!)
      const length = lengthIn(this.#head)
      if (length === null) continue
      const [first, second] = this.#head as [number, number]
      this.#left = length + ((second & MASKED) === 0 ? 0 : MASK_BYTES)
      // Control frames may come between the parts of a message.
      if ((first & CONTROL) === 0) this.#isFragmented = (first & FINAL) === 0
      this.#head = []
    }
  }
}

/** `null`: the length is not there yet. */
function lengthIn(head: readonly number[]): number | null {
  const code = (head[1] ?? 0) & ~MASKED
  const bytes = code < 126 ? 0 : code === 126 ? 2 : 8
  if (head.length < 2 + bytes) return null
  return bytes === 0 ? code : head.slice(2).reduce((length, byte) => length * 256 + byte, 0)
}

function unmasked(bytes: Uint8Array): Buffer {
  const message = Buffer.allocUnsafe(bytes.length - MASKED_HEAD_BYTES)
  for (let at = 0; at < message.length; at++)
    message[at] = bytes[at + MASKED_HEAD_BYTES]! ^ bytes[2 + (at & 3)]!
  return message
}

const FINAL = 0x80
const FINAL_BINARY = 0x82
const CONTROL = 0x08
const MASKED = 0x80
const MASK_BYTES = 4
const MASKED_HEAD_BYTES = 2 + MASK_BYTES
/** Longer ones have more than one byte for their length. */
const SHORT_BYTES_MAX = 125
