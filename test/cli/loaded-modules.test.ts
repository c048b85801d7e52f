import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test, type TestContext } from 'node:test'
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

/** Names below `src/`, and of libraries. */
function loadedBy(context: TestContext, words: readonly string[]): string[] {
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-loaded-'))
  context.after(() => rmSync(directory, { recursive: true }))
  writeFileSync(join(directory, 'hooks.mjs'), HOOKS)
  const file = join(directory, 'loaded')
  writeFileSync(file, '')
  const hooks = pathToFileURL(join(directory, 'hooks.mjs')).href
  spawnSync(process.execPath, ['--import', hooks, join(PROJECT, 'bin/pubsubd.js'), ...words], {
    cwd: directory,
    env: { ...process.env, LOADED: file },
    stdio: 'ignore',
  })
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

test('publish and listen load no library, and nothing of the server', (context) => {
  for (const command of ['publish', 'listen']) {
    const loaded = loadedBy(context, [command, '--help'])
    const foreign = loaded.filter((name) => !/^(?:bin|cli|client|settings|ops)\//.test(name))
    assert.deepEqual(foreign, [], command)
  }
})

test('what reads the settings loads nothing that serves', (context) => {
  for (const words of [['check'], ['config'], ['explain', '/a'], ['log', 'info']]) {
    const loaded = loadedBy(context, words)
    const serving = loaded.filter((name) =>
      /^(?:fastify|pino|ws|koffi|http\/|server\.ts|sockets\/)/.test(name),
    )
    assert.deepEqual(serving, [], words.join(' '))
  }
})
