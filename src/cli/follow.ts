import { once } from 'node:events'
import { RefusedError } from '../client/client-error.ts'
import { RetryReport } from '../client/retry-report.ts'
import { listen, type ListenerOptions, type ListenerMessage } from '../client/listener.ts'
import type { Checkpoint } from './checkpoint.ts'
import { DonePrefix } from './done-prefix.ts'
import { EventCommand, type EventCommandOptions } from './event-command.ts'
import { forTerminal, type ListenedEvent } from './event-format.ts'
import { EventRate } from './event-rate.ts'
import { EXIT } from './exit-code.ts'
import { OrderedJobs } from './ordered-jobs.ts'
import { ReaderWatch } from './reader-watch.ts'
import { StatusLine } from './status-line.ts'
import { StopSignals } from './stop-signals.ts'

export interface FollowOptions {
  readonly stream: Omit<ListenerOptions, 'signal'>
  readonly checkpoint: Checkpoint | null
  readonly countMax: number
  readonly timeoutMs: number
  readonly failsOnGap: boolean
  readonly format: (event: ListenedEvent) => string
  /** What `format` makes has been made for a terminal, and may be coloured. */
  readonly isForTerminal: boolean
  /** `null`: events are printed. */
  readonly command:
    | (Pick<EventCommandOptions, 'command' | 'tries' | 'setAside'> & { readonly jobsMax: number })
    | null
}

/**
 * Follows a stream and does with each event what was asked, until there is a reason to end; resolves with the exit code.
 * @throws {RefusedError} {GaveUpError} {Error} what was begun is finished by then.
 */
export async function follow(options: FollowOptions): Promise<number> {
  using following = new Following(options)
  return await following.run()
}

class Following implements Disposable {
  readonly #options: FollowOptions
  readonly #stop = new StopSignals(() => this.#command?.kill())
  /** Reasons of our own to end. */
  readonly #ending = new AbortController()
  readonly #signal = AbortSignal.any([this.#stop.signal, this.#ending.signal])
  readonly #jobs: OrderedJobs
  readonly #command: EventCommand | null
  readonly #status = new StatusLine('listen', () => this.#describe())
  readonly #retries = new RetryReport((sentence) => this.#status.tell(sentence))
  readonly #reader: ReaderWatch
  readonly #done = new DonePrefix((cursor) => this.#moveCheckpoint(cursor))
  readonly #timer: NodeJS.Timeout | undefined
  #state = 'connecting'
  readonly #rate = new EventRate()
  #events = 0
  #setAside = 0
  #gaps = 0
  #exitCode: number | null = null
  #failure: unknown = null

