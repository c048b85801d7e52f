import { printable } from '../ops/logger.ts'

/** A file the operator wrote cannot be used. The message names file, line and key, and never a secret. */
export class ConfigError extends Error {
  /** One sentence for each thing that is wrong. */
  readonly problems: readonly string[]
  /** What else there is to say about the file: a key that is missing may be misspelt. */
  readonly warnings: readonly string[]

  constructor(
    message: string,
    options?: ErrorOptions & {
      readonly problems?: readonly string[]
      readonly warnings?: readonly string[]
    },
  ) {
    super(printable(message), options)
    this.problems = options?.problems ?? [this.message]
    this.warnings = options?.warnings ?? []
  }

  static ofMany(errors: readonly ConfigError[]): ConfigError {
    if (errors.length === 1) return errors[0]!
    const all = errors.flatMap((error) => error.problems)
    const problems =
      all.length > PROBLEMS_MAX ? [...all.slice(0, PROBLEMS_MAX), MORE_PROBLEMS] : all
    return new ConfigError(problems.join('. '), { cause: errors[0], problems })
  }

  override get name(): string {
    return 'ConfigError'
  }
}

/** More help nobody at once, and a hostile file could have millions. */
const PROBLEMS_MAX = 100

const MORE_PROBLEMS = `more than ${PROBLEMS_MAX} things are wrong, and the others are not shown`

/**
 * What each of them becomes. All that are wrong are told at once: whoever corrects one need not start again to hear of the next.
 * @throws {ConfigError}
 */
export function readAll<T, R>(each: Iterable<T>, read: (item: T) => R): R[] {
  const values: R[] = []
  const errors: ConfigError[] = []
  for (const item of each) {
    try {
      values.push(read(item))
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      errors.push(error)
      if (errors.length > PROBLEMS_MAX) break
    }
  }
  if (errors.length > 0) throw ConfigError.ofMany(errors)
  return values
}
