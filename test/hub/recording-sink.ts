import type { CloseReason, SharedEncoding, Sink } from '../../src/hub/encoding.ts'

/** One line per frame, readable in a test: what was published where, or what was told. */
export const PLAIN: SharedEncoding = {
  key: 'plain',
  event: (event) => Buffer.from(`${event.path} ${event.payload.text}\n`),
  keepAlive: () => Buffer.from('alive\n'),
  gap: ({ reason }) => Buffer.from(`gap ${reason}\n`),
  closing: ({ reason }) => Buffer.from(`closing ${reason}\n`),
}

/** A subscriber's peer that takes bytes when the test says so. */
export class RecordingSink implements Sink {
  /** How often something was written. */
  writes = 0
  ended: CloseReason | null = null
  takenBytes = 0
  queuedBytes = 0
  #text = ''
  readonly #isReading: boolean
  readonly #highWaterBytes: number
  #needsDrain = false
  #wake: () => void = () => {}

  constructor({ isReading = true, highWaterBytes = 1_000 } = {}) {
    this.#isReading = isReading
    this.#highWaterBytes = highWaterBytes
  }

  write(batch: Uint8Array): boolean {
    this.writes++
    this.#text += Buffer.from(batch).toString()
    if (this.#isReading) this.takenBytes += batch.length
    else this.queuedBytes += batch.length
    this.#wake()
    const isFull = this.queuedBytes >= this.#highWaterBytes
    this.#needsDrain ||= isFull
    return !isFull
  }

  end(reason: CloseReason, farewell: Uint8Array | null): void {
    this.ended = reason
    this.#text += Buffer.from(farewell ?? '').toString()
    this.#wake()
  }

  /** The peer takes what is queued. `true`: nothing is left, and something was refused: a socket would say `drain`. */
  drain(bytesMax = Infinity): boolean {
    const bytes = Math.min(this.queuedBytes, bytesMax)
    this.takenBytes += bytes
    this.queuedBytes -= bytes
    if (this.queuedBytes > 0 || !this.#needsDrain) return false
    this.#needsDrain = false
    return true
  }

  /** Everything written so far, keep-alives left out. */
  get lines(): string[] {
    return this.allLines.filter((line) => line !== 'alive')
  }

  get allLines(): string[] {
    return this.#text.split('\n').slice(0, -1)
  }

  /** Resolves once the written lines satisfy the test. */
  async until(isThere: (lines: readonly string[]) => boolean): Promise<void> {
    while (!isThere(this.allLines)) await new Promise<void>((resolve) => (this.#wake = resolve))
  }
}