  constructor(options: FollowOptions) {
    const { command, format, timeoutMs, countMax } = options
    this.#options = options
    const tell = (sentence: string) => this.#status.tell(sentence)
    this.#command =
      command === null ? null : new EventCommand({ ...command, format, signal: this.#signal, tell })
    this.#jobs = new OrderedJobs(command?.jobsMax ?? 1, WAITING_MAX)
    this.#signal.addEventListener('abort', () => {
      this.#jobs.close()
      if (this.#jobs.running > 0)
        tell('ends when the commands that run are done; a second signal ends them')
    })
    if (timeoutMs !== Infinity) {
      const code = countMax === Infinity ? EXIT.done : EXIT.timeout
      this.#timer = setTimeout(() => this.#end(code), timeoutMs)
    }
    process.stdout.on('error', () => {}) // each write is told as well
    this.#reader = new ReaderWatch(() => this.#end(EXIT.done))
  }

  async run(): Promise<number> {
    try {
      for await (const message of listen({ ...this.#options.stream, signal: this.#signal }))
        if (await this.#take(message)) break
    } catch (error) {
      // What has come is still done.
      if (error instanceof RefusedError && error.code === 'GONE') {
        this.#status.tell(error.message)
        this.#exitCode ??= EXIT.gap
      } else this.#failure ??= error
    }
    clearTimeout(this.#timer)
    await this.#jobs.idle()
    await new Promise((resolve) => process.stdout.write('', resolve))
    await this.#options.checkpoint?.settled().catch((error: unknown) => this.#fail(error))
    if (this.#failure !== null) throw this.#failure
    const ended = this.#stop.exitCode ?? this.#exitCode
    return ended ?? (this.#setAside > 0 ? EXIT.commandFailed : EXIT.done)
  }

  /** Whether it is enough. */
  async #take(message: ListenerMessage): Promise<boolean> {
    if (this.#signal.aborted) return true // what came in the same piece is not begun any more
    switch (message.type) {
      case 'event':
        await (this.#command === null
          ? this.#print(message)
          : this.#runCommand(message, this.#command))
        this.#rate.add()
        return ++this.#events >= this.#options.countMax
      case 'progress':
        this.#done.begin(message.cursor)()
        break
      case 'gap':
        this.#gaps++
        this.#status.tell(`gap: ${message.reason}`)
        if (!this.#options.failsOnGap) return false
        this.#exitCode ??= EXIT.gap
        return true
      case 'connected':
        if (!message.isFirst) this.#status.tell('connected again')
        this.#retries.over()
        this.#state = `listening to ${this.#place}`
        break
      case 'disconnected':
        this.#retries.add(message.reason, message.waitMs)
        this.#state = 'waiting to connect again'
    }
    return false
  }

  /** Resolves when there may be more. */
  async #print({
    text,
    event,
    cursor,
  }: Extract<ListenerMessage, { type: 'event' }>): Promise<void> {
    const formatted = this.#options.format({ ...event, text })
    this.#status.clear()
    const done = this.#done.begin(cursor)
    const { stdout } = process
    const isTaken = stdout.write(
      stdout.isTTY && !this.#options.isForTerminal ? forTerminal(formatted) : formatted,
      (error?: Error | null) => {
        if (!error) done()
        // Nobody wants more, as behind `| head`.
        else if ((error as NodeJS.ErrnoException).code === 'EPIPE') this.#end(EXIT.done)
        else this.#fail(error)
      },
    )
    if (isTaken || this.#signal.aborted) return
    await once(stdout, 'drain', { signal: this.#signal }).catch(() => {}) // or there is nothing to wait for any more
  }

  /** Resolves when there may be more. */
  async #runCommand(
    { text, event, cursor }: Extract<ListenerMessage, { type: 'event' }>,
    command: EventCommand,
  ): Promise<void> {
    const done = this.#done.begin(cursor)
    const { jobsMax } = this.#options.command!
    // With one at a time the order of the log is kept; with more, that of events with the same topics.
    const key = jobsMax === 1 ? '' : JSON.stringify([...new Set(event.topics)].toSorted())
    await this.#jobs.add(key, async () => {
      try {
        const outcome = await command.run({ ...event, text })
        if (outcome === 'set aside') this.#setAside++
        if (outcome === 'failed') this.#end(EXIT.commandFailed)
        if (outcome === 'done' || outcome === 'set aside') done()
      } catch (error) {
        this.#fail(error)
      }
    })
    while (this.#done.length > OPEN_MAX && !this.#signal.aborted) await this.#jobs.changed()
  }

  #moveCheckpoint(cursor: string): void {
    this.#options.checkpoint?.move(cursor).catch((error: unknown) => this.#fail(error))
  }

  #end(exitCode: number): void {
    this.#exitCode ??= exitCode
    this.#ending.abort()
  }

  #fail(error: unknown): void {
    this.#failure ??= error
    this.#ending.abort()
  }

  /** The server, and the topics. */
  get #place(): string {
    const { host, pathname } = this.#options.stream.url
    return `${host}${pathname}`
  }

  #describe(): string {
    const parts = [this.#state, `${this.#events} events`]
    if (this.#command !== null) parts.push(`${this.#jobs.running} running`)
    if (this.#setAside > 0) parts.push(`${this.#setAside} set aside`)
    if (this.#gaps > 0) parts.push(`${this.#gaps} gaps`)
    if (this.#events > 0) parts.push(this.#rate.describe())
    return parts.join(', ')
  }

  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]()
    this.#status[Symbol.dispose]()
  }
}

/** Events that wait for a command, beside those that have one: enough to find some with other topics. */
const WAITING_MAX = 100

/** Events behind the oldest one that is not done: after a crash they come again. */
const OPEN_MAX = 1_000
