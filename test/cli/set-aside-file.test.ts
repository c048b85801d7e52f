import assert from 'node:assert/strict'
import { readFileSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { SetAsideFile } from '../../src/cli/set-aside-file.ts'
import { TemporaryFiles } from '../config/temporary-files.ts'

test("what is set aside is nobody else's to read, one event on each line, behind what is there", async () => {
  using files = new TemporaryFiles()
  const name = join(files.directory, 'failed')
  const first = new SetAsideFile(name)
  await Promise.all(['{"n": 1}', '{"n": 2}'].map((line) => first.append(line)))
  await new SetAsideFile(name).append('{"n": 3}')
  assert.equal(readFileSync(name, 'utf8'), '{"n": 1}\n{"n": 2}\n{"n": 3}\n')
  assert.equal(statSync(name).mode & 0o777, 0o600)
})

test('a part of a line, as a full disk leaves it, does not cost the next event', async () => {
  using files = new TemporaryFiles()
  const name = files.write('failed', '{"n": 1}\n{"n"')
  await new SetAsideFile(name).append('{"n": 2}')
  assert.equal(readFileSync(name, 'utf8'), '{"n": 1}\n{"n"\n{"n": 2}\n')
})

test('a symbolic link that is put there later is not followed either', async () => {
  using files = new TemporaryFiles()
  const name = files.write('failed', '')
  const victim = files.write('victim', 'precious')
  const setAside = new SetAsideFile(name)
  rmSync(name)
  symlinkSync(victim, name)
  await assert.rejects(setAside.append('{}'), /failed cannot be written: .* is a symbolic link/)
  assert.equal(readFileSync(victim, 'utf8'), 'precious')
})
