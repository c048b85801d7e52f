import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** The process that has a store open, as text; `null`: none. */
export function storeOwner(directory: string): string | null {
  const pid = pidIn(directory)
  if (pid === null || !isAlive(Number(pid))) return null
  // A process that was killed leaves its number behind, and another may have that now: only a server holds the lock.
  using lock = new DatabaseSync(join(directory, 'owner.lock'), { readOnly: true, timeout: 0 })
  try {
    lock.prepare('SELECT name FROM sqlite_schema').get()
    return null
  } catch {
    return pid
  }
}

function pidIn(directory: string): string | null {
  try {
    return readFileSync(join(directory, 'owner.pid'), 'utf8').trim()
  } catch {
    return null
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
