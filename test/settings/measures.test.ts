import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { durationMs, sizeBytes } from '../../src/settings/measures.ts'

test('durations are as people write them, of one unit or several', () => {
  for (const [text, ms] of [
    ['500ms', 500],
    ['45s', 45_000],
    ['1.5h', 5_400_000],
    ['1h30m', 5_400_000],
    ['1h30min', 5_400_000],
    ['2d12h', 216_000_000],
    ['2w', 1_209_600_000],
    ['0s', 0],
  ] as const)
    assert.equal(durationMs(text), ms, text)
  for (const text of [
    '',
    '5',
    's',
    '5 m',
    '1h30',
    '-1s',
    '1e3s',
    '5x',
    '1mo',
    '1..5s',
    '٣s',
    '1s'.repeat(9),
  ])
    assert.equal(durationMs(text), null, text)
})

test('sizes are as people write them: kB by a thousand, KiB and K by 1024', () => {
  for (const [text, bytes] of [
    ['512', 512],
    ['512B', 512],
    ['10MB', 10_000_000],
    ['10 MB', 10_000_000],
    ['64KiB', 65_536],
    ['64k', 65_536],
    ['1.5GiB', 1_610_612_736],
    ['2g', 2_147_483_648],
  ] as const)
    assert.equal(sizeBytes(text), bytes, text)
  for (const text of ['', 'MB', '5TB', '-1', '1e3', '5 5', '1.', '1MiBs'])
    assert.equal(sizeBytes(text), null, text)
})

test('whatever is asked, the answer is a number from 0 or null', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const value of [durationMs(text), sizeBytes(text)])
        assert.ok(value === null || value >= 0, text)
    }),
  )
})
