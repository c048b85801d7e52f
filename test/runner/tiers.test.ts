import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { PROGRAM_NAMES, PROGRAMS } from '../programs.ts'
import { covers, NAMED, TEST_FOLDER, testFiles, tierOf } from './tiers.ts'

/** An import of a file of ours, type-only ones left out: they run nothing. */
const IMPORT = /(?:^import (?!type )|\bimport\s*\()[^'"]*['"](\.[^'"]+)['"]/gm

/** A program is asked for, or begun without asking. */
const PROGRAM = new RegExp(
  `(?:missing|(?:spawn|exec)\\w*)\\(\\s*'(?:/usr/sbin/)?(${PROGRAM_NAMES.join('|')})'`,
  'g',
)

/** Programs that a file needs, itself or by what it imports of `test/`, and that a usual Debian lacks. */
function specialPrograms(file: string, seen = new Set<string>()): string[] {
  if (seen.has(file) || !existsSync(file)) return []
  seen.add(file)
  const text = readFileSync(file, 'utf8')
  const own = PROGRAM_NAMES.filter(
    (name) =>
      !PROGRAMS[name].isUsual && [...text.matchAll(PROGRAM)].some(([, found]) => found === name),
  )
  const imported = [...text.matchAll(IMPORT)].map(([, path]) => join(dirname(file), path!))
  return [...own, ...imported.flatMap((path) => specialPrograms(path, seen))]
}

test('a file that needs what a usual Debian lacks is not in the quick tier', () => {
  const wrong = testFiles()
    .filter((file) => tierOf(file) === 'quick')
    .map((file) => [file, specialPrograms(join(TEST_FOLDER, file))] as const)
    .filter(([, programs]) => programs.length > 0)
  assert.deepEqual(wrong, [])
})

test('what a file needs is found in what it imports, too', () => {
  assert.deepEqual(specialPrograms(join(TEST_FOLDER, 'http/stream/waits-proxies.test.ts')), [
    'apache',
    'caddy',
    'haproxy',
    'nginx',
  ])
  assert.deepEqual(specialPrograms(join(TEST_FOLDER, 'clients/curl.test.ts')), [])
})

test('what is left out of the quick tier is there, and each file is named once', () => {
  const files = testFiles()
  for (const name of NAMED)
    assert.ok(
      files.some((file) => covers(name, file)),
      `${name} has no test`,
    )
  for (const file of files)
    assert.ok(NAMED.filter((name) => covers(name, file)).length <= 1, `${file} is named twice`)
})
