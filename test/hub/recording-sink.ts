import type { SharedBytes } from '../../src/hub/byte-subscription.ts'
import type { CloseReason, SharedEncoding, Sink } from '../../src/hub/encoding.ts'
import type { SubscribeRequest } from '../../src/hub/hub.ts'
import type { DirectSend } from '../../src/sockets/direct-send.ts'
import { DescriptorFanOut } from '../../src/sockets/fan-out.ts'

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
  isClosed = false
  takenBytes = 0
  queuedBytes = 0
  #text = ''
  readonly #isReading: boolean
  readonly #highWaterBytes: number
  readonly #direct: { kernel: RecordingKernel; descriptor: number; bytesMax: number } | null
  #needsDrain = false
  #wake: () => void = () => {}

  /** `direct`: it can be sent to by its descriptor, which takes so many bytes at once; 0: none, as if it would have to wait. */
  constructor({
    isReading = true,
    highWaterBytes = 1_000,
    direct,
  }: {
    isReading?: boolean
    highWaterBytes?: number
    direct?: { kernel: RecordingKernel; bytesMax: number }
  } = {}) {
    this.#isReading = isReading
    this.#highWaterBytes = highWaterBytes
    this.#direct = direct === undefined ? null : { ...direct, descriptor: direct.kernel.open(this) }
  }

  get descriptor(): number {
    return this.queuedBytes === 0 ? (this.#direct?.descriptor ?? -1) : -1
  }

  /** Its peer has gone: nothing may come any more. */
  close(): void {
    this.isClosed = true
  }

  /** By its descriptor. */
  sent(bytes: Uint8Array): number {
    const { kernel, bytesMax } = this.#direct!
    if (this.isClosed || this.ended !== null) kernel.faults.push('sent to a closed descriptor')
    if (this.queuedBytes > 0) kernel.faults.push('sent before what is queued')
    const taken = bytes.subarray(0, bytesMax)
    if (taken.length === 0) return -1
    this.writes++
    this.#text += Buffer.from(taken).toString()
    this.#wake()
    return taken.length
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

  /** Nothing could be told. */
  destroy(): void {
    this.isClosed = true
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

/** Where bytes go that are sent to a descriptor. */
export class RecordingKernel {
  /** Must stay empty. They are not thrown, as whoever publishes would get them. */
  readonly faults: string[] = []
  readonly #sinks: RecordingSink[] = []

  open(sink: RecordingSink): number {
    return this.#sinks.push(sink) - 1
  }

  readonly send: DirectSend = (descriptor, bytes) => this.#sinks[descriptor]!.sent(bytes)

  /** The fan-out of the doors' side, with these sinks instead of sockets. */
  fanOut(send: DirectSend = this.send): DescriptorFanOut {
    return new DescriptorFanOut(send, (sink) => (sink as RecordingSink).descriptor)
  }
}

/** A request for shared bytes, in one piece. */
export type ByteRequest = Omit<SubscribeRequest, 'to'> & SharedBytes

export function byteRequest({
  encoding,
  sink,
  opening,
  holdsOpening = false,
  ...request
}: ByteRequest): SubscribeRequest & { readonly to: SharedBytes } {
  return { ...request, to: { encoding, sink, opening, holdsOpening } }
}
