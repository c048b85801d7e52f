import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { FileLock } from '../../src/cli/file-lock.ts'
import { TemporaryFiles } from '../config/temporary-files.ts'

const MODULE = new URL('../../src/cli/file-lock.ts', import.meta.url).href

test('the second process is told who the first is; one that was killed is no obstacle', async () => {
  using files = new TemporaryFiles()
  const file = join(files.directory, 'file')
  const script = `
    const { FileLock } = await import(${JSON.stringify(MODULE)})
    globalThis.lock = new FileLock(${JSON.stringify(file)})
    console.log('locked')
    setInterval(() => {}, 1_000)
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  await once(child.stdout, 'data')
  assert.throws(
    () => new FileLock(file),
    new RegExp(`file is in use by process ${child.pid}, since 20\\d\\d-\\d\\d-\\d\\dT`),
  )
  child.kill('SIGKILL')
  await exited
  using _lock = new FileLock(file)
  assert.equal(statSync(`${file}.lock`).mode & 0o777, 0o600)
})

test('a lock that was given back can be had again', () => {
  using files = new TemporaryFiles()
  const file = join(files.directory, 'file')
  for (let i = 0; i < 3; i++) {
    using _lock = new FileLock(file)
    assert.throws(() => new FileLock(file), /in use by process/)
  }
})
