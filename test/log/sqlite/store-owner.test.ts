import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { storeOwner } from '../../../src/log/sqlite/store-owner.ts'
import { StoreFolder } from './store-folder.ts'

const CHILD = fileURLToPath(new URL('child-store.ts', import.meta.url))

test('the process that has a store open is known to others while it lives, and no longer when it was killed', async () => {
  using folder = new StoreFolder()
  const child = spawn(process.execPath, [CHILD, folder.directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  assert.equal(storeOwner(folder.directory), String(child.pid))
  // Asking does not take the lock from it.
  await assert.rejects(folder.open(), new RegExp(`in use by process ${child.pid}`))
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.ok(existsSync(folder.file('owner.pid')))
  assert.equal(storeOwner(folder.directory), null)
})

test('another process that has the number of one that was killed is not taken for it', async () => {
  using folder = new StoreFolder()
  await (await folder.open())[Symbol.asyncDispose]()
  writeFileSync(folder.file('owner.pid'), `${process.ppid}\n`)
  assert.equal(storeOwner(folder.directory), null)
})

test('nobody has a store that was closed, or that is not there, and asking makes none', async () => {
  using folder = new StoreFolder()
  assert.equal(storeOwner(folder.directory), null)
  assert.ok(!existsSync(folder.file('owner.lock')))
  await (await folder.open())[Symbol.asyncDispose]()
  assert.equal(storeOwner(folder.directory), null)
  assert.equal(storeOwner(folder.file('nowhere')), null)
})
