import { forTerminal } from './event-format.ts'

/** Messages of a long command on standard error: on a terminal above a line that says how it goes, else plain lines. */
export class StatusLine implements Disposable {
  readonly #name: string
  readonly #terminal = process.stderr
  readonly #describe: () => string
  readonly #timer: NodeJS.Timeout | undefined
  #isShown = false

  /** `describe`: the line as it is now. */
  constructor(name: string, describe: () => string) {
    this.#name = name
    this.#describe = describe
    if (this.#terminal.isTTY) this.#timer = setInterval(() => this.#draw(), REDRAW_MS).unref()
  }

  tell(sentence: string): void {
    this.clear()
    this.#terminal.write(`pubsubd ${this.#name}: ${forTerminal(sentence).replaceAll('\n', ' ')}\n`)
  }

  /** Before something else is written to the terminal. */
  clear(): void {
    if (!this.#isShown) return
    this.#isShown = false
    this.#terminal.write(`\r${CLEAR_LINE}`)
  }

  #draw(): void {
    const line = this.#describe().slice(0, (this.#terminal.columns || 80) - 1)
    this.#isShown = true
    this.#terminal.write(`\r${CLEAR_LINE}${forTerminal(line)}`)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.clear()
  }
}

const REDRAW_MS = 250
/** ECMA-48, erase in line: from the cursor to the end. */
const CLEAR_LINE = '\u001b[K'
