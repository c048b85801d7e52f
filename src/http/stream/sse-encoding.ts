import type { Closing, Gap } from '../../hub/encoding.ts'
import type { Cursor, PublishedEvent } from '../../hub/event.ts'
import type { Framing } from './framing.ts'
import { closingText, eventText, gapText, keepAliveLine } from './pypubsub-line.ts'
import type { StreamEncoding } from './stream-encoding.ts'

/**
 * Server-sent events (WHATWG HTML, "Server-sent events"). A cursor is hexadecimal digits and dashes, and the text of an event is
 * valid JSON on one line, so no field can end early: JSON allows CR, LF and NUL in strings only as escapes.
 */
export class SseEncoding implements StreamEncoding {
  readonly contentType = 'text/event-stream'
  readonly hasControlLines = true
  readonly key: string
  readonly #framing: Framing

  constructor(framing: Framing) {
    this.key = `sse ${framing.key}`
    this.#framing = framing
  }

  opened(cursor: Cursor, _nowMs: number, retryAfterMs: number): Uint8Array {
    return this.#framing.frame(
      `retry: ${retryAfterMs}\nid: ${cursor}\nevent: opened\ndata: {"cursor": "${cursor}"}\n\n`,
    )
  }

  event(event: PublishedEvent): Uint8Array {
    return this.#framing.frame(`id: ${event.cursor}\ndata: ${eventText(event)}\n\n`)
  }

  /**
   * Moves the last event id on. It has data and a name, though the standard asks for neither: of a block with an id alone 5 of
   * 11 libraries make an event without data, on which `JSON.parse` throws (docs/clients.md, test/clients/sse-libraries.test.ts).
   */
  keepAlive(nowMs: number, cursor: () => Cursor): Uint8Array {
    return this.#framing.frame(
      `event: stillalive\nid: ${cursor()}\ndata: ${keepAliveLine(nowMs)}\n`,
    )
  }

  gap(gap: Gap): Uint8Array {
    return this.#framing.frame(`id: ${gap.cursor}\nevent: gap\ndata: ${gapText(gap)}\n\n`)
  }

  /** Also at an orderly end, as an EventSource would come back for more unless the page hears of it. */
  closing(closing: Closing): Uint8Array {
    const { cursor, reason, retryAfterMs } = closing
    const text = `id: ${cursor}\nretry: ${retryAfterMs}\nevent: closing\ndata: ${closingText(closing)}\n\n`
    return Buffer.concat([this.#framing.frame(text), this.#framing.end(reason)])
  }
}
