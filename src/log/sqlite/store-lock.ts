import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { makeDirectory } from '../../ops/make-directory.ts'
import { checkDirectory, checkPlace } from '../../ops/own-place.ts'
import { loadFlock } from './flock.ts'
import { databaseIn } from './schema.ts'
import { identityOf, type FileIdentity } from './store-files.ts'

/**
 * Makes the process the only one that writes to a store, as long as it lives: the kernel takes the locks back however it
 * ends. One is on the place, as a copy may be moved there, one in the directory, which may have another path, and one on the
 * database, which may have another name. The first two are SQLite's locks on empty files, as Node has none of its own; the process
 * id stands beside them, because opening and closing a locked file would release it.
 */
export class StoreLock {
  /** The last owner ended in order, or there was none. */
  readonly wasClosed: boolean
  /** Why a second server could be started on a copy that is moved to this place; `null`: it cannot. */
  readonly placeProblem: string | null
  readonly #directory: string
  readonly #flock: ((descriptor: number) => boolean) | null
  readonly #place: DatabaseSync | null = null
  readonly #database: DatabaseSync
  readonly #pidFile: string
  /** What is to be found again as long as it is locked. */
  readonly files: readonly FileIdentity[]
  #databaseDescriptor: number | null = null

  /** @throws {Error} another process has it, or the directory cannot be written. */
  static async take(directory: string): Promise<StoreLock> {
    return new StoreLock(directory, await loadFlock())
  }

  private constructor(directory: string, flock: ((descriptor: number) => boolean) | null) {
    this.#directory = directory
    this.#flock = flock
    this.#pidFile = join(directory, 'owner.pid')
    try {
      checkDirectory(directory)
      const isNew = !existsSync(directory)
      makeDirectory(directory, 0o700)
      if (isNew) syncDirectory(dirname(directory))
    } catch (error) {
      throw unusable(directory, error)
    }
    const place = lockPlace(directory)
    if (place instanceof DatabaseSync) this.#place = place
    this.placeProblem = place instanceof DatabaseSync ? null : place.message
    try {
      this.#database = lockFile(lockIn(directory))
    } catch (error) {
      this.#place?.close()
      if (!isBusy(error)) throw unusable(directory, error)
      throw inUse(directory, lockIn(directory))
    }
    try {
      const locks = [lockIn(directory), ...(this.#place === null ? [] : [placeLockOf(directory)])]
      this.files = locks.map(identityOf)
      this.holdDatabase()
      this.wasClosed = !existsSync(this.#pidFile)
      writeFileSync(this.#pidFile, `${process.pid}\n`, { flush: true, mode: 0o600 })
    } catch (error) {
      this.release({ isClosed: false })
      throw error instanceof InUseError ? error : unusable(directory, error)
    }
  }

  /** The descriptor of the database, for reading; stays open, as closing it would release SQLite's own locks. `null`: there is none yet. */
  get databaseDescriptor(): number | null {
    return this.#databaseDescriptor
  }

  /**
   * Takes the lock on the database that is there now.
   * @throws {Error} a process has it under another name.
   */
  holdDatabase(): void {
    const path = databaseIn(this.#directory)
    const stats = statSync(path, { throwIfNoEntry: false })
    if (stats === undefined) return
    if (this.#databaseDescriptor !== null) {
      if (fstatSync(this.#databaseDescriptor).ino === stats.ino) return
      closeSync(this.#databaseDescriptor)
    }
    this.#databaseDescriptor = openSync(path, 'r')
    if (this.#flock?.(this.#databaseDescriptor) === false) throw inUse(this.#directory, path)
  }

  /** `isClosed`: everything of the store is in its database, nothing is left to recover. Nobody has that open any more. */
  release({ isClosed }: { isClosed: boolean }): void {
    if (isClosed) rmSync(this.#pidFile, { force: true })
    if (this.#databaseDescriptor !== null) closeSync(this.#databaseDescriptor)
    this.#database.close()
    this.#place?.close()
  }
}

/** Where SQLite locks; nothing is in it. */
function lockIn(directory: string): string {
  return join(directory, 'owner.lock')
}

/** Beside the directory, so that it stays when that is moved. It is never deleted: somebody might be waiting for it. */
function placeLockOf(directory: string): string {
  return `${directory}.lock`
}

/** The lock, or why there is none. @throws {Error} another process has it. */
function lockPlace(directory: string): DatabaseSync | Error {
  const path = placeLockOf(directory)
  try {
    return lockFile(path)
  } catch (error) {
    if (isBusy(error)) throw inUse(directory, path)
    return error as Error
  }
}

function lockFile(path: string): DatabaseSync {
  checkPlace(path, { mayHaveNames: true }) // of a copy made of hard links, which is a store of its own
  // SQLite would let everybody read it, and who can read it can lock it.
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600))
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    // Without a journal, which would be a file more; OFF is refused by the defensive mode that Node opens it in.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

class InUseError extends Error {}

function inUse(directory: string, lock: string): Error {
  return new InUseError(
    `the store ${directory} is in use by process ${holderOf(lock) ?? pidIn(directory) ?? '(unknown)'}`,
  )
}

/** As Linux tells it; `null`: it does not. */
function holderOf(path: string): string | null {
  try {
    const { ino } = statSync(path)
    const locks = readFileSync('/proc/locks', 'utf8')
    const line = locks.split('\n').find((each) => each.includes(`:${ino} `))
    return /WRITE +(\d+) /.exec(line ?? '')?.[1] ?? null
  } catch {
    return null
  }
}

function pidIn(directory: string): string | null {
  try {
    return readFileSync(join(directory, 'owner.pid'), 'utf8').trim()
  } catch {
    return null
  }
}

function isBusy(error: unknown): boolean {
  return (error as { errcode?: number }).errcode === SQLITE_BUSY
}

function unusable(directory: string, cause: unknown): Error {
  return new Error(`the store ${directory} cannot be written: ${(cause as Error).message}`, {
    cause,
  })
}

const SQLITE_BUSY = 5

/** So that a new name in it outlives a power failure. */
export function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
