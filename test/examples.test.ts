import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { loadSettings } from '../src/config/load.ts'
import { consoleCommands } from './console-commands.ts'
import { DEADLINE_MS } from './deadline.ts'
import { READERS_PATH } from './readers-path.ts'
import { startServer, type RunningServer } from './running-server.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Which test runs the examples of a page, by page and language. */
const RUN_BY: Readonly<Record<string, string>> = {
  'README.md sh': 'test/package.test.ts', // and test/readme.test.ts its first
  'README.md console': 'test/readme.test.ts',
  'README.md yaml': 'test/readme.test.ts',
  'docs/clients.md python': 'test/clients/snippets.test.ts',
  'docs/clients.md js': 'test/clients/snippets.test.ts',
  'docs/clients.md go': 'test/clients/snippets.test.ts',
  'docs/clients.md console': 'test/clients/snippets.test.ts',
  'docs/command-line.md console': 'test/command-line.test.ts',
  'docs/command-line.md yaml': 'test/command-line.test.ts',
  'docs/errors.md console': 'test/examples.test.ts',
  'docs/filters.md sh': 'test/examples.test.ts',
  'docs/filters.md json': 'test/filters.test.ts',
  'docs/operating.md console': 'test/operating.test.ts',
  'docs/operating.md yaml': 'test/operating.test.ts',
  'docs/operating.md ini': 'test/operating.test.ts',
  'docs/operating.md sh': 'test/examples.test.ts',
  'docs/protocols/jetblack.md yaml': 'test/examples.test.ts',
  'docs/protocols/lonelyps.md yaml': 'test/examples.test.ts',
  'docs/proxies.md yaml': 'test/proxies.test.ts',
  'docs/streams.md js': 'test/examples.test.ts',
}

/** What no test runs, and why. */
const NOT_RUN: Readonly<Record<string, string>> = {
  'docs/reliability.md sh': 'takes ten minutes: npm run test:long does it',
  'docs/testing.md sh': 'runs these tests',
}

test('every example of the documentation is run by a test, or is named above with the reason why not', () => {
  const pages = ['README.md', 'CHANGELOG.md', ...globSync('{docs,clients}/**/*.md', { cwd: ROOT })]
  const found = pages.flatMap((page) =>
    [...textOf(page).matchAll(/^```(\S*)\n[^]*?^```$/gm)].map(
      ([, language]) => `${page} ${language}`,
    ),
  )
  assert.ok(found.length > 40)
  assert.deepEqual(
    [...new Set(found)].toSorted(),
    [...Object.keys(RUN_BY), ...Object.keys(NOT_RUN)].toSorted(),
  )
  for (const [example, file] of Object.entries(RUN_BY)) {
    const [name = ''] = /[\w-]+\.md/.exec(example) ?? []
    assert.ok(textOf(file).includes(name), `${file} does not read ${name}`)
  }
})

test('the commands of docs/errors.md do what they show', async () => {
  await using server = await startAnyServer()
  const commands = consoleCommands(textOf('docs/errors.md'))
  assert.ok(commands.length >= 1)
  for (const { command, lines } of commands) {
    const { stdout } = run(at(server, command), server.directory)
    // It is asked on the port that its answers show.
    assert.equal(stdout.trimEnd(), lines.join('\n'), command)
  }
})

