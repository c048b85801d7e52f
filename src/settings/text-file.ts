import { closeSync, openSync, readSync } from 'node:fs'
import { ConfigError } from './config-error.ts'

/**
 * Largest file read, in bytes: 100,000 users of ordinary size. Parsed, hostile YAML of this size still fits the heap of a
 * small machine; twice as much would not.
 */
const FILE_BYTES_MAX = 8 * 1024 * 1024

/** A read that starts with this much, in bytes, takes an ordinary file whole. */
const READ_BYTES = 64 * 1024

/**
 * The text of a small file. A device or a pipe may be named too, so the size is what was read, not what a look-up says.
 * @throws {ConfigError} it cannot be read, is too large, or is not UTF-8. `cause` is the system's error, if any.
 */
export function readTextFile(file: string): string {
  const bytes = readBytes(file)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw new ConfigError(`${file} is not UTF-8 text`, { cause: error })
  }
}

/**
 * The bytes of a small file.
 * @throws {ConfigError} it cannot be read, or is too large.
 */
export function readBytes(file: string): Buffer {
  const chunks: Buffer[] = []
  let size = 0
  try {
    const descriptor = openSync(file, 'r')
    try {
      while (size <= FILE_BYTES_MAX) {
        const chunk = Buffer.allocUnsafe(READ_BYTES)
        const read = readSync(descriptor, chunk)
        if (read === 0) break
        chunks.push(chunk.subarray(0, read))
        size += read
      }
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new ConfigError(`${file} cannot be read: ${reason}`, { cause: error })
  }
  if (size > FILE_BYTES_MAX)
    throw new ConfigError(
      `${file} is larger than ${FILE_BYTES_MAX} bytes, the limit for such a file`,
    )
  return Buffer.concat(chunks)
}
