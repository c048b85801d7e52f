import { writeSync } from 'node:fs'
import { stackOf } from './bug-report.ts'
import { lineOf, type LogLevel } from './logger.ts'

/** As `EX_SOFTWARE` of sysexits.h: an internal error. A supervisor that starts it again is right to do so. */
const FATAL_EXIT_CODE = 70

/**
 * What nobody has caught, here or in a thread of ours that nobody else looks after, is logged with its stack before the process
 * ends: whether it goes on right is not known then. To be called once, by who owns the process. `format`: of a line of the log.
 */
export function endOnFatalErrors(
  format: (level: LogLevel, message: string) => string = lineOf,
): void {
  const tell = (message: string) => writeAtOnce(format('error', message))
  process.on('uncaughtException', (error, origin) => {
    const what = origin === 'unhandledRejection' ? 'a rejection' : 'an error'
    tell(`${what} that nobody has caught ends the process (${FATAL_EXIT_CODE}): ${stackOf(error)}`)
    process.exit(FATAL_EXIT_CODE)
  })
}

/** At once: what is written to a pipe otherwise may be lost with the process. */
function writeAtOnce(line: string): void {
  try {
    writeSync(2, line)
  } catch {
    // Nobody reads it, or not fast enough; the exit code says what it was.
  }
}
