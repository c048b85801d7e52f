import { exportedLine } from '../log/tools/exported-line.ts'
import { StoreView } from '../log/tools/store-view.ts'
import { harmlessJson } from './event-format.ts'
import { existingStore, readLogArguments } from './log-arguments.ts'
import { ProgressBar } from './progress-bar.ts'
import { EXPORT_OPTIONS } from './log-options.ts'
import { parseTime } from './log-time.ts'

export async function logExport(words: readonly string[]): Promise<number> {
  const { values } = readLogArguments(words, EXPORT_OPTIONS, 0)
  // What is written wrong is told before the store is opened, whose clock says how long ago that is.
  for (const text of [values.since, values.until]) if (text !== undefined) parseTime(text, () => 0)
  let damaged = 0
  let withheld = 0
  let expired = 0
  using view = new StoreView(existingStore(values), () => damaged++)
  const timeOf = (text: string) => parseTime(text, (ms) => view.clock.ago(ms))
  const sinceMs = values.since === undefined ? 0 : timeOf(values.since)
  // Until now means all that is there.
  const untilMs =
    values.until === undefined || /^0+[smhd]$/.test(values.until) ? Infinity : timeOf(values.until)
  const takesPrivate = values.private === true
  using bar = new ProgressBar('exporting')
  const { isTTY } = process.stdout
  process.stdout.on('error', () => {}) // `write` is told as well
  for (const { events, gap, done, total } of view.pages({ sinceMs })) {
    if (gap === 'expired') expired++
    const wanted = view.published(events).filter(({ publishedAtMs }) => publishedAtMs < untilMs)
    const shown = wanted.filter(({ isPrivate }) => takesPrivate || !isPrivate)
    withheld += wanted.length - shown.length
    const lines = shown.map(exportedLine).join('')
    // A file has the very words that were published, and a terminal must not obey them.
    if (!(await write(isTTY ? harmlessJson(lines) : lines))) break
    if (!isTTY) bar.show(done, total)
    if (wanted.length < events.length) break
  }
  bar[Symbol.dispose]()
  if (withheld > 0) tell(`private events left out: ${withheld} (--private takes them along)`)
  if (damaged > 0) tell(`damaged places left out: ${damaged} (pubsubd log verify says where)`)
  if (expired > 0)
    tell(`some events were too old before they could be written, and are left out: begin again`)
  return damaged + expired === 0 ? 0 : 1
}

/** Resolves when it is taken; `false`: nobody wants more, as behind `| head`. */
async function write(text: string): Promise<boolean> {
  const error = await new Promise<Error | null | undefined>((resolve) => {
    process.stdout.write(text, resolve)
  })
  if (error === null || error === undefined) return true
  if ((error as NodeJS.ErrnoException).code === 'EPIPE') return false
  throw error
}

function tell(sentence: string): void {
  process.stderr.write(`${sentence}\n`)
}
