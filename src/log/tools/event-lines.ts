import { BrokenLineError, type PastEvent } from './past-event.ts'

/** What one line of a file of events came to. */
export type EventLine = {
  readonly number: number
  /** Bytes of the file up to the end of this line. */
  readonly bytesRead: number
} & ({ readonly event: PastEvent } | { readonly problem: string })

/**
 * Events from a file with one on each line, by a parser that throws `BrokenLineError`. Blank lines are passed over; the last
 * needs no line break.
 */
export async function* eventLines(
  chunks: AsyncIterable<Buffer>,
  parse: (line: string) => PastEvent,
): AsyncGenerator<EventLine> {
  for await (const { number, bytesRead, bytes } of linesOf(chunks)) {
    try {
      const text = lineText(bytes)
      if (text !== '') yield { number, bytesRead, event: parse(text) }
    } catch (error) {
      if (!(error instanceof BrokenLineError)) throw error
      yield { number, bytesRead, problem: error.message }
    }
  }
}

interface Line {
  readonly number: number
  readonly bytesRead: number
  /** `null`: longer than the limit. */
  readonly bytes: Buffer | null
}

async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Line> {
  const line = new GrowingLine()
  let number = 1
  let bytesRead = 0
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      line.add(chunk.subarray(start, end))
      start = end + 1
      yield { number: number++, bytesRead: bytesRead + start, bytes: line.take() }
    }
    line.add(chunk.subarray(start))
    bytesRead += chunk.length
  }
  yield { number, bytesRead, bytes: line.take() }
}

/** A line that arrives in pieces; those of one that is too long are dropped. */
class GrowingLine {
  #pieces: Buffer[] = []
  #length = 0

  add(piece: Buffer): void {
    this.#length += piece.length
    if (this.#length > LINE_BYTES_MAX) this.#pieces = []
    else this.#pieces.push(piece)
  }

  take(): Buffer | null {
    const bytes = this.#length > LINE_BYTES_MAX ? null : Buffer.concat(this.#pieces, this.#length)
    this.#pieces = []
    this.#length = 0
    return bytes
  }
}

function lineText(bytes: Buffer | null): string {
  if (bytes === null) throw new BrokenLineError(`longer than ${LINE_BYTES_MAX} bytes`)
  try {
    // Drops a byte order mark: some editors put one at the beginning of a file.
    return UTF_8.decode(bytes).trim()
  } catch {
    throw new BrokenLineError('not valid UTF-8')
  }
}

const UTF_8 = new TextDecoder('utf-8', { fatal: true })

const LF = 0x0a

/** The largest payload that can be configured, 64 MiB, and its topics and path; PyPubSub never took more than 1 MiB. */
const LINE_BYTES_MAX = 80 * 2 ** 20
