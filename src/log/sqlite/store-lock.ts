import {
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/**
 * Makes the process the only one that writes to a store, as long as it lives: the kernel takes the lock back however it
 * ends. It is SQLite's lock on an empty file, as Node has none of its own; the process id stands beside it, because
 * opening and closing a locked file would release it.
 */
export class StoreLock {
  /** The last owner ended in order, or there was none. */
  readonly wasClosed: boolean
  readonly #database: DatabaseSync
  readonly #pidFile: string

  /** @throws {Error} another process has it, or the directory cannot be written. */
  constructor(directory: string) {
    this.#pidFile = join(directory, 'owner.pid')
    try {
      const created = mkdirSync(directory, { recursive: true, mode: 0o700 })
      if (created !== undefined) syncDirectory(dirname(directory))
      this.#database = new DatabaseSync(join(directory, 'owner.lock'), { timeout: 0 })
    } catch (error) {
      throw unusable(directory, error)
    }
    try {
      this.#database.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE')
      this.wasClosed = !existsSync(this.#pidFile)
      writeFileSync(this.#pidFile, `${process.pid}\n`, { flush: true })
    } catch (error) {
      this.#database.close()
      if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw unusable(directory, error)
      throw new Error(`the store ${directory} is in use by process ${this.#owner()}`, {
        cause: error,
      })
    }
  }

  /** `isClosed`: everything of the store is in its database, nothing is left to recover. */
  release({ isClosed }: { isClosed: boolean }): void {
    if (isClosed) rmSync(this.#pidFile, { force: true })
    this.#database.close()
  }

  #owner(): string {
    try {
      return readFileSync(this.#pidFile, 'utf8').trim()
    } catch {
      return '(unknown)'
    }
  }
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
