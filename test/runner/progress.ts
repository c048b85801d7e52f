import { relative } from 'node:path'
import type { FileResult } from './run-file.ts'

/** Where a log is read instead of a terminal, a line this often, in ms. */
const LINE_EVERY_MS = 10_000

/** On a terminal the line is written anew this often, in ms. */
const UPDATE_EVERY_MS = 200

/** Of a terminal that does not say it. */
const COLUMNS = 80

const ERASE_LINE = '\r\u001b[K'

/** A stream that may be a terminal. */
type Output = { write(text: string): unknown } & Partial<
  Pick<NodeJS.WriteStream, 'isTTY' | 'columns'>
>

/** Says how far a run is: in one line that changes on a terminal, else in a line now and then. */
export class Progress implements Disposable {
  readonly #output: Output
  readonly #total: number
  readonly #startedMs = performance.now()
  readonly #timer: NodeJS.Timeout
  readonly #running = new Set<string>()
  #files = 0
  #passed = 0
  #failed = 0
  #isOver = false

  constructor(output: Output, total: number) {
    this.#output = output
    this.#total = total
    this.#timer = setInterval(
      () => this.#show(),
      output.isTTY ? UPDATE_EVERY_MS : LINE_EVERY_MS,
    ).unref()
  }

  began(file: string): void {
    this.#running.add(file)
  }

  ended({ file, passed, failures }: FileResult): void {
    this.#running.delete(file)
    this.#files++
    this.#passed += passed
    this.#failed += failures.length
    for (const { name } of failures) this.print(`FAILED ${relative('.', file)}: ${name}`)
  }

  /** A line that stays. */
  print(line: string): void {
    if (this.#isOver) return
    this.#output.write(`${this.#output.isTTY ? ERASE_LINE : ''}${line}\n`)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    if (this.#output.isTTY && !this.#isOver) this.#output.write(ERASE_LINE)
    this.#isOver = true
  }

  #show(): void {
    const running = [...this.#running].map((file) => relative('test', file)).join(', ')
    const line =
      `${clock(performance.now() - this.#startedMs)}  ${this.#files} of ${this.#total} files, ` +
      `${this.#passed} passed, ${this.#failed} failed. Running: ${running}`
    this.#output.write(
      this.#output.isTTY
        ? ERASE_LINE + line.slice(0, (this.#output.columns ?? COLUMNS) - 1)
        : `${line}\n`,
    )
  }
}

/** Minutes and seconds. */
export function clock(durationMs: number): string {
  const seconds = Math.floor(durationMs / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
