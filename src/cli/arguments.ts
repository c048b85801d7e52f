import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'
import { nearestName } from '../settings/nearest-name.ts'
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
  checkFilled(values, positionals)
  return { values, names: positionals }
}

/** What an unset variable of a script leaves would be the current directory here, no limit there. */
function checkFilled(values: object, names: readonly string[]): void {
  for (const [option, value] of Object.entries(values))
    if ([value].flat().includes(''))
      throw new UsageError(`--${option} is empty: give it a value, or leave it out`)
  const empty = names.indexOf('')
  if (empty !== -1) throw new UsageError(`name ${empty + 1} of the command is empty`)
}

function parse<T extends ParseArgsOptionsConfig>(words: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const [, unknown] = /^Unknown option '([^']+)'/.exec(message) ?? []
    throw new UsageError(
      code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' && unknown !== undefined
        ? `there is no option ${unknown}${adviceOn(unknown, options)}`
        : message,
      { cause: error },
    )
  }
}

function adviceOn(unknown: string, options: ParseArgsOptionsConfig): string {
  const names = Object.keys(options).map((name) => `--${name}`)
  const nearest = nearestName(unknown, names)
  return nearest === null ? '' : `, did you mean ${nearest}?`
}
