import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { test } from 'node:test'
import { openFiles, openFilesMax } from '../../src/ops/open-files.ts'

const MODULE = new URL('../../src/ops/open-files.ts', import.meta.url).href

test('the limit is that of the process', () => {
  for (const limit of [64, 1_000]) {
    const script = `console.log((await import(${JSON.stringify(MODULE)})).openFilesMax())`
    const words = ['-c', `ulimit -n ${limit}; exec "$0" --input-type=module -e "$1"`]
    const printed = execFileSync('sh', [...words, process.execPath, script], { encoding: 'utf8' })
    assert.equal(printed, `${limit}\n`)
  }
})

test('a file that is opened counts', () => {
  const before = openFiles()
  const descriptor = openSync(process.execPath, 'r')
  const after = openFiles()
  closeSync(descriptor)
  assert.equal(after, before + 1)
  assert.ok(before < (openFilesMax() ?? Infinity))
})
