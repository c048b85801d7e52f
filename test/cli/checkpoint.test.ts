import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Checkpoint } from '../../src/cli/checkpoint.ts'

function fileIn(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-test-'))
  context.after(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, 'checkpoint')
}

test('a checkpoint that is told its own place goes on moving', async (context) => {
  const file = fileIn(context)
  writeFileSync(file, 'a\n')
  const checkpoint = new Checkpoint(file)
  assert.equal(checkpoint.cursor, 'a')
  await checkpoint.move('a')
  await checkpoint.move('b')
  assert.equal(readFileSync(file, 'utf8'), 'b\n')
  await checkpoint.move('b')
  await checkpoint.move('c')
  assert.equal(new Checkpoint(file).cursor, 'c')
})

test('of places told while one is written the last one is kept', async (context) => {
  const file = fileIn(context)
  const checkpoint = new Checkpoint(file)
  await Promise.all(['a', 'b', 'c', 'a'].map((cursor) => checkpoint.move(cursor)))
  await checkpoint.settled()
  assert.equal(readFileSync(file, 'utf8'), 'a\n')
})

test('a checkpoint that cannot be written says so again and again', async (context) => {
  const checkpoint = new Checkpoint(join(fileIn(context), 'missing'))
  for (const cursor of ['a', 'b', 'b'])
    await assert.rejects(checkpoint.move(cursor), /the checkpoint .* cannot be written: ENOENT/)
  await assert.rejects(checkpoint.settled(), /ENOENT/)
})
