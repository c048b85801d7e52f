import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import type { BreakableServer } from './breakable-server.ts'
import type { ReaderRecord, StreamLine, StreamRecord } from './checker.ts'
import { readLine, type Line, type ShownEvent } from './numbered-event.ts'

export interface ReaderOptions {
  readonly name: string
  readonly server: BreakableServer
  /** As in the path of a subscription: topics by `/`, alternatives by `,`. */
  readonly path: string
  /** Where it goes on when it comes back: behind its last event, where a farewell said, or all over again. */
  readonly returns: 'after last event' | 'at farewell' | 'from start'
  /** Rests after each network read, in ms. */
  readonly restMs?: number
}

/** Follows some topics, comes back whenever its stream ends, and writes down what it was shown. */
export class Reader implements ReaderRecord {
  readonly name: string
  readonly wants: readonly (readonly string[])[]
  readonly streams: (StreamRecord & { lines: StreamLine[]; isComplete: boolean })[] = []
  /** Called at once when an event was shown. */
  onShown: () => void = () => {}
  gapsTold = 0
  /** Streams that the server ended for another reason than that it stopped. */
  cutOffs = 0
  readonly #options: ReaderOptions
  readonly #done = Promise.withResolvers<void>()
  #lastNumber = Infinity
  #isDone = false
  #last: { readonly number: number; readonly cursor: string } | null = null

  constructor(options: ReaderOptions) {
    this.name = options.name
    this.#options = options
    this.wants = options.path
      .split(',')
      .map((filter) => filter.split('/').filter((topic) => topic !== ''))
  }

  /** Until it was shown the last event, whose number `end` tells. */
  async run(): Promise<void> {
    while (!this.#isDone) {
      await this.#options.server.up()
      await this.#stream()
    }
  }

  /** From now on it reads as fast as it can, and is done with this event. */
  end(lastNumber: number): void {
    this.#lastNumber = lastNumber
    this.#done.resolve()
  }

  /** It was not shown the last event in time: what is missing in its stream now will not come. */
  giveUp(): void {
    const stream = this.streams.at(-1)
    if (stream !== undefined) stream.isComplete = true
    this.#isDone = true
  }

  async #stream(): Promise<void> {
    const { server, path, returns } = this.#options
    const resumed = returns === 'from start' ? null : this.#last
    const from = resumed === null ? ('start' as const) : { after: resumed.number }
    const lines: StreamLine[] = []
    const headers = resumed === null ? FROM_START : { 'X-Fetch-Since-Cursor': resumed.cursor }
    const opened = await openStream(server.port, path, headers)
    if (opened === null) return
    const stream = { from, lines, isComplete: false }
    this.streams.push(stream)
    for await (const text of linesOf(opened, () => this.#rest())) {
      const line = readLine(text)
      if (line.type === 'event') {
        lines.push({ type: 'event', number: line.number, cursor: line.cursor })
        this.#last = line
        this.onShown()
        if (line.number === this.#lastNumber) {
          stream.isComplete = true
          this.#isDone = true
          return
        }
      } else if (line.type === 'gap') {
        lines.push({ type: 'gap' })
        this.gapsTold++
      } else if (line.type === 'closing') {
        if (line.reason !== 'shutdown') this.cutOffs++
        if (returns === 'at farewell' && this.#last !== null)
          this.#last = { number: this.#last.number, cursor: line.cursor }
      }
    }
  }

  async #rest(): Promise<void> {
    const { restMs } = this.#options
    if (restMs === undefined || this.#lastNumber !== Infinity) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, restMs)
    await Promise.race([promise, this.#done.promise])
    clearTimeout(timer)
  }
}

/** Asks for a replay of everything and takes lines until told to stop: by `false`, or by the end of the stream. */
export async function replay(
  port: number,
  path: string,
  take: (line: Line) => boolean,
): Promise<void> {
  const opened = await openStream(port, path, FROM_START)
  if (opened === null) return
  for await (const text of linesOf(opened)) if (!take(readLine(text))) return
}

/** Everything the log holds: up to the sign of life that comes behind a replay. */
export async function readLog(port: number): Promise<ShownEvent[]> {
  const events: ShownEvent[] = []
  await replay(port, '/', (line) => {
    if (line.type === 'event')
      events.push({ number: line.number, cursor: line.cursor, topics: line.topics })
    return line.type !== 'keep-alive'
  })
  return events
}

const FROM_START = { 'X-Fetch-Since': '0' }

/** `null`: the server went away before it answered. */
async function openStream(
  port: number,
  path: string,
  headers: Record<string, string>,
): Promise<IncomingMessage | null> {
  try {
    const asking = get({ port, host: '127.0.0.1', path, headers, agent: false })
    const [response] = (await once(asking, 'response')) as [IncomingMessage]
    if (response.statusCode !== 200) throw new Error(`a stream was answered ${response.statusCode}`)
    return response.setEncoding('utf8')
  } catch (error) {
    if (isHangUp(error)) return null
    throw error
  }
}

/** Whole lines; the beginning of one that was cut off is none. */
async function* linesOf(
  response: IncomingMessage,
  rest: () => Promise<void> = async () => {},
): AsyncGenerator<string> {
  let begun = ''
  try {
    for await (const text of response as AsyncIterable<string>) {
      const lines = (begun + text).split('\n')
      begun = lines.pop()!
      yield* lines
      await rest()
    }
  } catch (error) {
    if (!isHangUp(error)) throw error
  } finally {
    response.destroy()
  }
}

function isHangUp(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ECONNRESET' || code === 'ECONNREFUSED' || code === 'EPIPE'
}
