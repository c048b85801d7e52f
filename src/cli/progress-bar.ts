/** How far a long command is, on one line of a terminal; nothing where standard error is none. */
export class ProgressBar implements Disposable {
  readonly #label: string
  readonly #terminal: Terminal
  readonly #now: () => number
  #shownAtMs: number
  #isShown = false

  constructor(
    label: string,
    terminal: Terminal = process.stderr,
    now: () => number = () => performance.now(),
  ) {
    this.#label = label
    this.#terminal = terminal
    this.#now = now
    this.#shownAtMs = now() // nothing is shown of what is over at once
  }

  /** `total` 0: unknown. */
  show(done: number, total: number, note = ''): void {
    if (!this.#terminal.isTTY) return
    const nowMs = this.#now()
    if (nowMs - this.#shownAtMs < REDRAW_MS) return
    this.#shownAtMs = nowMs
    this.#isShown = true
    const share = total === 0 ? 0 : Math.min(1, done / total)
    const filled = Math.round(share * BAR_WIDTH)
    const bar = total === 0 ? '' : ` [${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}]`
    const percent = total === 0 ? '' : ` ${Math.floor(share * 100)} %`
    const line = `${this.#label}${bar}${percent}  ${note}`
    this.#terminal.write(`\r${CLEAR_LINE}${line.slice(0, (this.#terminal.columns || 80) - 1)}`)
  }

  [Symbol.dispose](): void {
    if (this.#isShown) this.#terminal.write(`\r${CLEAR_LINE}`)
  }
}

type Terminal = Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'write'>

const REDRAW_MS = 200
const BAR_WIDTH = 30
/** ECMA-48, erase in line: from the cursor to the end. */
const CLEAR_LINE = '\u001b[K'
