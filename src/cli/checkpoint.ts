import { constants, lstatSync, readFileSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { FileLock } from './file-lock.ts'
import { checkPlace } from '../ops/own-place.ts'

/**
 * A file that holds a cursor: behind it a listener goes on when it is started again. It is replaced as a whole, and flushed,
 * so a crash leaves the old cursor or the new one.
 */
export class Checkpoint implements AsyncDisposable {
  readonly #file: string
  readonly #lock: FileLock
  #cursor: string | null
  #wanted: string | null
  #writing: Promise<void> | null = null

  /**
   * Nobody else may move it as long as this process lives.
   * @throws {Error} somebody does already, or it is a symbolic link, or not ours alone; what is in the file is no cursor. A
   * file that is absent or empty has none.
   */
  constructor(file: string) {
    this.#file = file
    try {
      checkPlace(file)
      if (lstatSync(besideOf(file), { throwIfNoEntry: false })?.isDirectory() === true)
        throw new Error(`${besideOf(file)}, which each move makes anew, is a directory: remove it`)
      this.#lock = new FileLock(file)
    } catch (error) {
      throw new Error(`the checkpoint cannot be used: ${(error as Error).message}`, {
        cause: error,
      })
    }
    this.#cursor = readCursor(file)
    this.#wanted = this.#cursor
  }

  /** Another listener may go on. What is being written still is. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.settled().catch(() => {})
    this.#lock[Symbol.dispose]()
  }

  get cursor(): string | null {
    return this.#cursor
  }

  /**
   * Resolves once it is flushed, or a later one is: of several that come while one is written only the last is.
   * @throws {Error} it cannot be written.
   */
  move(cursor: string): Promise<void> {
    this.#wanted = cursor
    // Asked here: a #write with nothing to do would be over before it can be told from one that goes on.
    if (this.#writing === null && cursor !== this.#cursor) this.#writing = this.#write()
    return this.settled()
  }

  /** Resolves once what `move` was told is flushed. @throws {Error} it cannot be written. */
  async settled(): Promise<void> {
    await this.#writing
  }

  async #write(): Promise<void> {
    while (this.#wanted !== null && this.#wanted !== this.#cursor) {
      const cursor = this.#wanted
      try {
        await replaceFile(this.#file, `${cursor}\n`)
      } catch (error) {
        // It stays rejected: without its checkpoint a listener must not go on.
        throw new Error(
          `the checkpoint ${this.#file} cannot be written: ${(error as Error).message}`,
          {
            cause: error,
          },
        )
      }
      this.#cursor = cursor
    }
    this.#writing = null
  }
}

function readCursor(file: string): string | null {
  let text: string
  try {
    text = readFileSync(file, 'latin1').trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new Error(`the checkpoint ${file} cannot be read: ${(error as Error).message}`, {
      cause: error,
    })
  }
  if (text === '') return null
  if (/^[!-~]{1,255}$/.test(text)) return text
  throw new Error(`${file} holds no cursor; is it a checkpoint?`)
}

/** All of it or nothing, whatever happens: a new file, flushed, takes the old one's name, which is flushed as well. */
async function replaceFile(file: string, text: string): Promise<void> {
  // Always the same name, so that a crash leaves one file at most; it is made anew, as somebody may have put a link there.
  const beside = besideOf(file)
  await rm(beside, { force: true })
  try {
    const { O_WRONLY, O_CREAT, O_EXCL } = constants
    await using handle = await open(beside, O_WRONLY | O_CREAT | O_EXCL, 0o600)
    await handle.writeFile(text)
    await handle.sync()
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
  await rename(beside, file)
  await using parent = await open(dirname(file), 'r')
  await parent.sync()
}

function besideOf(file: string): string {
  return `${file}.tmp`
}
