import { UsageError } from './arguments.ts'

/**
 * What goes into a header as it is; the server takes no more than that of a key or a cursor.
 * @throws {UsageError}
 */
export function parseHeaderWord(option: string, text: string): string {
  if (/^[!-~]{1,255}$/.test(text)) return text
  throw new UsageError(`${option} has 1 to 255 visible characters of ASCII, without spaces`)
}
