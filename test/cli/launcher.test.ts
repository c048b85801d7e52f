import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { FLAGS } from '../../src/cli/node-flags.ts'
import { startServer } from '../running-server.ts'
import { PROJECT } from './command.ts'

const PROGRAM = join(PROJECT, 'bin/pubsubd')

function directoryFor(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd launcher-'))
  context.after(() => rmSync(directory, { recursive: true }))
  return directory
}

function run(program: string, words: readonly string[], options: { PATH: string; cwd?: string }) {
  const { PATH, cwd } = options
  return spawnSync(program, words, { encoding: 'utf8', cwd, env: { ...process.env, PATH } })
}

/** Where there is no node. */
function systemPath(directory: string): string {
  const programs = join(directory, 'programs')
  mkdirSync(programs)
  symlinkSync('/bin/sh', join(programs, 'sh'))
  symlinkSync(
    spawnSync('sh', ['-c', 'command -v readlink'], { encoding: 'utf8' }).stdout.trim(),
    join(programs, 'readlink'),
  )
  return programs
}

test('the program is found through links, wherever it is called from, and needs no node in PATH', (context) => {
  const directory = directoryFor(context)
  const PATH = systemPath(directory)
  mkdirSync(join(directory, 'bin'))
  symlinkSync(PROGRAM, join(directory, 'bin/absolute'))
  symlinkSync('absolute', join(directory, 'bin/beside'))
  symlinkSync('bin/beside', join(directory, 'below'))
  symlinkSync('../below', join(directory, 'bin/above'))
  for (const link of ['bin/absolute', 'bin/beside', 'below', 'bin/above']) {
    const { stdout, stderr } = run(join(directory, link), ['--version'], { PATH })
    assert.match(stdout, /^pubsubd \d/, link + stderr)
  }
  const [byName, fromPath, inPlace] = [
    run('sh', ['above', '--version'], { PATH, cwd: join(directory, 'bin') }),
    run('above', ['--version'], { PATH: `${PATH}:${join(directory, 'bin')}` }),
    run('./pubsubd', ['--version'], { PATH, cwd: join(PROJECT, 'bin') }),
  ]
  for (const { stdout, stderr } of [byName, fromPath, inPlace])
    assert.match(stdout, /^pubsubd \d/, stderr)
})

test('words reach the program as they are', (context) => {
  const cwd = directoryFor(context)
  const PATH = process.env['PATH']!
  const { stderr: ofOne } = run(PROGRAM, ['a  b * $HOME'], { PATH, cwd })
  assert.match(ofOne, /^pubsubd: there is no command "a {2}b \* \$HOME"\n/)
  const { stderr: ofMany } = run(PROGRAM, ['publish', 'http://[::1]:1/a', '-', ''], { PATH, cwd })
  assert.match(ofMany, /^pubsubd publish: unexpected ""\n/)
})

test('a server is started once, with the flags that it wants', async () => {
  await using server = await startServer({
    config: '{server: {bind: 127.0.0.1, port: 0}, clients: {payloaders: []}}',
  })
  const words = readFileSync(`/proc/${server.process.pid}/cmdline`, 'utf8').split('\0')
  const begun = words.findIndex((word) => word.endsWith('bin/pubsubd.js'))
  // One that had begun anew would have its flags behind those of the launcher.
  assert.deepEqual(words.slice(1, begun), FLAGS)
  assert.ok(readFileSync(PROGRAM, 'utf8').includes(`'${FLAGS.join(' ')}'`))
})

test('where npm has installed no Node it takes that of PATH, or says what it needs', (context) => {
  const directory = directoryFor(context)
  const PATH = systemPath(directory)
  for (const part of ['bin', 'src', 'package.json'])
    cpSync(join(PROJECT, part), join(directory, 'package', part), { recursive: true })
  const program = join(directory, 'package/bin/pubsubd')
  const without = run(program, ['--version'], { PATH })
  assert.equal(without.status, 1)
  assert.equal(
    without.stderr,
    'pubsubd needs Node 24 or newer, and there is no node in PATH. Install one, or install pubsubd with its optional dependencies.\n',
  )
  symlinkSync(process.execPath, join(PATH, 'node'))
  assert.match(run(program, ['--version'], { PATH }).stdout, /^pubsubd \d/)
})
