import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadFlock } from '../../../src/log/sqlite/flock.ts'
import { StoreLock } from '../../../src/log/sqlite/store-lock.ts'

const IN_USE = { message: new RegExp(` is in use by process ${process.pid}$`) }

for (const [what, command, directory] of [
  ['the same place', '', 'store'],
  [
    'the same place, to which a copy was moved',
    'cp -r store copy && mv store away && mv copy store',
    'store',
  ],
  ['the same place, which is empty now', 'rm -rf store', 'store'],
  [
    'the same place, where a link is now',
    'mv store away && mkdir copy && ln -s copy store',
    'store',
  ],
  ['another place, to which the directory was moved', 'mv store away', 'away'],
  ['a link to the directory', 'ln -s store link', 'link'],
] as const)
  test(`who has a store has it also on ${what}`, async () => {
    using folder = new Folder()
    const lock = await StoreLock.take(folder.file('store'))
    folder.shell(command)
    await assert.rejects(StoreLock.take(folder.file(directory)), IN_USE)
    lock.release({ isClosed: true })
  })

test('who has a store has its database also under another name', async (t) => {
  if ((await loadFlock()) === null) return t.skip('koffi is not installed, or not for this machine')
  using folder = new Folder()
  mkdirSync(folder.file('store'))
  writeFileSync(folder.file('store/events.db'), '')
  const lock = await StoreLock.take(folder.file('store'))
  folder.shell('mkdir links && ln store/events.db links/')
  await assert.rejects(StoreLock.take(folder.file('links')), IN_USE)
  lock.release({ isClosed: true })
  const other = await StoreLock.take(folder.file('links'))
  await assert.rejects(StoreLock.take(folder.file('store')), IN_USE)
  other.release({ isClosed: true })
})

test('who had a store and has ended, in order or not, does not keep others from it', async () => {
  using folder = new Folder()
  for (const isClosed of [true, false, true]) {
    const lock = await StoreLock.take(folder.file('store'))
    lock.release({ isClosed })
    assert.equal(existsSync(folder.file('store/owner.pid')), !isClosed)
  }
})

test('nobody but the owner can read, and so hold, the locks', async () => {
  using folder = new Folder()
  const lock = await StoreLock.take(folder.file('store'))
  for (const file of ['store.lock', 'store/owner.lock'])
    assert.equal(statSync(folder.file(file)).mode & 0o777, 0o600)
  assert.deepEqual(folder.shell('ls').trim().split('\n'), ['store', 'store.lock'])
  lock.release({ isClosed: true })
})

test('where the place cannot be locked, that is told, and the store is taken nevertheless', async () => {
  using folder = new Folder()
  mkdirSync(folder.file('store.lock'))
  const lock = await StoreLock.take(folder.file('store'))
  assert.match(lock.placeProblem ?? '', /is no ordinary file/)
  lock.release({ isClosed: true })
})

class Folder implements Disposable {
  readonly #path = mkdtempSync(join(tmpdir(), 'pubsubd-lock-'))

  file(name: string): string {
    return join(this.#path, name)
  }

  shell(command: string): string {
    return execFileSync('sh', ['-ec', command], { cwd: this.#path, encoding: 'utf8' })
  }

  [Symbol.dispose](): void {
    rmSync(this.#path, { recursive: true, force: true })
  }
}
