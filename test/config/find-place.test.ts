import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { placesIn } from '../../src/config/find-place.ts'

const directory = mkdtempSync(join(tmpdir(), 'pubsubd-test-'))
after(() => rmSync(directory, { recursive: true }))

function places(text: string) {
  const file = join(directory, 'a.yaml')
  writeFileSync(file, text)
  const whereIs = placesIn(file)
  return (...path: (string | number)[]) => whereIs(path).replace(file, 'a.yaml')
}

test('a key and an item of a list are found where they stand', () => {
  const whereIs = places('a:\n  b: 1\n  list:\n    - x\n    - c: 2\nd: {e: 3}\n')
  assert.equal(whereIs('a'), 'a.yaml, line 1, column 1')
  assert.equal(whereIs('a', 'b'), 'a.yaml, line 2, column 3')
  assert.equal(whereIs('a', 'list', 1), 'a.yaml, line 5, column 7')
  assert.equal(whereIs('a', 'list', 1, 'c'), 'a.yaml, line 5, column 7')
  assert.equal(whereIs('d', 'e'), 'a.yaml, line 6, column 5')
})

test('what is not there is told by the innermost thing around where it would be', () => {
  const whereIs = places('a:\n  b: 1\n  list:\n    - x\n')
  assert.equal(whereIs(), 'a.yaml, line 1, column 1')
  assert.equal(whereIs('z'), 'a.yaml, line 1, column 1')
  assert.equal(whereIs('a', 'z', 'y'), 'a.yaml, line 1, column 1')
  assert.equal(whereIs('a', 'b', 'c'), 'a.yaml, line 2, column 3')
  assert.equal(whereIs('a', 'list', 7), 'a.yaml, line 3, column 3')
  assert.equal(whereIs('a', 'list', 'length'), 'a.yaml, line 3, column 3')
  assert.equal(whereIs('a', 0), 'a.yaml, line 1, column 1')
})

test('of a file that is not there, or that cannot be read, its name is all that is told', () => {
  assert.equal(placesIn('missing.yaml')(['a']), 'missing.yaml')
  assert.equal(places('a: [')('a'), 'a.yaml')
})
