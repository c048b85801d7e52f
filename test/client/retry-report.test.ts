import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RetryReport } from '../../src/client/retry-report.ts'

test('tries that fail one after another are one line a minute, and what fails anew is told at once', (t) => {
  let nowMs = 0
  t.mock.method(performance, 'now', () => nowMs)
  const told: string[] = []
  const report = new RetryReport((sentence) => told.push(sentence))
  for (; nowMs < 130_000; nowMs += 10_000) report.add('no server', 1_500)
  assert.deepEqual(told, [
    'no server; trying again in 1.5 s',
    'no server; trying again in 1.5 s (5 tries since the last such line)',
    'no server; trying again in 1.5 s (5 tries since the last such line)',
  ])
  report.over()
  report.add('another', 500)
  assert.equal(told.at(-1), 'another; trying again in 0.5 s')
  report.add('not for long', 90_000)
  assert.equal(told.at(-1), 'not for long; trying again in 90.0 s')
})
