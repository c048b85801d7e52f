import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { PROJECT } from './command.ts'

const CACHE = 'pubsubd-compiled'

function directoryFor(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-cache-'))
  context.after(() => rmSync(directory, { recursive: true }))
  return directory
}

/** A command that tells its version, with only these variables. */
function versionWith(environment: Readonly<Record<string, string>>): void {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [join(PROJECT, 'bin/pubsubd.js'), '--version'],
    { encoding: 'utf8', env: environment },
  )
  assert.match(stdout, /^pubsubd \d/)
  assert.equal(stderr, '')
}

test('what Node makes of our files is kept for the next start, where only we may write', (context) => {
  const home = directoryFor(context)
  versionWith({ HOME: home })
  const cache = join(home, '.cache', CACHE)
  assert.equal(statSync(cache).mode & 0o777, 0o700)
  assert.ok(readdirSync(cache).length > 0)
})

test('a service, or a user who says where, has it there', (context) => {
  for (const name of ['CACHE_DIRECTORY', 'XDG_CACHE_HOME']) {
    const directory = directoryFor(context)
    versionWith({ HOME: '/proc/nowhere', [name]: directory })
    assert.ok(readdirSync(join(directory, CACHE)).length > 0, name)
  }
})

test('it is not kept where others may write, nor where a link leads, and that harms nothing', (context) => {
  const directory = directoryFor(context)
  const others = join(directory, 'others')
  mkdirSync(others)
  chmodSync(others, 0o777)
  versionWith({ XDG_CACHE_HOME: others })
  assert.deepEqual(readdirSync(others), [])
  const linked = join(directory, 'linked')
  const elsewhere = join(directory, 'elsewhere')
  mkdirSync(linked)
  mkdirSync(elsewhere)
  symlinkSync(elsewhere, join(linked, CACHE))
  versionWith({ XDG_CACHE_HOME: linked })
  assert.deepEqual(readdirSync(elsewhere), [])
})

test('a group that is the user alone may write, as umask 002 has it; another group may not', (context) => {
  const directory = directoryFor(context)
  const own = join(directory, 'own')
  mkdirSync(own)
  chmodSync(own, 0o775)
  const isAlone = process.getuid!() === process.getgid!()
  versionWith({ XDG_CACHE_HOME: own })
  assert.deepEqual(readdirSync(own), isAlone ? [CACHE] : [])
  if (process.getuid!() !== 0) return // only root can give a directory to another group
  chownSync(own, 0, 1)
  rmSync(join(own, CACHE), { recursive: true })
  versionWith({ XDG_CACHE_HOME: own })
  assert.deepEqual(readdirSync(own), [])
})

test('without a place for it everything works', () => {
  for (const environment of [
    {},
    { HOME: '' },
    { HOME: '/proc/nowhere' },
    { HOME: 'relative' },
    { HOME: '/proc' },
  ])
    versionWith(environment)
})
