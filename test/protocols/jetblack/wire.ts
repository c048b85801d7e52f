/** As a client writes it, on the wire with an image mark. */
export const write = {
  text(value: string): Buffer {
    const bytes = Buffer.from(value)
    return Buffer.concat([write.integer(bytes.length), bytes])
  },
  integer(value: number): Buffer {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(value)
    return bytes
  },
  subscription(feed: string, topic: string, isAdd = true): Buffer {
    return Buffer.concat([
      Buffer.of(5),
      write.text(feed),
      write.text(topic),
      Buffer.of(isAdd ? 1 : 0),
    ])
  },
  publication(feed: string, topic: string, text: string): Buffer {
    return Buffer.concat([
      Buffer.of(1),
      write.text(feed),
      write.text(topic),
      Buffer.of(0),
      write.integer(1),
      write.integer(0),
      write.text(text),
    ])
  },
}

/** What has come of data to all subscribers, on the wire with an image mark, message by message. */
export class DataReader {
  #unread = Buffer.alloc(0)
  readonly #onData: (topic: string, packet: Buffer) => void

  constructor(onData: (topic: string, packet: Buffer) => void) {
    this.#onData = onData
  }

  push(chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk])
    while (this.#readOne());
  }

  /** Whether there was one that is whole. */
  #readOne(): boolean {
    let at = 1
    const texts: Buffer[] = []
    const next = (): Buffer | null => {
      if (this.#unread.length < at + 4) return null
      const length = this.#unread.readInt32BE(at)
      if (this.#unread.length < at + 4 + length) return null
      at += 4 + length
      return this.#unread.subarray(at - length, at)
    }
    while (texts.length < 4) {
      const text = next()
      if (text === null) return false
      texts.push(text)
    }
    if (this.#unread.length < at + 5) return false
    const count = this.#unread.readInt32BE(at + 1)
    at += 5
    // A stale notice has no packet; one packet has no entitlements.
    if (count > 0) at += 4
    const packet = count === 0 ? null : next()
    if (count > 0 && packet === null) return false
    this.#unread = this.#unread.subarray(at)
    if (packet !== null) this.#onData(texts[3]!.toString(), packet)
    return true
  }
}
