import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes a directory and those above it that are not there; `mode` is theirs. One that is there stays as it is. Node's own way, `recursive`, goes
 * on for ever where the system says that the parent is missing although it is there, as below `/proc`.
 * @throws {Error} the system's.
 */
export function makeDirectory(directory: string, mode: number): void {
  if (existsSync(directory)) return
  const parent = dirname(directory)
  if (parent !== directory) makeDirectory(parent, mode)
  try {
    mkdirSync(directory, { mode })
  } catch (error) {
    // Somebody else was quicker.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
