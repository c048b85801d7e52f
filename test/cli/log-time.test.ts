import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageError } from '../../src/cli/arguments.ts'
import { parseTime } from '../../src/cli/log-time.ts'

const NOW_MS = Date.UTC(2026, 4, 17, 12, 30)

const timeAgo = (ms: number) => NOW_MS - ms

test('a time is a date, seconds since 1970, or how long ago', () => {
  for (const [text, ms] of [
    ['2026-05-17', Date.UTC(2026, 4, 17)],
    ['2026-05-17T12:30:00Z', NOW_MS],
    ['2026-05-17T14:30:00+02:00', NOW_MS],
    ['2026-05-17T12:30:00', new Date(2026, 4, 17, 12, 30).getTime()],
    ['0', 0],
    ['1588132959.5', 1_588_132_959_500],
    ['45s', NOW_MS - 45_000],
    ['30m', NOW_MS - 1_800_000],
    ['12h', NOW_MS - 43_200_000],
    ['7d', NOW_MS - 604_800_000],
  ] as const)
    assert.equal(parseTime(text, timeAgo), ms, text)
})

test('what is none is refused with what can be written', () => {
  for (const text of [
    '',
    'now',
    'yesterday',
    '5 m',
    '-5m',
    '2026-5-17',
    '2026-13-01',
    'May 17',
    '1e9',
  ])
    assert.throws(() => parseTime(text, timeAgo), UsageError, text)
  assert.throws(() => parseTime('soon', timeAgo), {
    message: /^"soon" is no time; write 2026-05-17/,
  })
})
