import { closeSync, existsSync, mkdirSync, openSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { databaseIn, isDamage, openReader } from './schema.ts'
import type { SqliteReader } from './sqlite-reader.ts'
import type {
  ClosePlan,
  Opened,
  OpenOptions,
  SqliteWriter,
  WriterOptions,
} from './sqlite-writer.ts'
import type { FileIdentity } from './store-files.ts'
import { syncDirectory, type StoreLock } from './store-lock.ts'
import { WorkerPeer } from './worker-peer.ts'

export interface ThreadOptions extends WriterOptions {
  readonly logger: (level: 'info' | 'warn' | 'error', message: string) => void
}

/** The two threads that work on a store, and what they found in it. */
export interface StoreThreads {
  readonly writer: WorkerPeer<SqliteWriter>
  readonly reader: WorkerPeer<SqliteReader>
  readonly opened: Opened
  /** For what must be known at once. */
  readonly database: DatabaseSync
  /** What is to be found again under its name. */
  readonly identities: readonly FileIdentity[]
  /** `last`: what the store shall be told yet, if there is time. */
  close(last?: () => Promise<void>): Promise<Closed>
}

/** How a store was closed. */
export interface Closed {
  /** Everything is in the database. */
  readonly isCleared: boolean
  /** What the operator has to know. */
  readonly warning: string | undefined
}

/**
 * A damaged store is put aside, and a new one begins with what is whole in it: better than a server that does not start.
 * @throws {Error} the directory cannot be used, or the store is of a newer version.
 */
export async function startThreads(
  options: ThreadOptions,
  lock: StoreLock,
  how: OpenOptions,
  onCrash: (error: Error) => void,
): Promise<StoreThreads> {
  try {
    return await start(options, lock, how, onCrash)
  } catch (error) {
    if (!isDamage(error)) throw error
    const aside = putAside(options, (error as Error).message)
    const salvageFrom = how.salvageFrom ?? aside
    return start(options, lock, { ...how, wasClosed: true, salvageFrom }, onCrash)
  }
}

/** Moves a damaged store out of the way, for somebody to look at. Returns where it is now. */
export function putAside({ directory, logger }: ThreadOptions, reason: string): string {
  const stamp = new Date().toISOString().replaceAll(':', '-')
  const aside = join(directory, `damaged-${stamp}`)
  mkdirSync(aside, { mode: 0o700 })
  const database = databaseIn(directory)
  for (const suffix of ['', '-wal', '-shm'])
    if (existsSync(database + suffix)) renameSync(database + suffix, databaseIn(aside) + suffix)
  syncDirectory(directory)
  logger(
    'error',
    `the store ${directory} is damaged (${reason}): its files are now in ${aside}, and a new store begins`,
  )
  return aside
}

async function start(
  { directory, durability, reserveBytes, logger }: ThreadOptions,
  lock: StoreLock,
  how: OpenOptions,
  onCrash: (error: Error) => void,
): Promise<StoreThreads> {
  // One that fails while it opens fails the opening.
  let isOpen = false
  const crashed = (error: Error) => {
    if (!isOpen) return
    logger(
      'error',
      `a thread of the store has ended, and is begun anew: ${error.stack ?? error.message}`,
    )
    onCrash(error)
  }
  const writerOptions: WriterOptions = { directory, durability, reserveBytes }
  const writer = new WorkerPeer<SqliteWriter>(
    new URL('./sqlite-writer.ts', import.meta.url),
    writerOptions,
    crashed,
  )
  const reader = new WorkerPeer<SqliteReader>(
    new URL('./sqlite-reader.ts', import.meta.url),
    directory,
    crashed,
  )
  let logDescriptor: number | undefined
  let database: DatabaseSync | undefined
  const endThreads = async () => {
    await Promise.all([reader.terminate(), writer.terminate()])
    // What only reads does not take the write-ahead log to the database when it is closed, so it is the last.
    if (database?.isOpen === true) database.close()
    if (logDescriptor !== undefined) closeSync(logDescriptor)
    logDescriptor = undefined
  }
  try {
    const opened = await writer.call('open', how)
    for (const warning of opened.warnings) logger('warn', warning)
    lock.holdDatabase()
    logDescriptor = openSync(`${databaseIn(directory)}-wal`, 'r')
    const identities = await writer.call('watch', {
      locks: lock.files,
      databaseDescriptor: lock.databaseDescriptor!,
      logDescriptor,
    })
    await reader.call('open', opened)
    database = openReader(directory)
    isOpen = true
    return {
      writer,
      reader,
      opened,
      database,
      identities,
      async close(last) {
        const plan = await writer.call('planClose', undefined).catch(cannotClear)
        if (plan.type === 'clear') {
          await last?.().catch(() => {})
          // The last connection to close removes the write-ahead log, and only one that may write does.
          database!.close()
          await reader.call('close', undefined).catch(() => {})
        }
        const isCleared = await writer.call('close', plan.type === 'clear').catch(() => false)
        if (plan.type === 'leave') await reader.call('close', undefined).catch(() => {})
        await endThreads()
        return { isCleared, warning: plan.warning }
      },
    }
  } catch (error) {
    await endThreads()
    throw error
  }
}

function cannotClear({ message }: Error): ClosePlan {
  return { type: 'leave', warning: `the write-ahead log is left for the next start: ${message}` }
}
