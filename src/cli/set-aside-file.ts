import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { checkPlace } from '../ops/own-place.ts'

/**
 * The events whose command failed too often, one on each line. Several listeners may share it. It is its owner's alone, as
 * private events may be among them. Held by `test/cli/set-aside-file.test.ts`.
 */
export class SetAsideFile {
  readonly name: string
  #appending = Promise.resolve()

  /** @throws {Error} somebody else could decide what is written to: better told now than behind the first event. */
  constructor(name: string) {
    this.name = name
    try {
      checkPlace(name)
    } catch (error) {
      throw new Error(`failed events cannot be set aside: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }

  /**
   * Resolves once the line is flushed. One after the other: two lines must not get into each other.
   * @throws {Error} it cannot be written.
   */
  append(line: string): Promise<void> {
    this.#appending = this.#appending.then(() => append(this.name, line))
    return this.#appending
  }
}

async function append(name: string, line: string): Promise<void> {
  try {
    checkPlace(name)
    const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW } = constants
    await using handle = await open(name, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600)
    const { size } = await handle.stat()
    // A full disk or a crash may have left a part of a line, which must not cost this one, too.
    const last = Buffer.alloc(1)
    if (size > 0) await handle.read(last, 0, 1, size - 1)
    const isTorn = size > 0 && last.toString('latin1') !== '\n'
    await handle.appendFile(isTorn ? `\n${line}\n` : `${line}\n`)
    await handle.sync()
  } catch (error) {
    throw new Error(`${name} cannot be written: ${(error as Error).message}`, { cause: error })
  }
}
