import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { DEADLINE_MS } from '../deadline.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** Everything by which bytes and names come to a disk or to a peer. */
const CALLS = [
  'openat,mkdir,unlink,rename,ftruncate,fallocate',
  'write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync,sync_file_range',
].join(',')

/** A system call of the server, whole, in the order in which strace saw its begin. */
export interface SystemCall {
  readonly name: string
  /** Lines of the trace. Another thread's calls may lie between the two. */
  readonly beganAt: number
  readonly endedAt: number
  /** Of the descriptor that is the first argument: an absolute path, or what kind of socket it is. */
  readonly file: string
  /** Paths are absolute if they were given so. */
  readonly strings: readonly Buffer[]
  /** What comes behind the last string, or else all arguments. */
  readonly rest: string
  readonly result: number
}

/** The real command, in a directory that the caller keeps, with its system calls written down if wished. */
export class TracedServer implements AsyncDisposable {
  readonly port: number
  readonly directory: string
  readonly #process: ChildProcess
  readonly pid: number
  readonly #traceFile: string | null
  readonly #printed: () => string

  private constructor(options: {
    process: ChildProcess
    printed: () => string
    directory: string
    traceFile: string | null
  }) {
    const output = options.printed()
    this.#printed = options.printed
    this.#process = options.process
    this.directory = options.directory
    this.#traceFile = options.traceFile
    this.port = Number(/listening on \S+:(\d+)/.exec(output)![1])
    this.pid = Number(/, pid (\d+),/.exec(output)![1])
  }

  static async start(options: {
    directory: string
    durability: 'disk' | 'os'
    /** Name of the trace in the directory; `null`: not traced. */
    trace: string | null
  }): Promise<TracedServer> {
    const { directory, durability, trace } = options
    writeFileSync(join(directory, 'pubsub.yaml'), configText(durability))
    const server = [process.execPath, MAIN]
    const strace = ['strace', '-f', '-qq', '-y', '-xx', '-s', '100000000', '--seccomp-bpf']
    const traceFile = trace === null ? null : join(directory, trace)
    const words =
      traceFile === null
        ? server
        : [...strace, '-e', 'signal=none', '-e', `trace=${CALLS}`, '-o', traceFile, ...server]
    const child = spawn(words[0]!, words.slice(1), {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    const deadline = AbortSignal.timeout(DEADLINE_MS)
    while (!output.includes('listening on ')) {
      assert.equal(child.exitCode, null, `the server ended before it listened:\n${output}`)
      await Promise.race([
        once(child.stdout, 'data', { signal: deadline }),
        once(child, 'exit', { signal: deadline }),
      ])
    }
    return new TracedServer({ process: child, printed: () => output, directory, traceFile })
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const ended = once(this.#process, 'exit', { signal: AbortSignal.timeout(DEADLINE_MS) })
    process.kill(this.pid, signal)
    await ended
  }

  /** Resolves once it has printed that, or has ended. */
  async hasPrinted(pattern: RegExp): Promise<void> {
    const signal = AbortSignal.timeout(DEADLINE_MS)
    const { stdout, stderr } = this.#process
    while (!pattern.test(this.#printed()) && this.#process.exitCode === null)
      await Promise.race([
        once(stdout!, 'data', { signal }),
        once(stderr!, 'data', { signal }),
        once(this.#process, 'exit', { signal }),
      ])
  }

  /** Of the whole life of the server, once it has ended. */
  async calls(): Promise<SystemCall[]> {
    const lines = createInterface({ input: createReadStream(this.#traceFile!, 'latin1') })
    return parseTrace(lines, this.directory)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL')
  }
}

function configText(durability: 'disk' | 'os'): string {
  return `
server:
  bind: 127.0.0.1
  port: 0
  max_payload_size: 4MiB
  backlog:
    size: 100000
    storage: backlog
    durability: ${durability}
clients:
  payloaders: [127.0.0.1]
`
}

/** A call that another thread's call came between is in two lines, and one that a kill cut off has no second. */
async function parseTrace(
  lines: AsyncIterable<string>,
  workingDirectory: string,
): Promise<SystemCall[]> {
  const calls: SystemCall[] = []
  const begun = new Map<string, { at: number; text: string }>()
  let at = -1
  for await (const line of lines) {
    at++
    const [, thread, rest] = /^(\d+) +([^]*)$/.exec(line) ?? []
    if (thread === undefined || rest === undefined) continue
    if (rest.endsWith(UNFINISHED)) {
      begun.set(thread, { at, text: rest.slice(0, -UNFINISHED.length) })
      continue
    }
    const resumed = /^<\.\.\. \w+ resumed>/.exec(rest)
    const first = resumed === null ? { at, text: '' } : begun.get(thread)
    if (first === undefined) continue
    const text = first.text + rest.slice(resumed?.[0].length ?? 0)
    const call = parseCall(text, workingDirectory)
    if (call !== null) calls.push({ ...call, beganAt: first.at, endedAt: at })
  }
  return calls.toSorted((a, b) => a.beganAt - b.beganAt)
}

const UNFINISHED = ' <unfinished ...>'

function parseCall(
  text: string,
  workingDirectory: string,
): Omit<SystemCall, 'beganAt' | 'endedAt'> | null {
  const open = text.indexOf('(')
  const close = text.lastIndexOf(') ')
  const result = /^\) += (-?\d+)/.exec(text.slice(close))
  if (open === -1 || result === null) return null
  // With -xx every string is written in hexadecimal escapes, so that no quote is within one.
  const parts = text.slice(open + 1, close).split('"')
  const descriptor = /^\d+<([^>]*)>/.exec(parts[0]!)?.[1]
  return {
    name: text.slice(0, open),
    file: descriptor === undefined ? '' : resolve(workingDirectory, unescape(descriptor)),
    strings: parts.filter((_, i) => i % 2 === 1).map((part) => bytesOf(part)),
    rest: parts.at(-1)!,
    result: Number(result[1]),
  }
}

function bytesOf(escapes: string): Buffer {
  return Buffer.from(escapes.replaceAll('\\x', ''), 'hex')
}

function unescape(text: string): string {
  return text.startsWith('\\x') ? bytesOf(text).toString() : text
}
