import type { Closing, Gap } from '../../hub/encoding.ts'
import type { PublishedEvent } from '../../hub/event.ts'
import type { Framing } from './framing.ts'
import { closingLine, eventLine, gapLine, keepAliveLine, oldSchool } from './pypubsub-line.ts'
import type { StreamEncoding } from './stream-encoding.ts'

/** Variants of the form. */
export interface PypubsubVariant {
  /** A NUL comes after each newline. */
  readonly isOldSchool: boolean
  /**
   * Gaps and farewells are told. PyPubSub has neither, and its own clients take a line for a keep-alive only if `stillalive` is
   * its only member: they would hand these to their users as events.
   */
  readonly hasAdditions: boolean
}

/** PyPubSub's stream: a line of ASCII JSON for each event. */
export class PypubsubEncoding implements StreamEncoding {
  readonly contentType = 'application/vnd.pypubsub-stream'
  readonly hasControlLines = false
  readonly key: string
  readonly variant: PypubsubVariant
  readonly #framing: Framing

  constructor(framing: Framing, variant: PypubsubVariant) {
    const { isOldSchool, hasAdditions } = variant
    this.key = `pypubsub ${isOldSchool ? 'old-school ' : ''}${hasAdditions ? 'additions ' : ''}${framing.key}`
    this.variant = variant
    this.#framing = framing
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
    return this.variant.hasAdditions ? this.#frame(gapLine(gap, nowMs)) : EMPTY
  }

  closing(closing: Closing, nowMs: number): Uint8Array {
    const end = this.#framing.end(closing.reason)
    return closing.reason === 'finished' || !this.variant.hasAdditions
      ? end
      : Buffer.concat([this.#frame(closingLine(closing, nowMs)), end])
  }

  #frame(line: string): Uint8Array {
    return this.#framing.frame(this.variant.isOldSchool ? oldSchool(line) : line)
  }
}

const EMPTY = new Uint8Array()
