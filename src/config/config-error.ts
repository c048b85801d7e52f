import { printable } from './printable.ts'

/** A file the operator wrote cannot be used. The message names file, line and key, and never a secret. */
export class ConfigError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(printable(message), options)
  }

  override get name(): string {
    return 'ConfigError'
  }
}
