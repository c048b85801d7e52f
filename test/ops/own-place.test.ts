import assert from 'node:assert/strict'
import {
  chmodSync,
  chownSync,
  lchownSync,
  linkSync,
  mkdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkDirectory, checkPlace } from '../../src/ops/own-place.ts'
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

test('a file that has another name is refused', () => {
  using files = new TemporaryFiles()
  const file = files.write('file', 'of somebody')
  const link = join(files.directory, 'link')
  linkSync(file, link)
  for (const each of [file, link])
    assert.throws(() => checkPlace(each), /has 2 names \(hard links\).*: remove it/)
})

test('a directory to fill may be missing, or a symbolic link where nobody else can replace it', () => {
  using files = new TemporaryFiles()
  const directory = join(files.directory, 'store')
  checkDirectory(directory)
  checkDirectory(join(directory, 'deeper'))
  mkdirSync(directory)
  checkDirectory(directory)
  const link = join(files.directory, 'link')
  symlinkSync(directory, link)
  checkDirectory(link)
  chmodSync(files.directory, 0o1777)
  checkDirectory(link)
})

test('a directory to fill that others could fill or replace is refused', () => {
  using files = new TemporaryFiles()
  const directory = join(files.directory, 'store')
  mkdirSync(directory)
  for (const mode of [0o777, 0o1777, 0o702]) {
    chmodSync(directory, mode)
    assert.throws(
      () => checkDirectory(directory),
      /store may be written by anybody.*: chmod o-w \//,
    )
  }
  chmodSync(directory, 0o755)
  chmodSync(files.directory, 0o777)
  assert.throws(() => checkDirectory(directory), /could replace .*store: chmod o-w \//)
  assert.throws(() => checkDirectory(join(files.directory, 'none')), /chmod o-w/)
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
    const directory = join(files.directory, 'store')
    mkdirSync(directory)
    const link = join(files.directory, 'link')
    symlinkSync('store', link)
    for (const each of [directory, link]) {
      checkDirectory(each)
      lchownSync(each, 12_345, 12_345)
      assert.throws(() => checkDirectory(each), /belongs to another user/)
    }
  },
)
