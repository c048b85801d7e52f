import type { Sink } from '../hub/encoding.ts'
import type { FanOut, FanOutSeats } from '../hub/fan-out.ts'
import { directSend, type DirectSend } from './direct-send.ts'
import { StreamSink } from './stream-sink.ts'

/**
 * Sends a round to sockets by their file descriptors. Beside the kernel's call a fan-out at a low rate costs nothing but a walk
 * over a list of numbers: nothing else of a subscriber is touched (docs/decisions/0017-direct-send.md).
 */
export class DescriptorFanOut implements FanOut {
  readonly #send: DirectSend
  readonly #descriptorOf: (sink: Sink) => number

  /** Another kernel, and sinks that know it, are for tests. */
  constructor(send: DirectSend = directSend, descriptorOf = ofStream) {
    this.#send = send
    this.#descriptorOf = descriptorOf
  }

  seats(): FanOutSeats {
    return new DescriptorSeats(this.#send, this.#descriptorOf)
  }
}

class DescriptorSeats implements FanOutSeats {
  sentBytes = 0
  failure: { readonly error: unknown } | null = null
  readonly #send: DirectSend
  readonly #descriptorOf: (sink: Sink) => number
  /** Descriptors by seats; -1: there is none that may be sent to now. */
  readonly #descriptors: number[] = []

  constructor(send: DirectSend, descriptorOf: (sink: Sink) => number) {
    this.#send = send
    this.#descriptorOf = descriptorOf
  }

  add(sink: Sink | null): void {
    this.#descriptors.push(this.#of(sink))
  }

  remove(seat: number): void {
    const last = this.#descriptors.pop()!
    if (seat < this.#descriptors.length) this.#descriptors[seat] = last
  }

  update(seat: number, sink: Sink | null): void {
    this.#descriptors[seat] = this.#of(sink)
  }

  send(seat: number, bytes: Uint8Array): number {
    const descriptors = this.#descriptors
    this.failure = null
    let i = seat
    try {
      for (; i >= 0; i--) {
        const descriptor = descriptors[i]!
        if (descriptor < 0) {
          this.sentBytes = 0
          return i
        }
        const sentBytes = this.#send(descriptor, bytes)
        if (sentBytes === bytes.length) continue
        this.sentBytes = Math.max(sentBytes, 0)
        return i
      }
    } catch (error) {
      this.failure = { error }
    }
    return i
  }

  #of(sink: Sink | null): number {
    return sink === null ? -1 : this.#descriptorOf(sink)
  }
}

/** Holds until the sink is written to. Before it is closed, and may be another connection's, its subscription is closed. */
function ofStream(sink: Sink): number {
  return sink instanceof StreamSink ? sink.descriptor : -1
}
