import type { LogLevel } from './logger.ts'
import { SeldomReport } from './seldom-report.ts'

/** Bugs, logged in full, each place of them once a minute at most. */
export class BugReport {
  readonly #report: SeldomReport

  constructor(logger: (level: LogLevel, message: string) => void) {
    this.#report = new SeldomReport(logger, 'error')
  }

  /** `doing`: what was going on, as in "bug while answering". */
  add(doing: string, error: unknown): void {
    this.#report.add(`bug while ${doing}: ${stackOf(error)}`, `${doing} ${placeOf(error)}`)
  }
}

/** All that is known of what was thrown, whatever that is. */
export function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return inspected(error)
  const { stack, message, cause } = error
  const own = stack ?? message
  return cause === undefined ? own : `${own}\ncaused by ${stackOf(cause)}`
}

/** Where it was thrown: what tells bugs apart, as messages may hold what peers have sent. */
function placeOf(error: unknown): string {
  const lines = error instanceof Error ? error.stack?.split('\n') : undefined
  return lines?.find((line) => /^ +at /.test(line)) ?? ''
}

function inspected(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return `a ${typeof thrown} that cannot be shown`
  }
}
