import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'

/**
 * The thread that calls this has the core when no other thread of this process needs it. On Linux a thread has a
 * priority of its own; elsewhere all stays as it is.
 */
export function goToBackground(): void {
  if (process.platform !== 'linux') return
  try {
    // `<pid>/task/<thread id>`
    setPriority(Number(readlinkSync('/proc/thread-self').split('/').at(-1)), NICENESS)
  } catch {
    // A system that forbids it, or without /proc.
  }
}

/** About a tenth of the core beside a thread that always has work: a checkpoint must get on, too. */
const NICENESS = 10
