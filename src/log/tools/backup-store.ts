import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { backup } from 'node:sqlite'
import { databaseIn, openReader } from '../sqlite/schema.ts'
import { syncDirectory } from '../sqlite/store-lock.ts'

/**
 * Copies a store to a new directory, as it was at one moment; a server may have it open and go on writing.
 * @throws {Error} the directory exists already, or something cannot be read or written.
 */
export async function backupStore(
  directory: string,
  copy: string,
  onProgress: (pagesDone: number, pages: number) => void,
): Promise<void> {
  using source = openReader(directory)
  // Holds on to this moment: without it SQLite begins anew at each commit, and never ends on a busy server.
  source.exec('BEGIN')
  source.prepare('SELECT name FROM meta LIMIT 1').get()

  mkdirSync(copy, { mode: 0o700 })
  // Under its name only once it is whole, so that nobody takes half a copy for a store.
  const unfinished = unfinishedIn(copy)
  try {
    closeSync(openSync(unfinished, 'ax', 0o600))
    await backup(source, unfinished, {
      rate: PAGES_PER_STEP,
      progress: ({ totalPages, remainingPages }) =>
        onProgress(totalPages - remainingPages, totalPages),
    })
    flush(unfinished)
    renameSync(unfinished, databaseIn(copy))
    syncDirectory(copy)
    syncDirectory(dirname(copy))
  } catch (error) {
    rmSync(copy, { recursive: true })
    throw error
  }
}

/** Whether a copy was begun there that something has ended, such as a signal. */
export function isUnfinished(copy: string): boolean {
  return existsSync(unfinishedIn(copy))
}

function unfinishedIn(copy: string): string {
  return `${databaseIn(copy)}.unfinished`
}

/** Pages of 4 KiB: a step takes some ms, in which nothing else waits. */
const PAGES_PER_STEP = 1_000

function flush(file: string): void {
  const descriptor = openSync(file, 'r+')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
