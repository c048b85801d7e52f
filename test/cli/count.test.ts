import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCount } from '../../src/cli/count.ts'

test('a count is a whole number from 1 that a number can hold exactly', () => {
  for (const [text, count] of [
    ['1', 1],
    ['007', 7],
    ['999999999999999', 999_999_999_999_999],
  ] as const)
    assert.equal(parseCount('--count', text), count)
  for (const text of ['', '0', '000', '-1', '1.5', '1e3', ' 1', '٣', '1234567890123456'])
    assert.throws(() => parseCount('--count', text), {
      message: `--count takes a number from 1, not ${JSON.stringify(text)}`,
    })
})
