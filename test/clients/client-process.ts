import assert from 'node:assert/strict'
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { DEADLINE_MS } from '../deadline.ts'

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

  /** What it printed to standard error so far. */
  get errors(): string {
    return this.#errors
  }

  /** `input: null`: it is given by `say`. */
  constructor(
    program: string,
    args: readonly string[],
    options: { input?: string | null; environment?: Readonly<Record<string, string>> } = {},
  ) {
    const { input = '', environment = {} } = options
    this.#command = [program, ...args].join(' ')
    this.#child = spawn(program, args, { env: { ...process.env, ...environment } })
    this.#closed = once(this.#child, 'close').catch((error: Error) => {
      this.#errors += error.message
    })
    this.#child.stdin.on('error', () => {}) // a client need not read it
    if (input !== null) this.#child.stdin.end(input)
    this.#lines = linesOf(this.#child.stdout.setEncoding('utf8'))
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text
    })
  }

  /** The next line, whatever it is. */
  line(): Promise<StreamLine> {
    return this.#next(() => true)
  }

  /** The next event, behind any control lines. */
  event(): Promise<StreamLine> {
    return this.#next(({ json }) => 'pubsub_topics' in json)
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
    const { json } = await this.#next((line) => 'closing' in line.json)
    return (json['closing'] as { reason: unknown }).reason
  }

  /** Resolves once it has ended by itself, with the rest of what it printed. */
  async ended(): Promise<{ code: number | null; lines: string[]; errors: string }> {
    const lines = await this.#beforeDeadline(Array.fromAsync(this.#lines))
    await this.#beforeDeadline(this.#closed)
    return { code: this.#child.exitCode, lines, errors: this.#errors }
  }

  /** One line on its standard input. */
  say(line: string): void {
    this.#child.stdin.write(`${line}\n`)
  }

  /** Nothing more is said. */
  hangUp(): void {
    this.#child.stdin.end()
  }

  /** Asks it to end. */
  stop(): void {
    this.signal('SIGTERM')
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Resolves once all that it started is gone too, or no longer holds what it was given as standard error. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    this.#child.stdout.destroy() // else it waits for somebody to read the rest
    let isClosed = false
    const closed = this.#closed.then(() => (isClosed = true))
    await Promise.race([closed, sleep(DEADLINE_MS, null, { ref: false })])
    if (isClosed) return
    this.#child.stderr.destroy()
    assert.fail(`what ${this.#command} started runs on, ${DEADLINE_MS} ms after its end`)
  }

  async #next(isWanted: (line: StreamLine) => boolean): Promise<StreamLine> {
    const search = async () => {
      for (;;) {
        const { value: text } = await this.#lines.next()
        if (text === undefined) return null
        const line = { text, json: JSON.parse(text.replaceAll('\0', '')) }
        if (isWanted(line)) return line
      }
    }
    const found = await this.#beforeDeadline(search())
    if (found === null) await this.#closed
    const command = this.#command
    assert.ok(found, `${command} has ended without the line that is due\n${this.#errors}`)
    return found
  }

  /** The end of the process ends the waiting. */
  async #beforeDeadline<T>(result: Promise<T>): Promise<T> {
    const deadline = setTimeout(() => {
      this.#errors += `\n(killed after ${DEADLINE_MS} ms)`
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
