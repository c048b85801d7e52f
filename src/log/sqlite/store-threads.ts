import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { databaseIn, isDamage } from './schema.ts'
import type { SqliteReader } from './sqlite-reader.ts'
import type { Opened, OpenOptions, SqliteWriter, WriterOptions } from './sqlite-writer.ts'
import { syncDirectory } from './store-lock.ts'
import { WorkerPeer } from './worker-peer.ts'

export interface ThreadOptions extends WriterOptions {
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
}

/** The two threads that work on a store, and what they found in it. */
export interface StoreThreads {
  readonly writer: WorkerPeer<SqliteWriter>
  readonly reader: WorkerPeer<SqliteReader>
  readonly opened: Opened
  /** `true`: everything is in the database. */
  close(): Promise<boolean>
}

/**
 * A damaged store is put aside, and a new one begins with what is whole in it: better than a server that does not start.
 * @throws {Error} the directory cannot be used, or the store is of a newer version.
 */
export async function startThreads(
  options: ThreadOptions,
  how: OpenOptions,
  onCrash: (error: Error) => void,
): Promise<StoreThreads> {
  try {
    return await start(options, how, onCrash)
  } catch (error) {
    if (!isDamage(error)) throw error
    const aside = putAside(options, (error as Error).message)
    const salvageFrom = how.salvageFrom ?? aside
    return start(options, { ...how, wasClosed: true, salvageFrom }, onCrash)
  }
}

/** Moves a damaged store out of the way, for somebody to look at. Returns where it is now. */
export function putAside({ directory, log }: ThreadOptions, reason: string): string {
  const stamp = new Date().toISOString().replaceAll(':', '-')
  const aside = join(directory, `damaged-${stamp}`)
  mkdirSync(aside, { mode: 0o700 })
  const database = databaseIn(directory)
  for (const suffix of ['', '-wal', '-shm'])
    if (existsSync(database + suffix)) renameSync(database + suffix, databaseIn(aside) + suffix)
  syncDirectory(directory)
  log(
    'error',
    `the store ${directory} is damaged (${reason}): its files are now in ${aside}, and a new store begins`,
  )
  return aside
}

async function start(
  { directory, durability, reserveBytes, log }: ThreadOptions,
  how: OpenOptions,
  onCrash: (error: Error) => void,
): Promise<StoreThreads> {
  // One that fails while it opens fails the opening.
  let isOpen = false
  const crashed = (error: Error) => {
    if (!isOpen) return
    log(
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
  try {
    const opened = await writer.call('open', how)
    for (const warning of opened.warnings) log('warn', warning)
    await reader.call('open', opened)
    isOpen = true
    return {
      writer,
      reader,
      opened,
      async close() {
        // The last connection to close removes the write-ahead log.
        await reader.call('close', undefined).catch(() => {})
        const isClosed = await writer.call('close', undefined).then(
          () => true,
          () => false,
        )
        await Promise.all([reader.terminate(), writer.terminate()])
        return isClosed
      },
    }
  } catch (error) {
    await Promise.all([reader.terminate(), writer.terminate()])
    throw error
  }
}
