import type { Closing, Gap } from '../../hub/encoding.ts'
import type { Cursor, PublishedEvent } from '../../hub/event.ts'
import type { Framing } from './framing.ts'
import { closingLine, cursorLine, eventText, gapLine, openedLine } from './pypubsub-line.ts'
import type { StreamEncoding } from './stream-encoding.ts'

/** A line of JSON for each event, in UTF-8 as it was published. What a client knows after each line: docs/streams.md. */
export class NdjsonEncoding implements StreamEncoding {
  readonly contentType: string
  readonly hasControlLines = true
  readonly key: string
  readonly #framing: Framing
  readonly #text: (event: PublishedEvent) => string

  /** `text`: one line, without a line break. */
  constructor(
    framing: Framing,
    contentType = 'application/x-ndjson',
    text: (event: PublishedEvent) => string = eventText,
  ) {
    this.contentType = contentType
    this.key = `${contentType} ${framing.key}`
    this.#framing = framing
    this.#text = text
  }

  opened(cursor: Cursor, nowMs: number): Uint8Array {
    return this.#framing.frame(openedLine(cursor, nowMs))
  }

  event(event: PublishedEvent): Uint8Array {
    return this.#framing.frame(`${this.#text(event)}\n`)
  }

  keepAlive(nowMs: number, cursor: () => Cursor): Uint8Array {
    return this.#framing.frame(cursorLine(cursor(), nowMs))
  }

  gap(gap: Gap, nowMs: number): Uint8Array {
    return this.#framing.frame(gapLine(gap, nowMs))
  }

  closing(closing: Closing, nowMs: number): Uint8Array {
    const end = this.#framing.end(closing.reason)
    return closing.reason === 'finished'
      ? end
      : Buffer.concat([this.#framing.frame(closingLine(closing, nowMs)), end])
  }
}
