import type { Closing, Gap } from '../../hub/encoding.ts'
import type { PublishedEvent } from '../../hub/event.ts'
import type { Framing } from './framing.ts'
import { closingLine, eventLine, gapLine, keepAliveLine, oldSchool } from './pypubsub-line.ts'
import type { StreamEncoding } from './stream-encoding.ts'

/** PyPubSub's stream: a line of ASCII JSON for each event. Old-school clients get a NUL after each newline. */
export class PypubsubEncoding implements StreamEncoding {
  readonly contentType = 'application/vnd.pypubsub-stream'
  readonly hasControlLines = false
  readonly key: string
  readonly #framing: Framing
  readonly #spell: (line: string) => string

  constructor(framing: Framing, isOldSchool: boolean) {
    this.key = `pypubsub ${isOldSchool ? 'old-school ' : ''}${framing.key}`
    this.#framing = framing
    this.#spell = isOldSchool ? oldSchool : (line) => line
  }

  opened(): Uint8Array {
    return EMPTY
  }

  event(event: PublishedEvent): Uint8Array {
    return this.#frame(eventLine(event))
  }

  keepAlive(nowMs: number): Uint8Array {
    return this.#frame(keepAliveLine(nowMs))
  }

  gap(gap: Gap, nowMs: number): Uint8Array {
    return this.#frame(gapLine(gap, nowMs))
  }

  closing(closing: Closing, nowMs: number): Uint8Array {
    const end = this.#framing.end(closing.reason)
    return closing.reason === 'finished'
      ? end
      : Buffer.concat([this.#frame(closingLine(closing, nowMs)), end])
  }

  #frame(line: string): Uint8Array {
    return this.#framing.frame(this.#spell(line))
  }
}

const EMPTY = new Uint8Array()
