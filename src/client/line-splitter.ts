/** Lines of a stream of bytes, as text. */
export class LineSplitter {
  readonly #bytesMax: number
  #rest: Buffer[] = []
  #restBytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /**
   * The lines that a chunk completes, without their line breaks.
   * @throws {Error} a line is too long, or not UTF-8.
   */
  *lines(chunk: Buffer): Generator<string> {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      yield this.#text(chunk.subarray(start, end))
      start = end + 1
    }
    this.#keep(chunk.subarray(start))
  }

  /** What stood behind the last line break; `''`: nothing. */
  end(): string {
    return this.#text(Buffer.alloc(0))
  }

  #text(last: Buffer): string {
    this.#keep(last)
    const bytes = this.#rest.length === 1 ? this.#rest[0]! : Buffer.concat(this.#rest)
    this.#rest = []
    this.#restBytes = 0
    const text = DECODER.decode(bytes)
    return text.endsWith('\r') ? text.slice(0, -1) : text
  }

  #keep(bytes: Buffer): void {
    this.#restBytes += bytes.length
    if (this.#restBytes > this.#bytesMax)
      throw new Error(`a line has more than ${this.#bytesMax} bytes`)
    this.#rest.push(bytes)
  }
}

const NEWLINE = 0x0a
/** A byte order mark stays: it is no JSON, and whoever reads it shall say so. */
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
