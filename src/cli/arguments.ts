import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'
import { hideCredentials } from './hide-credentials.ts'

/** The words of a command make no sense: exit code 2. */
export class UsageError extends Error {}

/**
 * Options and names of a command.
 * @throws {UsageError}
 */
export function readArguments<T extends ParseArgsOptionsConfig>(
  words: readonly string[],
  options: T,
  namesMax: number,
) {
  const { values, positionals } = parse(words, options)
  if (positionals.length > namesMax)
    throw new UsageError(`unexpected ${JSON.stringify(hideCredentials(positionals[namesMax]!))}`)
  return { values, names: positionals }
}

function parse<T extends ParseArgsOptionsConfig>(words: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true })
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error })
  }
}
