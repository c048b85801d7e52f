import { closeSync, constants, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { StartError } from '../ops/start-error.ts'
import { checkPlace } from '../ops/own-place.ts'

/** @throws {StartError} it cannot be written, or somebody else decides where that would be. */
export function writePidFile(file: string): void {
  try {
    checkPlace(file)
    const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants
    const descriptor = openSync(file, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600)
    try {
      writeSync(descriptor, `${process.pid}\n`)
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    throw StartError.at(['server', 'pid_file'], 'cannot be written', error)
  }
}

/** Unless another server has written its own there meanwhile. */
export function removePidFile(file: string): void {
  try {
    if (readFileSync(file, 'latin1').trim() === String(process.pid)) rmSync(file, { force: true })
  } catch {
    // It has gone already.
  }
}
