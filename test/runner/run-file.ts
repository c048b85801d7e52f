import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { endProcesses } from './processes.ts'
import type { TestReport } from './reporter.ts'

const REPORTER = fileURLToPath(new URL('reporter.ts', import.meta.url))

/** By this variable the processes are known that a file has started. */
const MARK = 'PUBSUBD_TEST_FILE'

/** What a file printed that is kept for the case that it fails: the last of it, in characters. */
const PRINTED_MAX = 20_000

/** Browsers take their time to end behind the file that started them, in ms. */
const GRACE_MS = 10_000

export interface Failure {
  readonly name: string
  readonly error: string
}

export interface FileResult {
  readonly file: string
  readonly durationMs: number
  readonly passed: number
  /** Reasons. */
  readonly skipped: readonly string[]
  readonly failures: readonly Failure[]
  /** The end of what it wrote to its standard output and error. */
  readonly printed: string
}

export interface FileOptions {
  /** A file that takes longer hangs, and is ended. */
  readonly limitMs: number
  readonly environment: NodeJS.ProcessEnv
  /** Ends the file and what it has started. */
  readonly signal: AbortSignal
  /** For what it has started to end behind it, in ms. */
  readonly graceMs?: number
}

/**
 * Runs a file with tests as a process, in a session of its own: so what it starts is found and ended with it, and the
 * Ctrl-C of a terminal comes to the runner alone.
 */
export async function runFile(file: string, options: FileOptions): Promise<FileResult> {
  const { limitMs, environment, signal, graceMs = GRACE_MS } = options
  const mark = `${process.pid}:${file}`
  const startedMs = performance.now()
  const child = spawn(process.execPath, [`--test-reporter=${REPORTER}`, file], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    // Without the second, a run that a test has started would be taken for a part of that test.
    env: { ...environment, [MARK]: mark, NODE_TEST_CONTEXT: undefined },
    detached: true,
  })
  const closed = once(child, 'close')
  const end = (withinMs: number) => endProcesses(child.pid!, `${MARK}=${mark}`, withinMs)
  const abort = () => void end(0)
  signal.addEventListener('abort', abort)

  let printed = ''
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed = (printed + text).slice(-PRINTED_MAX)
    })

  const tests = new TestsOfFile()
  let unread = ''
  ;(child.stdio[3] as Readable).setEncoding('utf8').on('data', (text: string) => {
    // Not by readline, which ends lines at U+2028, too: names of tests may have it.
    const lines = (unread + text).split('\n')
    unread = lines.pop()!
    for (const line of lines) tests.take(JSON.parse(line) as TestReport)
  })
  let isLate = false
  const limit = setTimeout(() => {
    isLate = true
    tests.failures.push({
      name: 'the file',
      error: `It did not end within ${limitMs / 1000} s. ${tests.stillRunning()}`,
    })
    abort()
  }, limitMs)

  const [code, killedBy] = await once(child, 'exit')
  clearTimeout(limit)
  const left = await end(signal.aborted || isLate ? 0 : graceMs)
  await closed
  signal.removeEventListener('abort', abort)
  if (code !== 0 && tests.failures.length === 0)
    tests.failures.push({
      name: 'the file',
      error: `It ended with ${killedBy ?? `code ${code}`}. ${tests.stillRunning()}`,
    })
  if (code === 0 && tests.passed + tests.skipped.length === 0)
    tests.failures.push({ name: 'the file', error: 'It has no tests.' })
  for (const { pid, command } of isLate ? [] : left)
    tests.failures.push({
      name: 'the file',
      error: `It left a process running, which was ended: ${pid} ${command}`,
    })
  const { passed, skipped, failures } = tests
  return { file, durationMs: performance.now() - startedMs, passed, skipped, failures, printed }
}

class TestsOfFile {
  passed = 0
  readonly skipped: string[] = []
  readonly failures: Failure[] = []
  readonly #running = new Map<number, string>()

  take(told: TestReport): void {
    switch (told.type) {
      case 'began':
        this.#running.set(told.id, told.name)
        break
      case 'ended':
        this.#running.delete(told.id)
        break
      case 'passed':
        this.passed++
        break
      case 'skipped':
        this.skipped.push(told.reason)
        break
      case 'failed':
        this.failures.push({ name: inOneLine(told.name), error: told.error })
    }
  }

  stillRunning(): string {
    if (this.#running.size === 0) return 'No test was running.'
    return `Still running: ${[...this.#running.values()].join(', ')}`
  }
}

/** Names hold whatever a test is about, control characters included. */
function inOneLine(name: string): string {
  return name.replace(
    /[\p{Cc}\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
