import { notifyTracing, type TraceRecord } from './http-codec.ts'

/**
 * When what was done with a notification over HTTP, for its publisher, by the names and at the moments of the reference's
 * broadcaster (lonelypsp 0.0.47, `tracing/impl/simple/stateless/notify.py`).
 */
export class NotifyTrace {
  readonly #records: TraceRecord[] = []
  readonly #receivedMs = Date.now()
  /** Between the moments the monotonic clock counts: it is finer, and a step of the other one does not put them out of order. */
  readonly #startMs = performance.now()

  record(name: TraceName, extra: Readonly<Record<string, number>> = {}): void {
    this.#records.push({ name, extra: JSON.stringify(extra), atMs: this.#nowMs() })
  }

  /** Just before the answer is signed and sent. */
  tracing(): Buffer {
    return notifyTracing(this.#records, { receivedMs: this.#receivedMs, sentMs: this.#nowMs() })
  }

  #nowMs(): number {
    return this.#receivedMs + performance.now() - this.#startMs
  }
}

type TraceName =
  /** Its head is authorized, its message has not come yet. */
  | 'auth_tentatively_accepted'
  /** Its message is the one that was authorized. */
  | 'auth_accepted'
  /** A webhook's receiver has confirmed it. */
  | 'receive_confirmed'
  /** Nobody else is waited for. */
  | 'no_more_subscribers'
