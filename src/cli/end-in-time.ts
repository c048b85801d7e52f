import type { LogLevel } from '../ops/logger.ts'

export interface EndOptions {
  /** What has to be done before the process ends. */
  readonly stop: () => Promise<void>
  readonly deadlineMs: number
  readonly logger: (level: LogLevel, message: string) => void
  readonly exit: (code: number) => void
  /** At once, whatever the threads of the process are doing. */
  readonly kill: () => void
}

/**
 * Ends the process once it has stopped, or at the deadline, by SIGKILL: `process.exit` would wait for a thread that hangs in a
 * system call, as one does that flushes to a slow disk. Nothing that got a 202 is lost by that.
 */
export async function endInTime(options: EndOptions): Promise<void> {
  const { stop, deadlineMs, logger, exit, kill } = options
  const timer = setTimeout(() => {
    logger(
      'warn',
      `not stopped within ${deadlineMs / 1_000} s, the disk is slow or hangs: ending by SIGKILL; the next start does the rest`,
    )
    kill()
  }, deadlineMs)
  try {
    await stop()
    exit(0)
  } catch (error) {
    logger('error', `the server did not stop in order: ${(error as Error).stack}`)
    exit(1)
  } finally {
    clearTimeout(timer)
  }
}
