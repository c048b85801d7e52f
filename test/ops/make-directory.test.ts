import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeDirectory } from '../../src/ops/make-directory.ts'

test('a directory is made with those above it, once', (context) => {
  const base = mkdtempSync(join(tmpdir(), 'pubsubd-directory-'))
  context.after(() => rmSync(base, { recursive: true }))
  const directory = join(base, 'a/b/c')
  for (let times = 0; times < 2; times++) {
    makeDirectory(directory, 0o700)
    assert.equal(statSync(directory).mode & 0o777, 0o700)
  }
  writeFileSync(join(base, 'file'), '')
  assert.throws(() => makeDirectory(join(base, 'file/x'), 0o700), { code: 'ENOTDIR' })
})

test('where none can be made it says so and ends', { skip: process.platform !== 'linux' }, () => {
  assert.throws(() => makeDirectory('/proc/pubsubd/x', 0o700), { code: 'ENOENT' })
})
