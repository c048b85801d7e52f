import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseDuration } from '../../src/cli/duration.ts'

test('a duration has a unit, or is in seconds', () => {
  for (const [text, ms] of [
    ['0', 0],
    ['500ms', 500],
    ['30', 30_000],
    ['1.5', 1_500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['0.5h', 1_800_000],
    ['24d', 2_073_600_000],
  ] as const)
    assert.equal(parseDuration('--for', text), ms, text)
})

test('every duration that is taken is one that a timer can wait', () => {
  const texts = fc
    .tuple(fc.double({ min: 0, max: 1e12 }), fc.constantFrom('', 'ms', 's', 'm', 'h', 'd'))
    .map(([number, unit]) => `${number.toFixed(2)}${unit}`)
  fc.assert(
    fc.property(texts, (text) => {
      let ms: number
      try {
        ms = parseDuration('--for', text)
      } catch {
        return
      }
      assert.ok(ms >= 0 && ms < 2 ** 31, `${text}: ${ms}`)
    }),
  )
})

test('anything else is refused, with the option and what it takes', () => {
  for (const text of [
    '',
    's',
    '-1',
    '1e3',
    '5 m',
    '5M',
    '25d',
    '1.',
    '.5',
    '1s2',
    '٣',
    '9'.repeat(99),
  ])
    assert.throws(() => parseDuration('--for', text), {
      message: `--for takes a duration such as 30s, 5m or 1h30m, of at most 24d, not ${JSON.stringify(text)}`,
    })
})
