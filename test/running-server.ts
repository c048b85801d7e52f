import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DEADLINE_MS } from './deadline.ts'

const PROGRAM = fileURLToPath(new URL('../bin/pubsubd', import.meta.url))

export interface RunningServer extends AsyncDisposable {
  readonly port: number
  readonly tlsPort: number | null
  readonly url: string
  readonly process: ChildProcess
  readonly directory: string
  /** Everything printed so far, both streams. */
  output(): string
  /** Resolves with the match once the output has one. */
  printed(pattern: RegExp): Promise<RegExpMatchArray>
  stop(signal?: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

/** Starts the real command in a directory of its own, on a free port, and waits until it listens. */
export async function startServer(options: {
  /** Text of pubsub.yaml. `port: 0` chooses a free port. */
  config: string
  /** Text of pubsub_acl.yaml. Absent: no such file. */
  acl?: string
  environment?: Readonly<Record<string, string>>
  /** Of one that has stopped: this one goes on with its files. Absent: a new one. */
  directory?: string
  /** Of its process, which then has a channel to ours, too. */
  nodeFlags?: readonly string[]
  /** `ulimit -n` of its process. */
  openFilesMax?: number
}): Promise<RunningServer> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'pubsubd-test-'))
  writeFileSync(join(directory, 'pubsub.yaml'), options.config)
  if (options.acl !== undefined) writeFileSync(join(directory, 'pubsub_acl.yaml'), options.acl)
  const server = spawnServer(directory, options)
  const [, port] = await server.printed(/listening on http:\/\/\S+:(\d+)/)
  const hasTls = /^ *tls:/m.test(options.config)
  const tlsPort = hasTls ? (await server.printed(/listening on https:\/\/\S+:(\d+)/))[1] : undefined
  return {
    ...server,
    port: Number(port),
    tlsPort: tlsPort === undefined ? null : Number(tlsPort),
    url: `http://127.0.0.1:${port}`,
    directory,
    async [Symbol.asyncDispose]() {
      await server.stop('SIGKILL')
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function spawnServer(
  directory: string,
  {
    environment,
    nodeFlags = [],
    openFilesMax,
  }: {
    readonly environment?: Readonly<Record<string, string>>
    readonly nodeFlags?: readonly string[]
    readonly openFilesMax?: number | undefined
  },
) {
  const limited =
    openFilesMax === undefined ? [] : ['sh', '-c', `ulimit -n ${openFilesMax}; exec "$0" "$@"`]
  const start = nodeFlags.length > 0 ? [process.execPath, ...nodeFlags, `${PROGRAM}.js`] : [PROGRAM]
  const [program, ...words] = [...limited, ...start]
  const child = spawn(program!, [...words, '--config', 'pubsub.yaml', '--acl', 'pubsub_acl.yaml'], {
    cwd: directory,
    // What is read here is text, as on a terminal.
    env: { ...process.env, PUBSUBD_LOG_FORMAT: 'text', ...environment },
    stdio: ['ignore', 'pipe', 'pipe', nodeFlags.length > 0 ? 'ipc' : 'ignore'],
  })
  let text = ''
  const exited = once(child, 'exit')
  const { stdout, stderr } = child
  assert.ok(stdout !== null && stderr !== null)
  for (const stream of [stdout, stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })

  return {
    process: child,
    output: () => text,
    async printed(pattern: RegExp) {
      const deadline = AbortSignal.timeout(DEADLINE_MS)
      for (;;) {
        const match = pattern.exec(text)
        if (match) return match
        assert.equal(
          child.exitCode ?? child.signalCode,
          null,
          `the server ended before it printed ${pattern}:\n${text}`,
        )
        await Promise.race([
          once(stdout, 'data', { signal: deadline }),
          once(stderr, 'data', { signal: deadline }),
          exited,
        ])
      }
    },
    async stop(signal: NodeJS.Signals = 'SIGTERM') {
      child.kill(signal)
      await exited
      return { code: child.exitCode, signal: child.signalCode }
    },
  }
}
