import { createReadStream, statSync } from 'node:fs'
import { resolve } from 'node:path'
import {
  describeReport,
  importEvents,
  NOT_NEWER,
  OLDER_THAN_ALL,
  type ImportingStore,
} from './import-events.ts'
import { describeForecast, forecastImport, type KeptLimits } from './import-forecast.ts'
import { readPypubsubBacklog } from './pypubsub-backlog.ts'

/**
 * Takes over PyPubSub's storage file, where `server.backlog.storage` names one: once, and the file stays as it is. After an
 * interruption it goes on where it stopped. Of a file that has changed since, what the store has already is left out. While
 * nothing of it would be kept, nothing is imported.
 * @throws {Error} it cannot be read. {LogUnavailableError} it cannot be stored.
 */
export async function importPypubsubBacklog(
  file: string,
  store: ImportingStore,
  {
    limits,
    logger,
  }: { limits: KeptLimits; logger: (level: 'info' | 'warn', message: string) => void },
): Promise<void> {
  const stats = statSync(file, { throwIfNoEntry: false, bigint: true })
  if (stats?.isFile() !== true) return
  const { dev, ino, size, mtimeNs, ctimeNs } = stats
  const state = Buffer.from(`${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`)
  const key = resolve(file)
  const before = await store.stateStore.get(SPACE, key)
  if (before !== null && state.equals(before)) return
  const lines = () => readPypubsubBacklog(createReadStream(file))
  const nowMs = store.eventLog.timeAgo(0)
  const forecast =
    limits.eventsMax === 0 ? KEEPS_NOTHING : await forecastImport(lines(), limits, nowMs)
  const loss = describeForecast(forecast)
  if (loss !== null)
    logger('warn', forecast === KEEPS_NOTHING ? `${file}: ${NOTHING_KEPT}` : `${file}: ${loss}`)
  if (loss !== null && forecast.kept === 0) return

  logger('info', `importing the backlog of PyPubSub from ${file}, ${size} bytes`)
  let report
  try {
    report = await importEvents(lines(), store)
  } catch (error) {
    const { message } = error as Error
    throw new Error(`server.backlog.storage: ${file} is not imported completely: ${message}`, {
      cause: error,
    })
  }
  await store.stateStore.apply([{ space: SPACE, key, value: state }])
  const [imported, ...more] = describeReport(report)
  logger('info', `${file}: ${imported}. The file stays as it is and is not read again`)
  for (const sentence of more) logger('warn', `${file}: ${sentence}`)
  if (report.skipped.has(NOT_NEWER) || report.skipped.has(OLDER_THAN_ALL))
    logger('warn', `${file}: to have those too, import it into an empty store: ${INTO_EMPTY_STORE}`)
}

const KEEPS_NOTHING = { events: 0, kept: 0, because: 'server.backlog.size' }
const NOTHING_KEPT =
  'nothing is imported, as server.backlog.size is 0: say how many events shall be kept, and start again'

const INTO_EMPTY_STORE =
  'stop the server, move the store out of the way (its directory ends in .pubsubd), start again'

/** What the file was like when all of it had been imported, by its path. */
const SPACE = 'pypubsub-backlog'
