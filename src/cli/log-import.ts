import { createReadStream, statSync } from 'node:fs'
import { eventLines } from '../log/tools/event-lines.ts'
import { parseExportedLine } from '../log/tools/exported-line.ts'
import { loadSettings } from '../config/load.ts'
import { filesOf } from './file-options.ts'
import { describeForecast, forecastImport } from '../log/tools/import-forecast.ts'
import { describeReport, importEvents } from '../log/tools/import-events.ts'
import { readPypubsubBacklog } from '../log/tools/pypubsub-backlog.ts'
import { openSqliteStore } from '../log/sqlite/sqlite-store.ts'
import { storeOwner } from '../log/sqlite/store-owner.ts'
import { logger } from '../ops/logger.ts'
import { UsageError } from './arguments.ts'
import { readLogArguments, storeDirectory } from './log-arguments.ts'
import { IMPORT_OPTIONS } from './log-options.ts'
import { ProgressBar } from './progress-bar.ts'

export async function logImport(words: readonly string[]): Promise<number> {
  const { values, names } = readLogArguments(words, IMPORT_OPTIONS, 1)
  const [file = '-'] = names
  if (file === '-' && process.stdin.isTTY) throw new UsageError('name a file, or pipe events in')
  const bytes = file === '-' ? 0 : sizeOf(file)
  const lines = () => {
    const input = file === '-' ? process.stdin : createReadStream(file)
    return values.pypubsub ? readPypubsubBacklog(input) : eventLines(input, parseExportedLine)
  }

  const directory = storeDirectory(values)
  const owner = storeOwner(directory)
  if (owner !== null)
    throw new Error(
      `the store ${directory} is in use by process ${owner}; stop that first, or import into another store with --store DIR`,
    )
  // Without the settings nobody knows what the store will keep, and standard input can be read but once.
  if (values.store === undefined && file !== '-') {
    const { backlog } = loadSettings(filesOf({ config: values.config }).settings).settings.server
    const forecast = await forecastImport(lines(), backlog, Date.now())
    const loss = describeForecast(forecast)
    if (loss !== null) process.stderr.write(`${loss}\n`)
    if (loss !== null && forecast.kept === 0) return 1
  }
  const store = await openSqliteStore({
    directory,
    durability: 'disk',
    reserveBytes: RESERVE_BYTES,
    // What is too old or too much goes when the server opens the store: it knows the settings.
    eventsMax: Number.MAX_SAFE_INTEGER,
    maxAgeMs: 0,
    bytesMax: Number.MAX_SAFE_INTEGER,
    logger,
  })
  await using _closed = store.eventLog
  using bar = new ProgressBar('importing')
  const report = await importEvents(lines(), store, (bytesRead) => bar.show(bytesRead, bytes))
  bar[Symbol.dispose]()
  for (const sentence of describeReport(report)) process.stderr.write(`${sentence}\n`)
  return report.skipped.size === 0 ? 0 : 1
}

/** Left free on the disk, as the server does by default, in bytes. */
const RESERVE_BYTES = 64 * 2 ** 20

function sizeOf(file: string): number {
  const stats = statSync(file)
  if (!stats.isFile()) throw new UsageError(`${file} is not a file`)
  return stats.size
}
