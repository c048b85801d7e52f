import { constants, fstatSync, openSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { pino, type DestinationStream } from 'pino'
import { lineOf, printable, type LogLevel, type LogOutput } from './logger.ts'

export interface LogSettings {
  /** `auto`: text on a terminal, JSON otherwise. */
  readonly format: 'auto' | 'text' | 'json'
  /** What is less than that is not written. */
  readonly level: LogLevel
}

/** Turns a message into a line with its end. */
export type LogFormat = (level: LogLevel, message: string) => string

/**
 * The log on standard output, warnings and errors on standard error. Nobody who reads it, or does not, can hold up or end the process: what
 * cannot be written waits, up to a bound, then is counted as lost, which is told once lines come through again. Held by
 * `test/ops/log-output.test.ts`.
 */
export class ProcessLog {
  readonly #out: CountedOutput
  readonly #err: CountedOutput
  #format: LogFormat = lineOf
  #levelMin: number = LEVELS.info

  constructor(descriptors: { readonly out: number; readonly err: number } = { out: 1, err: 2 }) {
    const { out, err } = descriptors
    this.#out = new CountedOutput(out, this.format)
    // One order of lines, where both lead to the same place.
    this.#err = isSame(out, err) ? this.#out : new CountedOutput(err, this.format)
  }

  set({ format, level }: LogSettings): void {
    const isText = format === 'text' || (format === 'auto' && (isatty(1) || isatty(2)))
    this.#format = isText ? lineOf : jsonFormat()
    this.#levelMin = LEVELS[level]
  }

  readonly format: LogFormat = (level, message) => this.#format(level, message)

  readonly write: LogOutput = (level, message) => {
    if (LEVELS[level] < this.#levelMin) return
    const output = level === 'info' ? this.#out : this.#err
    output.write(this.#format(level, message))
  }

  /** Resolves once all lines are written, or have not been for so many ms. */
  async written(ms: number): Promise<void> {
    await Promise.all([this.#out.written(ms), this.#err.written(ms)])
  }
}

const LEVELS = { info: 0, warn: 1, error: 2 } as const

class CountedOutput {
  /** What may be written to at once, as that never waits. `null`: there is none. */
  readonly #direct: number | null
  /** What takes what could not be written at once. */
  readonly #destination
  readonly #format: LogFormat
  #lost = 0
  /** Nothing waits. */
  #isIdle = true

  constructor(descriptor: number, format: LogFormat) {
    this.#format = format
    this.#direct = withoutWaiting(descriptor)
    this.#destination = pino.destination({
      dest: this.#direct ?? descriptor,
      sync: false,
      maxLength: WAITING_BYTES_MAX,
    })
    this.#destination
      .on('drop', () => this.#lost++)
      // It is tried again with the next line.
      .on('error', () => {})
      .on('drain', () => this.#drained())
  }

  write(line: string): void {
    const rest = this.#isIdle && this.#direct !== null ? writtenAtOnce(this.#direct, line) : line
    if (rest === '') return
    this.#isIdle = false
    this.#destination.write(rest)
  }

  written(ms: number): Promise<void> {
    if (this.#isIdle) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      const done = () => {
        clearTimeout(timer)
        resolve()
      }
      this.#destination.once('drain', done).once('error', done)
    })
  }

  #drained(): void {
    this.#isIdle = true
    if (this.#lost === 0) return
    const lost = this.#lost
    this.#lost = 0
    this.write(
      this.#format(
        'warn',
        `${lost} lines of the log were lost before this one: nobody read them, or they could not be written`,
      ),
    )
  }
}

/** Lines of pino: `level`, `time` and `message`. */
function jsonFormat(): LogFormat {
  let line = ''
  const stream: DestinationStream = {
    write: (text) => {
      line = text
    },
  }
  const json = pino(
    {
      base: null,
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  )
  return (level, message) => {
    // JSON escapes line breaks, but not all that a terminal obeys.
    json[level](message.split('\n').map(printable).join('\n'))
    return line
  }
}

/**
 * What leads to the same place, and never waits for whoever reads there: a pipe or terminal is opened once more, so that what others have
 * of it stays as it is. Of a socket, as systemd has it, there is no such thing.
 */
function withoutWaiting(descriptor: number): number | null {
  try {
    const stats = fstatSync(descriptor)
    if (stats.isFile()) return descriptor
    if (!stats.isFIFO() && !stats.isCharacterDevice()) return null
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants
    return openSync(`/proc/self/fd/${descriptor}`, O_WRONLY | O_NONBLOCK | O_NOCTTY)
  } catch {
    return null // closed, or not Linux
  }
}

/** What could not be written of it. */
function writtenAtOnce(descriptor: number, line: string): string {
  try {
    const bytes = Buffer.from(line)
    const written = writeSync(descriptor, bytes)
    return written === bytes.length ? '' : bytes.subarray(written).toString()
  } catch {
    return line // nobody reads it, or the disk is full: it is tried again
  }
}

function isSame(one: number, other: number): boolean {
  try {
    const [a, b] = [fstatSync(one), fstatSync(other)]
    return a.dev === b.dev && a.ino === b.ino
  } catch {
    return false // one of them is closed
  }
}

/** Some ten thousand lines. */
const WAITING_BYTES_MAX = 1024 * 1024
