import { createReadStream, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { StateChange, StateStore } from '../../hub/state-store.ts'
import {
  describeReport,
  importEvents,
  newestMs,
  NOT_NEWER,
  type ImportingLog,
} from './import-events.ts'
import { readPypubsubBacklog } from './pypubsub-backlog.ts'

/**
 * Takes over PyPubSub's storage file, where `server.backlog.storage` names one: once, and the file stays as it is. After an
 * interruption it goes on where it stopped. A file that has changed since brings only what is newer than the store.
 * @throws {Error} it cannot be read. {LogUnavailableError} it cannot be stored.
 */
export async function importPypubsubBacklog(
  file: string,
  { eventLog, stateStore }: Importer,
  log: (level: 'info' | 'warn', message: string) => void,
): Promise<void> {
  const stats = statSync(file, { throwIfNoEntry: false })
  if (stats?.isFile() !== true) return
  const { size, mtimeMs } = stats
  const key = resolve(file)
  const before = await recall(stateStore, key)
  const isSame = before?.size === size && before.mtimeMs === mtimeMs
  if (isSame && before.nextLine === null) return

  const firstLine = (isSame ? before.nextLine : null) ?? 1
  const newerThanMs = isSame ? before.newerThanMs : await newestMs(eventLog)
  const memory = (nextLine: number | null): StateChange => {
    const value: Memory = { size, mtimeMs, newerThanMs, nextLine }
    return { space: SPACE, key, value: Buffer.from(JSON.stringify(value)) }
  }
  log('info', `importing the backlog of PyPubSub from ${file}, ${size} bytes, line ${firstLine} on`)
  let report
  try {
    report = await importEvents(readPypubsubBacklog(createReadStream(file)), eventLog, {
      newerThanMs,
      firstLine,
      remember: (nextLine) => [memory(nextLine)],
    })
  } catch (error) {
    const { message } = error as Error
    throw new Error(`server.backlog.storage: ${file} is not imported completely: ${message}`, {
      cause: error,
    })
  }
  await stateStore.apply([memory(null)])
  const [imported, ...more] = describeReport(report)
  log('info', `${file}: ${imported}. The file stays as it is and is not read again`)
  for (const sentence of more) log('warn', `${file}: ${sentence}`)
  if (before === null && report.skipped.has(NOT_NEWER))
    log('warn', `${file}: to have those too, import it into an empty store: ${INTO_EMPTY_STORE}`)
}

interface Importer {
  readonly eventLog: ImportingLog
  readonly stateStore: Pick<StateStore, 'get' | 'apply'>
}

/** How far a file was imported. */
interface Memory {
  readonly size: number
  readonly mtimeMs: number
  readonly newerThanMs: number
  /** `null`: all of it. */
  readonly nextLine: number | null
}

async function recall(store: Pick<StateStore, 'get'>, key: string): Promise<Memory | null> {
  const value = await store.get(SPACE, key)
  return value === null ? null : JSON.parse(Buffer.from(value).toString())
}

const INTO_EMPTY_STORE =
  'stop the server, move the store out of the way (its directory ends in .pubsubd), start again'

const SPACE = 'pypubsub-backlog'
