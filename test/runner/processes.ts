import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Process {
  readonly pid: number
  readonly command: string
}

/** Between two looks at the processes of the machine, in ms. */
const LOOK_EVERY_MS = 50

/** A process that SIGKILL does not end within this time, in ms, waits for a device: nothing else would end it. */
const KILL_MS = 5_000

/**
 * Waits for the end of what a file with tests has started, kills what is still there after `graceMs`, and returns it.
 * Its processes are those of its session, and those that have left that but were given the mark (`NAME=value`) in their
 * environment. They are known from /proc: where there is none (not Linux) only the file's group is ended.
 */
export async function endProcesses(
  session: number,
  mark: string,
  graceMs: number,
): Promise<Process[]> {
  let left = processesOf(session, mark)
  const killAtMs = performance.now() + graceMs
  while (left.length > 0 && performance.now() < killAtMs) {
    await sleep(LOOK_EVERY_MS)
    left = processesOf(session, mark)
  }
  const killed = left
  kill(-session)
  // One may have started another before its end.
  while (left.length > 0 && performance.now() < killAtMs + KILL_MS) {
    for (const { pid } of left) kill(pid)
    await sleep(LOOK_EVERY_MS)
    left = processesOf(session, mark)
  }
  return killed
}

/** Whether there is such a process; one that has ended and only waits to be asked for its result does not count. */
export function isRunning(pid: number): boolean {
  return !['', 'Z'].includes(stateOf(textOf(String(pid), 'stat'))[0]!)
}

function processesOf(session: number, mark: string): Process[] {
  const found: Process[] = []
  for (const name of processFolders()) {
    const stat = textOf(name, 'stat')
    const [state, , , itsSession] = stateOf(stat)
    if (itsSession === undefined || state === 'Z') continue
    if (Number(itsSession) !== session && !`\0${textOf(name, 'environ')}`.includes(`\0${mark}\0`))
      continue
    const command = textOf(name, 'cmdline').replaceAll('\0', ' ').trim()
    found.push({ pid: Number(name), command: command || stat.slice(0, stat.lastIndexOf(')') + 1) })
  }
  return found
}

/** Behind the name, which may hold anything: state, parent, group, session (proc(5)). */
function stateOf(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
  }
}

function processFolders(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  } catch {
    return []
  }
}

function textOf(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch {
    return ''
  }
}
