import assert from 'node:assert/strict'
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkPlace } from '../../src/cli/own-place.ts'
import { TemporaryFiles } from '../config/temporary-files.ts'

test('a file of ours, or none, in a directory of ours is right', () => {
  using files = new TemporaryFiles()
  checkPlace(files.write('file', ''))
  checkPlace(join(files.directory, 'none'))
})

test('a directory that is not there is told, with the file that was to be in it', () => {
  assert.throws(
    () => checkPlace('none/pid'),
    /there is no directory none for none\/pid: make it, or name another file/,
  )
})

test('a symbolic link is refused, and so is what is no file', () => {
  using files = new TemporaryFiles()
  const link = join(files.directory, 'link')
  symlinkSync('nowhere', link)
  assert.throws(() => checkPlace(link), /link is a symbolic link: name the file/)
  mkdirSync(join(files.directory, 'folder'))
  assert.throws(() => checkPlace(join(files.directory, 'folder')), /folder is no ordinary file/)
})

test('a directory that anybody may write to is refused, unless none removes the files of others there', () => {
  using files = new TemporaryFiles()
  const file = files.write('file', '')
  chmodSync(files.directory, 0o777)
  assert.throws(() => checkPlace(file), /may be written by anybody.*: chmod o-w \//)
  chmodSync(files.directory, 0o1777)
  checkPlace(file)
})

test(
  'in a directory for all the file of another user is refused',
  { skip: process.getuid?.() === 0 ? false : 'only root can give a file away' },
  () => {
    using files = new TemporaryFiles()
    const file = files.write('file', '')
    writeFileSync(file, 'a cursor')
    chownSync(file, 12_345, 12_345)
    checkPlace(file)
    chmodSync(files.directory, 0o1777)
    assert.throws(() => checkPlace(file), /belongs to another user/)
  },
)
