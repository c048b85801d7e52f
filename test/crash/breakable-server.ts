import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DEADLINE_MS } from '../deadline.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** The end of what it printed, kept for the report when it fails. */
const OUTPUT_KEPT = 10_000

/** A server on a fixed port with a store that outlives it. */
export class BreakableServer implements AsyncDisposable {
  readonly port: number
  readonly directory: string
  /** Times from spawning to listening, in ms. */
  readonly startsMs: number[] = []
  /** What must not happen: it ended by itself, or did not start. Never resolves. */
  readonly failed: Promise<never>
  readonly #fail: (error: Error) => void
  #process: ChildProcess | null = null
  #exited: Promise<void> = Promise.resolve()
  #isEndExpected = false
  #isUp = false
  #up = Promise.withResolvers<void>()
  #output = ''

  private constructor(directory: string, port: number) {
    this.directory = directory
    this.port = port
    const { promise, reject } = Promise.withResolvers<never>()
    this.failed = promise
    this.#fail = reject
    promise.catch(() => {}) // Whoever waits is told; often nobody does.
  }

  /** `storage: null`: events in memory, to see that the checker finds what a kill destroys. */
  static async create(options: { storage: 'disk' | 'os' | null }): Promise<BreakableServer> {
    const directory = mkdtempSync(join(tmpdir(), 'pubsubd-crash-'))
    const port = await freePort()
    const { storage } = options
    const lines = storage === null ? '' : `\n    storage: backlog\n    durability: ${storage}`
    writeFileSync(join(directory, 'pubsub.yaml'), configText(port, lines))
    return new BreakableServer(directory, port)
  }

  /** Resolves once it listens; during a kill and after it, once it listens again. */
  up(): Promise<void> {
    return this.#up.promise
  }

  /** Spawns it and waits until it listens. */
  async start(): Promise<void> {
    const startedMs = performance.now()
    this.begin()
    await within(Promise.race([this.#listening(), this.failed]), 'start')
    this.startsMs.push(performance.now() - startedMs)
    this.#isUp = true
    this.#up.resolve()
  }

  /** Spawns it and does not wait. */
  begin(): void {
    const { directory } = this
    const child = spawn(process.execPath, [MAIN], {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#process = child
    this.#isEndExpected = false
    this.#output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-OUTPUT_KEPT)
      })
    const ended = Promise.withResolvers<void>()
    this.#exited = ended.promise
    child.on('exit', (code, signal) => {
      ended.resolve()
      if (this.#isEndExpected) return
      this.#fail(new Error(`the server ended by itself (${code ?? signal}):\n${this.#output}`))
    })
  }

  /** Ends it and waits until it has ended. From the call on, `up` waits for the next start. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.signalEnd(signal)
    await within(this.#exited, 'stop')
  }

  /** As `end`, without waiting. */
  signalEnd(signal: 'SIGKILL' | 'SIGTERM'): void {
    if (this.#isUp) this.#up = Promise.withResolvers()
    this.#isUp = false
    this.#isEndExpected = true
    this.#process!.kill(signal)
  }

  freeze(): void {
    this.#process!.kill('SIGSTOP')
  }

  thaw(): void {
    this.#process!.kill('SIGCONT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process !== null) await this.end('SIGKILL')
    rmSync(this.directory, { recursive: true, force: true })
  }

  async #listening(): Promise<void> {
    const { stdout } = this.#process!
    while (!this.#output.includes('listening on ')) await once(stdout!, 'data')
  }
}

/** Everything is kept: what is missing was lost. */
function configText(port: number, storageLines: string): string {
  return `
server:
  bind: 127.0.0.1
  port: ${port}
  backlog:
    size: 100000000
    max_bytes: 64GiB${storageLines}
clients:
  payloaders: [127.0.0.1]
`
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(
    () =>
      late.reject(new assert.AssertionError({ message: `the server took too long to ${what}` })),
    DEADLINE_MS,
  )
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
