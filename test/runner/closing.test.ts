import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closingOf } from './closing.ts'

const GOOD = {
  file: 'test/good.test.ts',
  durationMs: 1_234,
  passed: 3,
  skipped: ['go is not here', 'go is not here'],
  failures: [],
  printed: 'a figure\n',
}
const BAD = {
  file: 'test/bad.test.ts',
  durationMs: 61_000,
  passed: 1,
  skipped: ['go is not here'],
  failures: [{ name: 'group > what', error: 'Error: why\n    at there' }],
  printed: '',
}

test('slow files come first, each reason to skip once, then failures in full, and last how many of each', () => {
  assert.equal(
    closingOf([GOOD, BAD], 62_000),
    `Slowest files:
    61.0 s  test/bad.test.ts
     1.2 s  test/good.test.ts

Skipped:
  go is not here (test/good.test.ts, test/bad.test.ts)

FAILED test/bad.test.ts: group > what
  Error: why
      at there
Alone: npm test -- test/bad.test.ts

2 files in 1:02
4 passed, 1 failed, 3 skipped
`,
  )
})

test('figures that tests print are told where results are wanted', () => {
  assert.match(closingOf([GOOD], 1, true), /^test\/good\.test\.ts\n {2}a figure\n$/m)
  assert.doesNotMatch(closingOf([GOOD], 1), /a figure/)
})
