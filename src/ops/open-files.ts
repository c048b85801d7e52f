import { readdirSync, readFileSync } from 'node:fs'
import process from 'node:process'

/**
 * How many files and connections this process may have open; `null`: nobody says. Node has raised the soft limit to the
 * hard one.
 */
export function openFilesMax(): number | null {
  const text = softLimitOnLinux() ?? softLimitOfReport()
  const limit = Number(text)
  return Number.isSafeInteger(limit) && limit > 0 ? limit : null
}

/** How many it has open now, as far as the system tells; else what a server without storage was seen to need. */
export function openFiles(): number {
  for (const folder of ['/proc/self/fd', '/dev/fd'])
    try {
      return readdirSync(folder).length
    } catch {
      // Another system.
    }
  return OPEN_AT_LEAST
}

const OPEN_AT_LEAST = 40

/** The third column of `/proc/self/limits` (proc_pid_limits(5)), whose first has blanks in it. */
function softLimitOnLinux(): string | null {
  try {
    const lines = readFileSync('/proc/self/limits', 'utf8').split('\n')
    return lines.find((line) => line.startsWith('Max open files'))?.split(/ +/)[3] ?? null
  } catch {
    return null
  }
}

/** Slower, and on every system that has such limits. */
function softLimitOfReport(): string | null {
  Reflect.set(process.report, 'excludeNetwork', true) // it would ask for the names of all peers
  const { userLimits } = process.report.getReport() as {
    userLimits?: { open_files?: { soft?: number | string } }
  }
  return userLimits?.open_files?.soft?.toString() ?? null
}
