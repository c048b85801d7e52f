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
    const problems = errors.flatMap((error) => error.problems)
    return new ConfigError(problems.join('. '), { cause: errors[0], problems })
  }

  override get name(): string {
    return 'ConfigError'
  }
}