test('the command of docs/filters.md streams what its expression is true of', async () => {
  await using server = await startAnyServer()
  const [command, ...more] = block('docs/filters.md', 'sh').trim().split('\n')
  assert.deepEqual(more, [])
  const shell = spawn('bash', ['-c', `exec ${at(server, command!)}`], {
    env: { ...process.env, PATH: READERS_PATH },
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: DEADLINE_MS,
  })
  const url = `${server.url}/commits`
  while (!(await isStreaming(url))) await new Promise(setImmediate)
  for (const payload of ['{"priority": 3}', '{"priority": 3, "commit": {"author": "jane"}}'])
    await fetch(url, { method: 'PUT', body: payload })
  let text = ''
  for await (const piece of shell.stdout.setEncoding('utf8')) {
    text += piece
    if (text.includes('pubsub_topics')) break
  }
  const shown = text.replaceAll(/^\{"stillalive": .*\n/gm, '')
  assert.match(shown, /^\{"priority": 3, "commit": \{"author": "jane"\}, /)
  shell.kill()
})

test('the WebSocket of docs/streams.md prints what is published, by the Node of its reader', async () => {
  await using server = await startAnyServer()
  await fetch(`${server.url}/fruits`, { method: 'PUT', body: '{"n": 1}' })
  const code = at(server, block('docs/streams.md', 'js'))
  const words = ['-e', `${code}\nsetTimeout(() => process.exit(1), ${DEADLINE_MS}).unref()`]
  const major = Number(
    spawnSync('node', ['-p', 'process.versions.node'], {
      encoding: 'utf8',
      env: { ...process.env, PATH: READERS_PATH },
    }).stdout.split('.')[0],
  )
  // As the page says of it.
  const flags = major < 22 ? ['--experimental-websocket'] : []
  const node = spawn('node', [...flags, ...words], {
    env: { ...process.env, PATH: READERS_PATH },
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: DEADLINE_MS,
  })
  const [first] = (await once(node.stdout.setEncoding('utf8'), 'data')) as [string]
  assert.match(first, /^\{\n {2}n: 1,\n {2}pubsub_timestamp: /)
  node.kill()
})

test('what docs/operating.md does with deleted files of a running server saves what was acknowledged', async (context) => {
  const directory = directoryFor(context)
  await using server = await startServer({
    config: JSON.stringify({
      server: {
        bind: '127.0.0.1',
        port: 0,
        backlog: { size: 10, storage: join(directory, 'events') },
      },
      clients: { payloaders: ['127.0.0.1'] },
    }),
  })
  for (const n of [1, 2])
    assert.equal(
      (await fetch(`${server.url}/a`, { method: 'PUT', body: `{"n": ${n}}` })).status,
      202,
    )
  rmSync(join(directory, 'events.pubsubd'), { recursive: true })

  const descriptors = `/proc/${server.process.pid}/fd`
  const numberOf = (name: string) =>
    readdirSync(descriptors).find((each) =>
      readlinkSync(join(descriptors, each)).endsWith(`/${name} (deleted)`),
    )!
  const commands = block('docs/operating.md', 'sh')
    .replace('pid=4711', `pid=${server.process.pid}`)
    .replace('fd/24 ', `fd/${numberOf('events.db')} `)
    .replace('fd/25 ', `fd/${numberOf('events.db-wal')} `)
    .replaceAll('/backup', directory)
  const { stdout, stderr } = run(`set -e\n${commands}`, directory)
  assert.match(stdout, /events\.db-wal \(deleted\)\n/)
  assert.match(stdout, /\n2 events as they were written, no damage found\n$/, stderr)
})

test('the settings of the pages on other protocols are accepted without a warning', (context) => {
  for (const page of ['docs/protocols/jetblack.md', 'docs/protocols/lonelyps.md']) {
    const file = join(directoryFor(context), 'pubsub.yaml')
    writeFileSync(file, block(page, 'yaml'))
    assert.deepEqual(loadSettings(file).warnings, [])
  }
})

function startAnyServer(): Promise<RunningServer> {
  return startServer({
    config:
      '{server: {bind: 127.0.0.1, port: 0, backlog: {size: 10}}, clients: {payloaders: [127.0.0.1]}}',
  })
}

async function isStreaming(url: string): Promise<boolean> {
  const { headers } = await fetch(url, { method: 'HEAD' })
  return headers.get('X-Subscribers') === '1'
}

/** As its reader would run it, beside a program that is in PATH. */
function run(command: string, cwd: string) {
  const programs = join(cwd, 'programs')
  mkdirSync(programs)
  symlinkSync(join(ROOT, 'bin/pubsubd'), join(programs, 'pubsubd'))
  const env = { ...process.env, PATH: `${programs}:${READERS_PATH}` }
  return spawnSync('bash', ['-c', command], { cwd, env, encoding: 'utf8', timeout: DEADLINE_MS })
}

function at({ port }: RunningServer, text: string): string {
  return text.replaceAll('localhost:2069', `127.0.0.1:${port}`)
}

/** The only one of a page in this language. */
function block(page: string, language: string): string {
  const blocks = [...textOf(page).matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'gm'))]
  assert.equal(blocks.length, 1, page)
  return blocks[0]![1]!
}

function textOf(name: string): string {
  return readFileSync(join(ROOT, name), 'utf8')
}

function directoryFor(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-examples-'))
  context.after(() => rmSync(directory, { recursive: true }))
  return directory
}
