import { readFileSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * A file that holds a cursor: behind it a listener goes on when it is started again. It is replaced as a whole, and flushed,
 * so a crash leaves the old cursor or the new one.
 */
export class Checkpoint {
  readonly #file: string
  #cursor: string | null
  #wanted: string | null
  #writing: Promise<void> | null = null

  /** @throws {Error} what is in the file is no cursor. A file that is absent or empty has none. */
  constructor(file: string) {
    this.#file = file
    this.#cursor = readCursor(file)
    this.#wanted = this.#cursor
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
  // Always the same name: what a crash leaves there the next one writes over.
  const beside = `${file}.tmp`
  try {
    await using handle = await open(beside, 'w')
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
