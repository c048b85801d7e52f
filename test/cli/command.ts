import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { DEADLINE_MS } from '../deadline.ts'

export const PROJECT = fileURLToPath(new URL('../..', import.meta.url))

const PROGRAM = join(PROJECT, 'bin/pubsubd')

/** The command in a directory of its own, with these files in it. Killed at the end, if it is still there. */
export class Command implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'pubsubd-test-'))
  readonly child: ChildProcess
  #stdout = ''
  #stderr = ''
  readonly #ended: Promise<unknown>

  /**
   * `words`: the arguments, or a whole command line where `{directory}` stands for the directory. `input`: what it finds on
   * standard input; `'open'`: what the test writes there. `in`: it runs in that directory instead.
   */
  constructor(
    files: Readonly<Record<string, string>>,
    words: readonly string[] | { readonly shell: string; readonly in?: string },
    options: {
      readonly input?: string
      readonly in?: string
      readonly environment?: Readonly<Record<string, string>>
    } = {},
  ) {
    for (const [name, text] of Object.entries(files)) this.write(name, text)
    const isShell = 'shell' in words
    const program = isShell ? 'sh' : PROGRAM
    const args = isShell ? ['-c', words.shell.replaceAll('{directory}', this.directory)] : words
    this.child = spawn(program, args, {
      cwd: options.in ?? (isShell ? words.in : undefined) ?? this.directory,
      env: {
        ...process.env,
        NODE: process.execPath,
        PUBSUBD: PROGRAM,
        PUBSUBD_LOG_FORMAT: 'text', // as on a terminal
        ...options.environment,
      },
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    this.child.stdin?.on('error', () => {}) // it may not want to read
    if (options.input !== undefined && options.input !== 'open')
      this.child.stdin!.end(options.input)
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text
    })
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    this.#ended = once(this.child, 'close')
  }

  get stdout(): string {
    return this.#stdout
  }

  get stderr(): string {
    return this.#stderr
  }

  get output(): string {
    return this.#stdout + this.#stderr
  }

  /** The text of a file in its directory; empty while there is none. */
  read(name: string): string {
    const file = join(this.directory, name)
    return existsSync(file) ? readFileSync(file, 'utf8') : ''
  }

  /** Resolves once a file in its directory has this text. */
  async wrote(name: string, text: string): Promise<void> {
    const lateMs = performance.now() + DEADLINE_MS
    while (this.read(name) !== text) {
      assert.ok(performance.now() < lateMs, `${name} holds ${JSON.stringify(this.read(name))}`)
      await sleep(20)
    }
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.directory, name), text)
  }

  /** Resolves with the match once something printed so far has one. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    const signal = AbortSignal.timeout(DEADLINE_MS)
    for (;;) {
      const match = pattern.exec(this.#stdout) ?? pattern.exec(this.#stderr)
      if (match !== null) return match
      assert.equal(this.child.exitCode, null, `ended before it printed ${pattern}: ${this.output}`)
      await Promise.race([
        once(this.child.stdout!, 'data', { signal }),
        once(this.child.stderr!, 'data', { signal }),
        this.#ended,
      ])
    }
  }

  /** The port it listens on. */
  async port(): Promise<number> {
    return Number((await this.printed(/listening on http:\/\/\S+:(\d+)\n/))[1])
  }

  async exit(): Promise<number | NodeJS.Signals | null> {
    let timer
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`still running: ${this.output}`)), DEADLINE_MS)
    })
    await Promise.race([this.#ended, late])
    clearTimeout(timer)
    return this.child.exitCode ?? this.child.signalCode
  }

  /** Sends a signal, and resolves with what it prints about it. */
  async reload(signal: NodeJS.Signals, pattern: RegExp): Promise<string> {
    const lengths = [this.#stdout.length, this.#stderr.length] as const
    this.child.kill(signal)
    for (;;) {
      const told = this.#stdout.slice(lengths[0]) + this.#stderr.slice(lengths[1])
      if (pattern.test(told)) return told
      assert.equal(this.child.exitCode ?? this.child.signalCode, null, this.output)
      await Promise.race([
        once(this.child.stdout!, 'data', { signal: AbortSignal.timeout(DEADLINE_MS) }),
        once(this.child.stderr!, 'data', { signal: AbortSignal.timeout(DEADLINE_MS) }),
        this.#ended,
      ])
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL')
    await this.#ended
    rmSync(this.directory, { recursive: true, force: true })
  }
}
