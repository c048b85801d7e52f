import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BugReport, stackOf } from '../../src/ops/bug-report.ts'

test('a bug is logged with its stack, and what was going on; of one place seldom, of another at once', () => {
  const lines: string[] = []
  const report = new BugReport((level, message) => lines.push(`${level} ${message}`))
  for (let n = 0; n < 5; n++) report.add('delivering a round', thrown(`bug ${n}`))
  report.add('answering', thrown('another'))
  report.add('answering', new Error('elsewhere'))
  assert.equal(lines.length, 3)
  assert.match(
    lines[0]!,
    /^error bug while delivering a round: TypeError: bug 0\n +at .*bug-report\.test\.ts.*caused by Error: deeper/s,
  )
})

test('whatever is thrown can be shown', () => {
  assert.equal(stackOf('text'), 'text')
  assert.equal(stackOf(undefined), 'undefined')
  assert.equal(stackOf(Object.create(null)), 'a object that cannot be shown')
  const bare = new Error('without a stack')
  delete bare.stack
  assert.equal(stackOf(bare), 'without a stack')
})

function thrown(text: string): Error {
  return new TypeError(text, { cause: new Error('deeper') })
}
