import assert from 'node:assert/strict'
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { DEADLINE_MS } from './deadline.ts'
import { loadSettings } from '../src/config/load.ts'
import { consoleCommands, patternOf } from './console-commands.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '')
const PAGE = readFileSync(join(ROOT, 'docs/operating.md'), 'utf8')

const SYSTEMD_ANALYZE = '/usr/bin/systemd-analyze'

test(
  'every command of docs/operating.md does what it shows, on a machine made after it',
  { timeout: 5 * DEADLINE_MS },
  async () => {
    await using machine = new Machine()
    const commands = consoleCommands(PAGE)
    assert.ok(commands.length >= 15)
    for (const { command, lines } of commands) {
      const printed = await machine.run(command)
      assert.match(printed, patternOf(lines, VARYING, '0-9a-fTZ:.-'), command)
    }
  },
)

test('the settings of docs/operating.md are accepted without a warning', () => {
  using directory = new Directory()
  const file = join(directory.path, 'pubsub.yaml')
  writeFileSync(file, example('yaml', '/etc/pubsubd/pubsub.yaml'))
  assert.deepEqual(loadSettings(file).warnings, [])
})

test(
  'systemd accepts the unit',
  { skip: !existsSync(SYSTEMD_ANALYZE) && 'systemd-analyze is not here' },
  () => {
    using directory = new Directory()
    const unit = example('ini', '/etc/systemd/system/pubsubd.service')
    const file = join(directory.path, 'pubsubd.service')
    // It also looks whether the program and the user are there.
    writeFileSync(
      file,
      unit.replace('/usr/local/bin/pubsubd', '/bin/true').replace('User=pubsubd', 'User=root'),
    )
    const told = execFileSync(SYSTEMD_ANALYZE, ['verify', file], {
      encoding: 'utf8',
      stdio: 'pipe',
    })
    assert.equal(told, '')
  },
)

test('every file that docs/operating.md links to is there', () => {
  const links = [...PAGE.matchAll(/\]\(([^)#:]+)\)/g)].map(([, target]) => target!)
  assert.ok(links.length >= 2)
  for (const link of links) assert.ok(existsSync(join(ROOT, 'docs', link)), link)
})

test('every line that deserves an alarm is one that the server writes', () => {
  const [, table] = /\n\| line \| means .*\n(\|[^]*?)\n\n/.exec(PAGE)!
  const rows = table!.split('\n').slice(1)
  assert.ok(rows.length > 15)
  const written = globSync('src/**/*.ts', { cwd: ROOT })
    .map((file) => readFileSync(join(ROOT, file), 'utf8'))
    .join('\n')
    .replaceAll(/['`] \+\n *['`]/g, '') // a text that goes on in the next line
  for (const row of rows)
    for (const [, line] of row.split('|')[1]!.matchAll(/`([^`]+)`/g)) {
      const pieces = line!.split('…').map((piece) => RegExp.escape(piece))
      assert.match(written, new RegExp(`['\`].*${pieces.join('.*')}`), line)
    }
})

/** The text of a file that the page shows, without the line that names it. */
function example(language: string, file: string): string {
  const block = new RegExp(`\`\`\`${language}\n# ${RegExp.escape(file)}\n(.*?)\`\`\``, 's').exec(
    PAGE,
  )
  assert.ok(block !== null, file)
  return block[1]!
}

/** Whatever is different each time: times, cursors, process ids, sizes. */
const VARYING =
  /\d{4}-\d\d-\d\dT[\d:.]+Z|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b\d{10}\.\d+\b|(?<=process )\d+|\d+(?= bytes)/

class Directory implements Disposable {
  readonly path: string

  constructor() {
    this.path = mkdtempSync(join(tmpdir(), 'pubsubd-operating-'))
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/**
 * A machine as the page describes it, in a directory: its paths are below that, the checkout is this one, and here is what
 * stands in for systemd, for other users and for other versions.
 */
class Machine implements AsyncDisposable {
  readonly #directory = new Directory()
  #service: ChildProcess | undefined
  #port = ''

  constructor() {
    for (const path of ['/etc/pubsubd', '/var/lib/pubsubd', '/backup', '/programs'])
      mkdirSync(join(this.#directory.path, path), { recursive: true })
    const settings = example('yaml', '/etc/pubsubd/pubsub.yaml')
    this.#write('/etc/pubsubd/pubsub.yaml', settings.replace('server:', 'server:\n  port: 0'))
    for (const program of ['chown', 'git', 'npm'])
      this.#write(`/programs/${program}`, '#!/bin/sh\n')
    this.#write('/etc/pubsubd/pubsub_acl.yaml', '{}\n')
    const backlog = [1, 2, 3].map(
      (n) => `{"timestamp": ${n}.5, "topics": ["a"], "json": {"n": ${n}}, "private": false}\n`,
    )
    this.#write('/backup/pypubsub-backlog.json', backlog.join(''))
  }

  /** What it prints on both streams, with the paths of the page. */
  async run(command: string): Promise<string> {
    const [, verb] = /^systemctl (\w+) pubsubd$/.exec(command) ?? []
    if (verb !== undefined) return this.#systemctl(verb)
    const shell = this.#shell(command)
    const [out, err] = await Promise.all([
      text(shell.stdout),
      text(shell.stderr),
      once(shell, 'close'),
    ])
    assert.equal(shell.exitCode, 0, `${command}: ${err}`)
    return (out + err).replaceAll(this.#directory.path, '')
  }

  /** As the unit says. */
  async #systemctl(verb: string): Promise<string> {
    const unit = example('ini', '/etc/systemd/system/pubsubd.service')
    const line = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)![1]!
    if (verb === 'start') {
      const service = this.#shell(`exec ${line('ExecStart').replace('/usr/local/bin/', '')}`)
      this.#service = service
      let journal = ''
      for await (const piece of service.stdout
        .setEncoding('utf8')
        .iterator({ destroyOnReturn: false })) {
        journal += piece
        this.#port = /listening on \S+?:(\d+)["\n]/.exec(journal)?.[1] ?? ''
        if (this.#port !== '') break
      }
      assert.notEqual(this.#port, '', journal)
      service.stdout.resume()
    } else if (verb === 'reload') {
      await this.run(line('ExecReload').replace('$MAINPID', String(this.#service!.pid)))
    } else {
      assert.equal(verb, 'stop')
      this.#service!.kill('SIGTERM')
      const [code] = await once(this.#service!, 'exit')
      assert.equal(code, 0)
      this.#service = undefined
    }
    return ''
  }

  #shell(command: string) {
    const path = `${join(this.#directory.path, 'programs')}:${process.env['PATH']}`
    return spawn('bash', ['-c', this.#localized(command)], {
      env: { ...process.env, PATH: path },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: DEADLINE_MS,
    })
  }

  #localized(written: string): string {
    return written
      .replaceAll('/opt/pubsubd', ROOT)
      .replaceAll('/usr/local/bin', join(this.#directory.path, 'programs'))
      .replaceAll(/\/(?:etc\/pubsubd|var\/lib\/pubsubd|backup)\b/g, `${this.#directory.path}$&`)
      .replaceAll('localhost:2069', `127.0.0.1:${this.#port}`)
  }

  #write(path: string, content: string): void {
    writeFileSync(join(this.#directory.path, path), this.#localized(content), { mode: 0o755 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#service !== undefined) {
      this.#service.kill('SIGKILL')
      await once(this.#service, 'exit')
    }
    this.#directory[Symbol.dispose]()
  }
}
