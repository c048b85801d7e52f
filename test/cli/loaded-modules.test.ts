import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test, type TestContext } from 'node:test'
import { FLAGS } from '../../src/cli/node-flags.ts'
import { DEADLINE_MS } from '../deadline.ts'
import { startServer } from '../running-server.ts'
import { PROJECT } from './command.ts'

/** Writes down what is loaded, of ours and of libraries. */
const HOOKS = `
import { appendFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
registerHooks({
  load(url, context, next) {
    if (url.startsWith('file:')) appendFileSync(process.env.LOADED, url + '\\n')
    return next(url, context)
  },
})
`

/** Names below `src/`, and of libraries, of what a command loads that is done whole. */
function loadedBy(
  context: TestContext,
  words: readonly string[],
  cwd = directoryFor(context),
): string[] {
  const { hooks, file } = writeHooks(directoryFor(context))
  const { status, stderr } = spawnSync(
    process.execPath,
    [`--import=${hooks}`, join(PROJECT, 'bin/pubsubd.js'), ...words],
    {
      cwd,
      env: { ...process.env, LOADED: file },
      stdio: ['ignore', 'pipe', 'pipe'],
      encoding: 'utf8',
      timeout: DEADLINE_MS,
    },
  )
  assert.equal(status, 0, stderr)
  return namesIn(file)
}

function directoryFor(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-loaded-'))
  context.after(() => rmSync(directory, { recursive: true }))
  return directory
}

/** What a process writes into `file`, the value of its variable `LOADED`, that imports `hooks`. */
function writeHooks(directory: string): { readonly hooks: string; readonly file: string } {
  writeFileSync(join(directory, 'hooks.mjs'), HOOKS)
  const file = join(directory, 'loaded')
  writeFileSync(file, '')
  return { hooks: pathToFileURL(join(directory, 'hooks.mjs')).href, file }
}

function namesIn(file: string): string[] {
  const urls = readFileSync(file, 'utf8').trim().split('\n')
  const names = urls.map((url) => {
    const library = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]
    return library ?? url.replace(/^.*\/(?:src\/|(?=bin\/))/, '')
  })
  return [...new Set(names)].toSorted()
}

/** Whatever a command does, this is loaded first. */
const ALWAYS = [
  'bin/compile-cache.js',
  'bin/pubsubd.js',
  'cli/commands.ts',
  'cli/dispatch.ts',
  'cli/exit-code.ts',
  'cli/main.ts',
  'cli/run-command.ts',
  'cli/arguments.ts',
  'cli/hide-credentials.ts',
  'client/client-error.ts',
  'ops/logger.ts',
  'settings/nearest-name.ts',
]

test('help and version load nothing but what tells them', (context) => {
  for (const words of [['--version'], ['--help'], ['help'], ['serve', '--help']]) {
    const loaded = loadedBy(context, words)
    const more = loaded.filter((name) => !ALWAYS.includes(name))
    assert.deepEqual(
      more,
      [
        'cli/about.ts',
        'cli/file-options.ts',
        'cli/serve-options.ts',
        'config/given-settings.ts',
        'ops/version.ts',
      ],
      words.join(' '),
    )
  }
})

/** Rooms of ours, and libraries, in which a command loads a file. */
const READS_SETTINGS = [
  'auth',
  'cli',
  'client',
  'config',
  'js-yaml',
  'ops',
  'protocols',
  'settings',
]
const JUDGES_SETTINGS = [...READS_SETTINGS, 'doors.ts', 'hub', 'ipaddr.js', 'outgoing']
const READS_STORE = [...READS_SETTINGS, 'hub', 'log', 'publication']
const TALKS_TO_SERVER = ['cli', 'client', 'ops', 'settings']
const LOADED: Readonly<Record<string, readonly string[]>> = {
  publish: TALKS_TO_SERVER,
  listen: TALKS_TO_SERVER,
  config: READS_SETTINGS,
  check: JUDGES_SETTINGS,
  'explain /a': JUDGES_SETTINGS,
  // It asks each command for its options.
  'completion bash': JUDGES_SETTINGS,
  'log info': READS_STORE,
  'log verify': READS_STORE,
  'log export': READS_STORE,
  'log backup copy': [...READS_SETTINGS, 'log'],
  'log import --store other': [...READS_STORE, 'koffi', '@koromix'],
}

test('each command loads what it uses, and nothing else', async (context) => {
  await using server = await startServer({
    config:
      '{server: {bind: 127.0.0.1, port: 0, backlog: {size: 9, storage: events}}, clients: {payloaders: [127.0.0.1]}}',
    acl: '{}',
  })
  const url = `${server.url}/a`
  const more = new Map([
    ['publish', [url, '-d', '{}']],
    ['listen', [url, '--since', 'all', '--count', '1']],
  ])
  for (const [command, expected] of Object.entries(LOADED)) {
    const words = [...command.split(' '), ...(more.get(command) ?? [])]
    const rooms = loadedBy(context, words, server.directory)
      .map((name) => name.replace(/\/.*/, ''))
      .filter((name) => name !== 'bin')
    assert.deepEqual([...new Set(rooms)].toSorted(), expected.toSorted(), command)
  }
})

test("no file imports Node's HTTP in the way that loads undici", () => {
  const sources = globSync('src/**/*.ts', { cwd: PROJECT })
  assert.ok(sources.length > 200)
  const importing = sources.filter((file) =>
    /^import (?!type\b)[^;'"]*'node:http'/m.test(readFileSync(join(PROJECT, file), 'utf8')),
  )
  assert.deepEqual(importing, [])
})

test('a server loads no library for what is not configured, and reads expressions by one that it loads once it listens', async (context) => {
  const { hooks, file } = writeHooks(directoryFor(context))
  await using server = await startServer({
    config: '{server: {bind: 127.0.0.1, port: 0}, clients: {payloaders: [127.0.0.1]}}',
    environment: { LOADED: file },
    nodeFlags: [...FLAGS, `--import=${hooks}`],
  })
  const loaded = () => namesIn(file)
  for (const library of ['ldapts', 'ws']) assert.ok(!loaded().includes(library), library)
  assert.ok(loaded().includes('fastify'))
  while (!loaded().includes('@marcbachmann/cel-js')) await new Promise(setImmediate)
  // Nothing comes in that time.
  assert.equal((await fetch(`${server.url}/a?where=n>1&timeout=0.1`)).status, 504)
  assert.equal((await fetch(`${server.url}/a?where=n>&timeout=0.1`)).status, 400)
})
