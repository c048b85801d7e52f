import { UsageError } from './arguments.ts'

/**
 * A number of things, at least one.
 * @throws {UsageError}
 */
export function parseCount(option: string, text: string): number {
  const count = /^\d{1,15}$/.test(text) ? Number(text) : 0
  if (count >= 1) return count
  throw new UsageError(`${option} takes a number from 1, not ${JSON.stringify(text)}`)
}
