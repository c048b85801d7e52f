import { closeSync, constants, openSync } from 'node:fs'
import process from 'node:process'
import { DatabaseSync } from 'node:sqlite'
import { checkPlace } from '../ops/own-place.ts'

/**
 * Makes this process the only one that writes to a file, as long as it lives: the kernel takes the lock back however it
 * ends. It is SQLite's lock on a file beside it, as Node has none of its own; who has it can be read there meanwhile. Between
 * two machines it holds as far as their shared file system carries locks, which NFS may not.
 */
export class FileLock implements Disposable {
  readonly #database: DatabaseSync

  /** @throws {Error} another process has it, who is named; or it cannot be had here. */
  constructor(file: string) {
    const lock = `${file}.lock`
    checkPlace(lock)
    const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants
    closeSync(openSync(lock, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600))
    this.#database = new DatabaseSync(lock, { timeout: 0 })
    try {
      // Once to say who it is, and then for good: what is being written nobody could read.
      this.#database.exec('PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE')
      this.#database.exec('CREATE TABLE IF NOT EXISTS owner (pid INTEGER, since TEXT)')
      this.#database.exec('DELETE FROM owner')
      this.#database
        .prepare('INSERT INTO owner VALUES (?, ?)')
        .run(process.pid, new Date().toISOString())
      this.#database.exec('COMMIT; BEGIN IMMEDIATE')
    } catch (error) {
      const owner = this.#owner()
      this.#database.close()
      const { errcode, message } = error as Error & { errcode?: number }
      throw new Error(
        errcode === SQLITE_BUSY
          ? `${file} is in use by process ${owner}`
          : `${lock}, which keeps others from ${file}, cannot be used (${message}): ` +
              'remove it unless it is a file of yours, else name another checkpoint',
        { cause: error },
      )
    }
  }

  [Symbol.dispose](): void {
    if (this.#database.isOpen) this.#database.close()
  }

  #owner(): string {
    try {
      const row = this.#database
        .prepare("SELECT pid || ', since ' || since AS owner FROM owner")
        .get()
      return String(row?.['owner'] ?? '(unknown)')
    } catch {
      return '(unknown)'
    }
  }
}

const SQLITE_BUSY = 5
