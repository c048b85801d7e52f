import type { Closing, Gap, SharedEncoding } from '../hub/encoding.ts'
import type { PublishedEvent } from '../hub/event.ts'
import {
  chunked,
  closingLine,
  eventLine,
  gapLine,
  keepAliveLine,
  oldSchool,
} from './pypubsub-line.ts'

/**
 * PyPubSub's stream: a line of ASCII JSON for each event, in an HTTP chunk of its own, because its clients parse chunk
 * by chunk. Old-school clients get a NUL after each newline; HTTP/1.0 knows no chunks and gets the plain lines.
 */
export class PypubsubEncoding implements SharedEncoding {
  readonly key: string
  readonly #frame: (line: string) => string

  constructor(form: { readonly isOldSchool: boolean; readonly isChunked: boolean }) {
    const { isOldSchool, isChunked } = form
    this.key = `pypubsub${isOldSchool ? ' old-school' : ''}${isChunked ? '' : ' unchunked'}`
    const spell = isOldSchool ? oldSchool : (line: string) => line
    this.#frame = isChunked ? (line) => chunked(spell(line)) : spell
  }

  event(event: PublishedEvent): Uint8Array {
    return this.#bytes(eventLine(event))
  }

  keepAlive(nowMs: number): Uint8Array {
    return this.#bytes(keepAliveLine(nowMs))
  }

  gap(gap: Gap, nowMs: number): Uint8Array {
    return this.#bytes(gapLine(gap, nowMs))
  }

  closing(closing: Closing, nowMs: number): Uint8Array {
    return this.#bytes(closingLine(closing, nowMs))
  }

  #bytes(line: string): Uint8Array {
    return Buffer.from(this.#frame(line), 'latin1')
  }
}
