import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { DEADLINE_MS } from './deadline.ts'
import { READERS_PATH } from './readers-path.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Each has another Node first. */
const NODES: Readonly<Record<string, (directory: string) => string>> = {
  'the Node of this machine': () => READERS_PATH,
  'Node 22': (directory) => {
    const home = join(directory, 'node22')
    mkdirSync(home)
    writeFileSync(join(home, 'package.json'), '{}')
    npm(['install', '--prefix', home, `node-${process.platform}-${process.arch}@22`])
    return `${home}/node_modules/node-${process.platform}-${process.arch}/bin${delimiter}${READERS_PATH}`
  },
  'Node 24': (directory) => {
    mkdirSync(join(directory, 'node24'))
    symlinkSync(process.execPath, join(directory, 'node24/node'))
    return `${join(directory, 'node24')}${delimiter}${READERS_PATH}`
  },
}

describe('the package', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-package-'))
  after(() => rmSync(directory, { recursive: true }))
  let files: readonly string[] = []
  let tarball = ''

  before(() => {
    const [packed] = JSON.parse(npm(['pack', '--json', '--pack-destination', directory], ROOT)) as {
      filename: string
      files: { path: string }[]
    }[]
    files = packed!.files.map(({ path }) => path)
    tarball = join(directory, packed!.filename)
    npm(['install', '--global', '--prefix', directory, tarball])
  })

  test('has what runs, and no tests, benchmarks or sources with types', () => {
    for (const file of [
      'bin/pubsubd',
      'bin/pubsubd.js',
      'dist/cli/main.js',
      'pubsub.yaml',
      'README.md',
      'LICENSE',
    ])
      assert.ok(files.includes(file), file)
    const wrong = files.filter((file) => /^(?:test|bench|src|\.ci)\/|\.ts$/.test(file))
    assert.deepEqual(wrong, [])
  })

  for (const [name, pathOf] of Object.entries(NODES))
    test(`installed for all, it serves, publishes and listens by ${name}`, async () => {
      const environment = { ...process.env, PATH: pathOf(directory), PUBSUBD_LOG_FORMAT: 'text' }
      const program = join(directory, 'bin/pubsubd')
      const run = (...words: string[]) =>
        spawnSync(program, words, { cwd: directory, env: environment, encoding: 'utf8' })
      assert.match(run('--version').stdout, /^pubsubd \d+\.\d+\.\d+\n$/)
      assert.match(run('help', 'listen').stdout, /^pubsubd listen: /)
      assert.equal(run('lisen').status, 2)
      const store = mkdtempSync(join(directory, 'store-'))
      const words = ['--port', '0', '--bind', '127.0.0.1', '--publishers', '127.0.0.1']
      const server = spawn(program, [...words, '--store', join(store, 'events')], {
        cwd: directory,
        env: environment,
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: DEADLINE_MS,
      })
      try {
        let text = ''
        for (const stream of [server.stdout, server.stderr])
          stream.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk
          })
        while (!/listening on (\S+)\n/.test(text)) {
          await Promise.race([once(server.stdout, 'data'), once(server, 'exit')])
          assert.equal(server.exitCode, null, text)
        }
        // Whoever started it, and signals it, knows the process that serves.
        assert.match(text, new RegExp(`pid ${server.pid},`))
        const [, url] = /listening on (\S+)\n/.exec(text)!
        const published = run('publish', `${url}/fruits`, '-d', '{"n": 1}')
        assert.equal(published.status, 0, published.stderr)
        const heard = run('listen', `${url}/fruits`, '--since', 'all', '--count', '1')
        assert.match(heard.stdout, /^\{"n": 1, .*\}\n$/)
        const page = await fetch(`${url}/-/`, {
          headers: { Accept: 'text/html,application/xhtml+xml' },
        })
        assert.match(await page.text(), /^<!doctype html>/)
        server.kill('SIGTERM')
        const [code] = await once(server, 'exit')
        assert.equal(code, 0, text)
        assert.equal(run('log', 'verify', '--store', join(store, 'events')).status, 0)
      } finally {
        server.kill('SIGKILL')
      }
    })

  test('no page of it links to what is not in it', () => {
    const pages = files.filter((file) => file.endsWith('.md'))
    assert.ok(pages.length > 20)
    const dead = pages.flatMap((page) =>
      linksOf(page).filter((target) => !files.includes(target) && !isFolder(target, files)),
    )
    assert.deepEqual(dead, [])
  })

  test('its settings are those of the checkout, and check accepts them', () => {
    const home = join(directory, 'lib/node_modules/pubsubd')
    const { status, stderr } = spawnSync(join(directory, 'bin/pubsubd'), ['check'], {
      cwd: home,
      env: { ...process.env, PATH: READERS_PATH },
      encoding: 'utf8',
    })
    assert.equal(status, 0, stderr)
  })

  test('by npx it runs without being installed', () => {
    const { stdout, stderr } = spawnSync(
      'npx',
      ['--yes', '--prefer-offline', '--package', tarball, 'pubsubd', 'help', 'publish'],
      {
        cwd: directory,
        env: { ...process.env, PATH: READERS_PATH, npm_config_cache: join(directory, 'cache') },
        encoding: 'utf8',
      },
    )
    assert.match(stdout, /^pubsubd publish: /, stderr)
  })

  test('installed without its optional dependencies it says in a sentence what it needs, or works', () => {
    const prefix = join(directory, 'without')
    npm(['install', '--global', '--omit', 'optional', '--prefix', prefix, tarball])
    for (const [path, mustWork] of [
      [READERS_PATH, false],
      [NODES['Node 24']!(prefix), true],
    ] as const) {
      const { status, stdout, stderr } = spawnSync(join(prefix, 'bin/pubsubd'), ['--version'], {
        env: { ...process.env, PATH: path },
        encoding: 'utf8',
      })
      if (status === 0) assert.match(stdout, /^pubsubd \d/)
      else {
        assert.ok(!mustWork, stderr)
        assert.equal(status, 1)
        assert.match(
          stderr,
          /^pubsubd needs Node 24 or newer, and this is v\d+\.\d+\.\d+\. Install it, .*\n$/,
        )
      }
    }
  })
})

/** The files that a page of the checkout links to or shows, as paths of the checkout. */
function linksOf(page: string): string[] {
  const text = readFileSync(join(ROOT, page), 'utf8')
  return [...text.matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)].map(([, target]) =>
    join(dirname(page), target!),
  )
}

function isFolder(path: string, files: readonly string[]): boolean {
  return files.some((file) => file.startsWith(`${path.replace(/\/$/, '')}/`))
}

function npm(words: readonly string[], directory = ROOT): string {
  return execFileSync('npm', [...words, '--prefer-offline', '--no-audit', '--no-fund'], {
    cwd: directory,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}
