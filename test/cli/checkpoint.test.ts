import assert from 'node:assert/strict'
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
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
  await checkpoint[Symbol.asyncDispose]()
  await using again = new Checkpoint(file)
  assert.equal(again.cursor, 'c')
})

test('of places told while one is written the last one is kept', async (context) => {
  const file = fileIn(context)
  const checkpoint = new Checkpoint(file)
  await Promise.all(['a', 'b', 'c', 'a'].map((cursor) => checkpoint.move(cursor)))
  await checkpoint.settled()
  assert.equal(readFileSync(file, 'utf8'), 'a\n')
})

test('a checkpoint that cannot be written says so again and again', async (context) => {
  const file = fileIn(context)
  const checkpoint = new Checkpoint(file)
  rmSync(dirname(file), { recursive: true })
  for (const cursor of ['a', 'b', 'b'])
    await assert.rejects(checkpoint.move(cursor), /the checkpoint .* cannot be written: ENOENT/)
  await assert.rejects(checkpoint.settled(), /ENOENT/)
})

test("a checkpoint is its one listener's, who is named, until he has ended", async (context) => {
  const file = fileIn(context)
  {
    await using first = new Checkpoint(file)
    await first.move('a')
    assert.throws(
      () => new Checkpoint(file),
      new RegExp(`checkpoint is in use by process ${process.pid}, since 20\\d\\d-`),
    )
    await first.move('b')
  }
  await using second = new Checkpoint(file)
  assert.equal(second.cursor, 'b')
})

test("a checkpoint is nobody else's to read, and follows no link", async (context) => {
  const file = fileIn(context)
  const victim = `${file}-of-another`
  writeFileSync(victim, 'precious')
  symlinkSync(victim, `${file}.tmp`)
  await using checkpoint = new Checkpoint(file)
  await checkpoint.move('a')
  assert.equal(readFileSync(victim, 'utf8'), 'precious')
  assert.equal(statSync(file).mode & 0o777, 0o600)
  for (const suffix of ['', '.lock']) {
    const link = `${file}-2`
    symlinkSync(victim, link + suffix)
    assert.throws(() => new Checkpoint(link), /checkpoint cannot be used: .* is a symbolic link/)
    rmSync(link + suffix)
  }
})

test('what stands where a checkpoint keeps its own files is named before anything is done', (context) => {
  const file = fileIn(context)
  writeFileSync(`${file}.lock`, 'notes of somebody, and no database'.repeat(100))
  assert.throws(
    () => new Checkpoint(file),
    /checkpoint cannot be used: .*\.lock, which .*: remove it/,
  )
  assert.match(readFileSync(`${file}.lock`, 'utf8'), /^notes/)
  rmSync(`${file}.lock`)
  mkdirSync(`${file}.tmp`)
  assert.throws(() => new Checkpoint(file), /\.tmp, which .*is a directory: remove it/)
})
