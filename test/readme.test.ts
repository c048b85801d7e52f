import assert from 'node:assert/strict'
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { DEADLINE_MS } from './deadline.ts'
import { loadAclFile } from '../src/config/acl-file.ts'
import { loadSettings } from '../src/config/load.ts'
import { FIRST } from './config/certificates.ts'
import { consoleCommands } from './console-commands.ts'
import { READERS_PATH } from './readers-path.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const README = readFileSync(join(ROOT, 'README.md'), 'utf8')

test(
  'the commands of the README do what it shows, word for word',
  { timeout: 3 * DEADLINE_MS },
  async () => {
    await using server = new Shell(startCommand(), ROOT)
    await server.printed(/listening on http:\/\/0\.0\.0\.0:2069/)
    const commands = consoleCommands(README)
    assert.ok(commands.length >= 6)
    await using streams = new AsyncDisposableStack()
    const expectations: { shell: Shell; lines: readonly string[] }[] = []
    for (const { command, lines } of commands) {
      const shell = streams.use(new Shell(command, ROOT))
      // A stream is answered by a later command: its first line is enough to go on.
      const isStream = command.startsWith('curl -N')
      await shell.printed(asPattern(isStream ? lines.slice(0, 1) : lines))
      expectations.push({ shell, lines })
    }
    for (const { shell, lines } of expectations) await shell.printed(asPattern(lines))
  },
)

test('the configurations of the README are accepted without a warning', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-readme-'))
  const before = process.cwd()
  try {
    process.chdir(directory)
    writeFileSync('cert.pem', FIRST.certPem)
    writeFileSync('key.pem', FIRST.keyPem)
    const examples = [...README.matchAll(/```yaml\n# (\S+)\n(.*?)```/gs)]
    assert.ok(examples.length >= 4)
    for (const [, file, text] of examples) {
      writeFileSync(file!, text!)
      const { warnings } = file === 'pubsub.yaml' ? loadSettings(file) : loadAclFile(file!)
      assert.deepEqual(warnings, [], text)
    }
  } finally {
    process.chdir(before)
    rmSync(directory, { recursive: true })
  }
})

test('every file that the documentation links to is there', () => {
  const links = [...README.matchAll(/\]\(([^)#:]+)\)/g)].map(([, target]) => target!)
  assert.ok(links.length > 4)
  for (const link of links) assert.ok(existsSync(join(ROOT, link)), link)
})

/** The README's first command, without the installing that has brought this test here. */
function startCommand(): string {
  const [, command] = /^(npm ci && npm start)\b/m.exec(README) ?? []
  assert.ok(command !== undefined)
  return command.replace('npm ci && ', '')
}

const TIME = /\b\d{10}\.\d{3}\b/
const CURSOR = /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/

/** When an `EventSource` is asked to come back, by chance. */
const RETRY = /(?<=^retry: )\d+$/

/**
 * Those lines, empty ones included, whatever times and cursors they have: with nothing between them but keep-alives, which come when
 * they are due.
 */
function asPattern(lines: readonly string[]): RegExp {
  const patterns = lines.map((line) => {
    const parts = line.split(new RegExp(`${TIME.source}|${CURSOR.source}|${RETRY.source}`))
    return parts.map((part) => RegExp.escape(part)).join('[0-9a-f.-]+')
  })
  return new RegExp(`^${patterns.join(`\\n(?:${KEEP_ALIVE}\\n)*`)}$`, 'm')
}

/** Of either form. */
const KEEP_ALIVE = String.raw`(?:\{"stillalive": [\d.]+\}|event: stillalive\nid: \S+\ndata: .*\n)`

/** A command in a shell, and what it has printed on standard output so far. */
class Shell implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<null, Readable, null>
  readonly #command: string
  #text = ''
  #wake: () => void = () => {}

  constructor(command: string, directory: string) {
    this.#command = command
    // A process group of its own, so that the whole of it can be ended.
    this.#child = spawn('bash', ['-c', command], {
      cwd: directory,
      detached: true,
      env: { ...process.env, PATH: READERS_PATH, PUBSUBD_LOG_FORMAT: 'text' },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    this.#child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      this.#text += chunk
      this.#wake()
    })
    this.#child.on('close', () => this.#wake())
  }

  async printed(pattern: RegExp): Promise<void> {
    const deadline = setTimeout(() => this.#child.kill(), DEADLINE_MS)
    while (!pattern.test(this.#text)) {
      const isOver = this.#child.exitCode !== null || this.#child.signalCode !== null
      assert.ok(
        !isOver || !this.#child.stdout.readableEnded,
        `${this.#command}\nprinted\n${this.#text}\nnot\n${pattern}`,
      )
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    clearTimeout(deadline)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    process.kill(-this.#child.pid!, 'SIGTERM')
    await exited
  }
}
