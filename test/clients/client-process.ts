import assert from 'node:assert/strict'
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'

/** A client that takes longer than this to print the next line, or to end, has failed; in ms. */
const DEADLINE_MS = 40_000

/** What every client prints for each line of the stream: an event, or a control line. */
export interface StreamLine {
  readonly text: string
  readonly json: Readonly<Record<string, unknown>>
}

/** A client as its own process, which prints one line of JSON for each line of the stream. */
export class ClientProcess implements AsyncDisposable {
  readonly #command: string
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncGenerator<string, void>
  readonly #closed: Promise<unknown>
  #errors = ''

  constructor(
    program: string,
    args: readonly string[],
    options: { input?: string; environment?: Readonly<Record<string, string>> } = {},
  ) {
    const { input = '', environment = {} } = options
    this.#command = [program, ...args].join(' ')
    this.#child = spawn(program, args, { env: { ...process.env, ...environment } })
    this.#closed = once(this.#child, 'close').catch((error: Error) => {
      this.#errors += error.message
    })
    this.#child.stdin.on('error', () => {}) // a client need not read it
    this.#child.stdin.end(input)
    this.#lines = linesOf(this.#child.stdout.setEncoding('utf8'))
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text
    })
  }

  /** The next line, whatever it is. */
  async line(): Promise<StreamLine> {
    const { value } = await this.#beforeDeadline(this.#lines.next())
    if (value === undefined) {
      await this.#closed
      assert.fail(`no further line from ${this.#command}\n${this.#errors}`)
    }
    return { text: value, json: JSON.parse(value.replaceAll('\0', '')) }
  }

  /** The next event, behind any control lines. */
  async event(): Promise<StreamLine> {
    for (;;) {
      const line = await this.line()
      if ('pubsub_topics' in line.json) return line
    }
  }

  /** What the next so many events have as their `n`. */
  async numbers(count: number): Promise<unknown[]> {
    const numbers = []
    while (numbers.length < count) numbers.push((await this.event()).json['n'])
    return numbers
  }

  /** Resolves once the stream is open: its first keep-alive has come, and no event before it. */
  async opened(): Promise<this> {
    try {
      assert.deepEqual(Object.keys((await this.line()).json), ['stillalive'])
    } catch (error) {
      await this[Symbol.asyncDispose]()
      throw error
    }
    return this
  }

  /** Resolves once the server has said why the stream ends, behind any events. */
  async closing(): Promise<unknown> {
    for (;;) {
      const { json } = await this.line()
      if ('closing' in json) return (json['closing'] as { reason: unknown }).reason
    }
  }

  /** Resolves once it has ended by itself, with the rest of what it printed. */
  async ended(): Promise<{ code: number | null; lines: string[]; errors: string }> {
    const lines = await this.#beforeDeadline(Array.fromAsync(this.#lines))
    await this.#beforeDeadline(this.#closed)
    return { code: this.#child.exitCode, lines, errors: this.#errors }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    this.#child.stdout.destroy() // else it waits for somebody to read the rest
    await this.#closed
  }

  /** The end of the process ends the waiting. */
  async #beforeDeadline<T>(result: Promise<T>): Promise<T> {
    const deadline = setTimeout(() => {
      this.#errors += `\nended after ${DEADLINE_MS} ms without a line`
      this.#child.kill('SIGKILL')
    }, DEADLINE_MS)
    try {
      return await result
    } finally {
      clearTimeout(deadline)
    }
  }
}

/** Only at newlines: `node:readline` also splits at U+2028, which JSON may hold. */
async function* linesOf(chunks: AsyncIterable<string>): AsyncGenerator<string, void> {
  let rest = ''
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()!
    yield* lines
  }
  if (rest.replaceAll('\0', '') !== '') yield rest
}
