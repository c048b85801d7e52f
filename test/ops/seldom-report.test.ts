import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { SeldomReport } from '../../src/ops/seldom-report.ts'

test('trouble is told at once, and what comes within a minute is counted and told by its newest message', (t) => {
  const { report, lines, pass } = started(t)
  report.add('full')
  assert.deepEqual(lines, ['error full'])
  for (let i = 1; i <= 1_000; i++) report.add(`full ${i}`)
  pass(59_999)
  assert.deepEqual(lines, ['error full'])
  pass(1)
  assert.deepEqual(lines, [
    'error full',
    'error full 1000 (the newest of 1000 such messages within a minute)',
  ])
})

test('trouble that never ends is told once a minute', (t) => {
  const { report, lines, pass } = started(t)
  for (let second = 0; second <= 600; second++) {
    report.add('full')
    pass(1_000)
  }
  assert.equal(lines.length, 11)
})

test('after a quiet minute trouble is told at once again', (t) => {
  const { report, lines, pass } = started(t)
  report.add('first')
  pass(60_000)
  report.add('second')
  assert.deepEqual(lines, ['error first', 'error second'])
})

test('the end of trouble is told at once', (t) => {
  const { report, lines, pass } = started(t)
  report.add('full')
  report.over('free')
  assert.deepEqual(lines, ['error full', 'info free'])
  pass(3_600_000)
  report.add('full')
  pass(3_600_000)
  report.over('free')
  assert.deepEqual(lines, ['error full', 'info free', 'error full', 'info free'])
})

test('trouble that comes and goes is told a few times a minute, and the last line is what holds in the end', (t) => {
  for (const endsWell of [true, false]) {
    const { report, lines, pass } = started(t)
    for (let second = 0; second < 300; second++) {
      report.add('full')
      report.over('free')
      pass(1_000)
    }
    if (!endsWell) report.add('full')
    pass(120_000)
    assert.match(lines.at(-1)!, endsWell ? /^info free/ : /^error full/)
    assert.ok(lines.length <= 2 * 7, lines.join('\n'))
    t.mock.timers.reset()
  }
})

test('troubles with keys of their own do not hide each other', (t) => {
  const { report, lines, pass } = started(t)
  for (let i = 0; i < 10; i++) {
    report.add('a bug here', 'here')
    report.add('a bug there', 'there')
  }
  assert.deepEqual(lines, ['error a bug here', 'error a bug there'])
  pass(60_000)
  assert.deepEqual(lines.slice(2), [
    'error a bug here (the newest of 9 such messages within a minute)',
    'error a bug there (the newest of 9 such messages within a minute)',
  ])
})

test('keys without end fill neither the log nor memory', (t) => {
  const { report, lines } = started(t)
  for (let i = 0; i < 10_000; i++) report.add(`bug ${i}`, `key ${i}`)
  assert.equal(lines.length, 101)
})

test('a report keeps no process running', async () => {
  // A timer that did would let this file run into its time-out.
  new SeldomReport(() => {}, 'error').add('full')
})

function started(t: TestContext) {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const lines: string[] = []
  const report = new SeldomReport((level, message) => lines.push(`${level} ${message}`), 'error')
  return { report, lines, pass: (ms: number) => t.mock.timers.tick(ms) }
}
