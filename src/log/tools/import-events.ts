import type { Position } from '../../hub/event.ts'
import type { StateChange } from '../../hub/state-store.ts'
import type { EventLine } from './event-lines.ts'
import type { PastEvent } from './past-event.ts'
import type { SqliteEventLog } from '../sqlite/sqlite-event-log.ts'

/** What a log that takes events of the past must offer. */
export type ImportingLog = Pick<SqliteEventLog, 'commit' | 'head' | 'read'>

export interface ImportOptions {
  /** Events up to this time are passed over: behind newer ones they would get another time, and may be there already. */
  readonly newerThanMs: number
  /** Lines before this one were imported already. */
  readonly firstLine?: number
  /** What the store shall remember together with the lines before `nextLine`. */
  readonly remember?: (nextLine: number) => readonly StateChange[]
  readonly onProgress?: (bytesRead: number) => void
  readonly now?: () => number
}

export interface ImportReport {
  imported: number
  /** How many of them have another time than in the file, so that times do not decrease and none is in the future. */
  timesChanged: number
  /** Numbers of the lines that were passed over, by reason; only so many as are worth naming. */
  readonly skipped: Map<string, { count: number; readonly lines: number[] }>
}

/** Time of the newest event of a log, in ms since the Unix epoch; 0 where it has none. */
export async function newestMs(log: Pick<ImportingLog, 'head' | 'read'>): Promise<number> {
  let newest = 0
  for await (const { events } of log.read((log.head - 1) as Position, { pageBytes: 1 }))
    newest = events.at(-1)?.publishedAtMs ?? newest
  return newest
}

/** Appends the events of a file to a log, in the order in which they stand there. */
export async function importEvents(
  lines: AsyncIterable<EventLine>,
  log: ImportingLog,
  options: ImportOptions,
): Promise<ImportReport> {
  const { newerThanMs, firstLine = 1, remember = () => [], onProgress, now = Date.now } = options
  const report: ImportReport = { imported: 0, timesChanged: 0, skipped: new Map() }
  const nowMs = now()
  let batch: PastEvent[] = []
  let batchLength = 0
  let lastMs = await newestMs(log)
  let nextLine = firstLine
  const flush = async (): Promise<void> => {
    const changes = remember(nextLine)
    if (batch.length === 0 && changes.length === 0) return
    const timesMs = batch.map(({ publishedAtMs }) => publishedAtMs)
    await log.commit({ publications: batch, timesMs, changes })
    report.imported += batch.length
    batch = []
    batchLength = 0
  }

  for await (const line of lines) {
    if (line.number < firstLine) continue
    nextLine = line.number + 1
    if ('problem' in line) {
      skip(report, line.problem, line.number)
      continue
    }
    const { event } = line
    if (event.publishedAtMs <= newerThanMs) {
      skip(report, NOT_NEWER, line.number)
      continue
    }
    lastMs = Math.max(lastMs, Math.min(event.publishedAtMs, nowMs))
    if (lastMs !== event.publishedAtMs) report.timesChanged++
    batch.push({ ...event, publishedAtMs: lastMs })
    batchLength += event.payload.text.length
    if (batch.length < BATCH_EVENTS && batchLength < BATCH_LENGTH) continue
    await flush()
    onProgress?.(line.bytesRead)
  }
  await flush()
  return report
}

/** One sentence on each thing that has to be said. */
export function describeReport({ imported, timesChanged, skipped }: ImportReport): string[] {
  const sentences = [`${imported} events imported`]
  if (timesChanged > 0)
    sentences.push(
      `${timesChanged} of them got another time: in a log no event is older than the one before, and none is of the future`,
    )
  for (const [reason, { count, lines }] of skipped) {
    const more = count > lines.length ? ` and ${count - lines.length} more` : ''
    const named = `line${count === 1 ? '' : 's'} ${lines.join(', ')}${more}`
    sentences.push(`${count} ${count === 1 ? 'line' : 'lines'} skipped, ${reason}: ${named}`)
  }
  return sentences
}

export const NOT_NEWER = 'not newer than the newest event of the store'

function skip({ skipped }: ImportReport, reason: string, line: number): void {
  const entry = skipped.get(reason) ?? { count: 0, lines: [] }
  skipped.set(reason, entry)
  entry.count++
  if (entry.lines.length < LINES_NAMED) entry.lines.push(line)
}

const LINES_NAMED = 10

/** One flush to the disk for so many events, or for so many characters of payloads. */
const BATCH_EVENTS = 1_000
const BATCH_LENGTH = 2 ** 20
