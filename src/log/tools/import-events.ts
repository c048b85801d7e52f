import { createHash } from 'node:crypto'
import type { StateStore } from '../../hub/state-store.ts'
import type { EventLine } from './event-lines.ts'
import type { PastEvent } from './past-event.ts'
import type { SqliteEventLog } from '../sqlite/sqlite-event-log.ts'
import { StoredEvents, fingerprintOf } from './stored-events.ts'

/** What a log that takes events of the past must offer. */
export type ImportingLog = Pick<
  SqliteEventLog,
  'commit' | 'head' | 'read' | 'positionAt' | 'timeAgo' | 'status'
>

/** A store that takes events of the past. */
export interface ImportingStore {
  readonly eventLog: ImportingLog
  readonly stateStore: Pick<StateStore, 'get' | 'apply'>
}

export interface ImportReport {
  imported: number
  /** How many of them have another time than in the file, so that times do not decrease and none is in the future. */
  timesChanged: number
  /** Events of lines that an import before this one has brought to their end. */
  importedBefore: number
  /** Events that the store has, word for word and with their times. */
  duplicates: number
  /** Numbers of the lines that were left out, by reason; only so many as are worth naming. */
  readonly skipped: Map<string, { count: number; readonly lines: number[] }>
}

/**
 * Appends the events of a file to a store, in the order in which they stand there. Lines go in blocks, each in one commit
 * with a note of what it held: an import that was stopped goes on behind the last block, whatever the file is called by then
 * and however its times are. What else is older than the newest event of the store is left out: behind that it would get
 * another time.
 */
export async function importEvents(
  lines: AsyncIterable<EventLine>,
  { eventLog, stateStore }: ImportingStore,
  onProgress: (bytesRead: number) => void = () => {},
): Promise<ImportReport> {
  const report: ImportReport = {
    imported: 0,
    timesChanged: 0,
    importedBefore: 0,
    duplicates: 0,
    skipped: new Map(),
  }
  const stored = await StoredEvents.before(eventLog)
  const nowMs = eventLog.timeAgo(0)
  let lastMs = stored.newestMs
  let fileMs = 0

  /** Where the import that is gone on with began: what is newer than that was not in the store then. */
  let newerThanMs = stored.newestMs

  const isNew = async (event: PastEvent, line: number): Promise<boolean> => {
    const { publishedAtMs } = event
    fileMs = Math.max(fileMs, publishedAtMs)
    if (publishedAtMs > stored.newestMs) return true
    const fingerprint = fingerprintOf(event)
    // Behind a newer one of its file it has got that one's time.
    const isStored =
      (await stored.take(publishedAtMs, fingerprint)) ||
      (fileMs > publishedAtMs && (await stored.take(fileMs, fingerprint)))
    if (isStored) report.duplicates++
    else if (publishedAtMs === stored.newestMs || publishedAtMs > newerThanMs) return true
    else skip(report, publishedAtMs < stored.oldestMs ? OLDER_THAN_ALL : NOT_NEWER, line)
    return false
  }

  for await (const block of blocksOf(lines)) {
    const key = keyOf(block)
    const note = await stateStore.get(SPACE, key)
    const isKnown = note !== null
    newerThanMs = isKnown ? Number(Buffer.from(note).toString()) : newerThanMs
    const events: PastEvent[] = []
    for (const line of block) {
      if ('problem' in line) skip(report, line.problem, line.number)
      else if (isKnown) report.importedBefore++
      else if (await isNew(line.event, line.number)) {
        const { publishedAtMs } = line.event
        lastMs = Math.max(lastMs, Math.min(publishedAtMs, nowMs))
        if (lastMs !== publishedAtMs) report.timesChanged++
        events.push({ ...line.event, publishedAtMs: lastMs })
      }
    }
    if (events.length === 0) continue
    await eventLog.commit({
      publications: events,
      timesMs: events.map(({ publishedAtMs }) => publishedAtMs),
      changes: [
        {
          space: SPACE,
          key,
          value: Buffer.from(`${newerThanMs}`),
          expiresAtMs: nowMs + REMEMBERED_MS,
        },
      ],
    })
    report.imported += events.length
    onProgress(block.at(-1)!.bytesRead)
  }
  return report
}

/** One sentence on each thing that has to be said. */
export function describeReport(report: ImportReport): string[] {
  const { imported, timesChanged, importedBefore, duplicates, skipped } = report
  const sentences = [`${imported} events imported`]
  if (importedBefore > 0)
    sentences.push(`${importedBefore} events were imported before, and this went on behind them`)
  if (duplicates > 0)
    sentences.push(`${duplicates} events left out: the store has them, word for word`)
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

export const NOT_NEWER = 'older than the newest event of the store, and not in it'
export const OLDER_THAN_ALL =
  'older than all events of the store, which may have had them and dropped them for their age'

function skip({ skipped }: ImportReport, reason: string, line: number): void {
  const entry = skipped.get(reason) ?? { count: 0, lines: [] }
  skipped.set(reason, entry)
  entry.count++
  if (entry.lines.length < LINES_NAMED) entry.lines.push(line)
}

/** The same lines always make the same blocks. */
async function* blocksOf(lines: AsyncIterable<EventLine>): AsyncGenerator<EventLine[]> {
  let block: EventLine[] = []
  let length = 0
  for await (const line of lines) {
    block.push(line)
    if ('event' in line) length += line.event.payload.text.length
    if (block.length < BLOCK_LINES && length < BLOCK_LENGTH) continue
    yield block
    block = []
    length = 0
  }
  if (block.length > 0) yield block
}

/** The key says what a block holds and where it stands: a file may say the same a thousand times. */
function keyOf(block: readonly EventLine[]): string {
  const hash = createHash('sha256').update(`${block[0]!.number}`)
  for (const line of block)
    hash.update(
      'problem' in line
        ? `\n${line.problem}`
        : `\n${line.event.publishedAtMs} ${fingerprintOf(line.event)}`,
    )
  return hash.digest('base64url')
}

const SPACE = 'imports'
/** After that an import is compared with the store event by event. */
const REMEMBERED_MS = 90 * 86_400_000

const LINES_NAMED = 10

/** One flush to the disk for so many lines, or for so many characters of payloads. */
const BLOCK_LINES = 1_000
const BLOCK_LENGTH = 2 ** 20
