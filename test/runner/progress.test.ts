import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Progress } from './progress.ts'

class Output {
  readonly isTTY: boolean
  readonly columns = 40
  text = ''

  constructor(isTTY: boolean) {
    this.isTTY = isTTY
  }

  write(text: string): void {
    this.text += text
  }
}

const RESULT = { file: 'test/a.test.ts', durationMs: 1, passed: 3, skipped: [], printed: '' }

test('in a log a line comes every ten seconds, and one for each failure at once', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const output = new Output(false)
  const progress = new Progress(output, 7)
  progress.began('test/a.test.ts')
  progress.began('test/b.test.ts')
  progress.ended({ ...RESULT, failures: [{ name: 'what', error: '' }] })
  assert.equal(output.text, 'FAILED test/a.test.ts: what\n')
  t.mock.timers.tick(9_999)
  assert.equal(output.text, 'FAILED test/a.test.ts: what\n')
  t.mock.timers.tick(1)
  assert.match(
    output.text,
    /what\n\d+:\d\d {2}1 of 7 files, 3 passed, 1 failed\. Running: b\.test\.ts\n$/,
  )
  progress[Symbol.dispose]()
  t.mock.timers.tick(60_000)
  assert.equal(output.text.split('\n').length, 3)
})

test('on a terminal one line changes, is never wider than that, and is gone at the end', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const output = new Output(true)
  const progress = new Progress(output, 100)
  progress.began('test/a-file-with-a-long-name.test.ts')
  t.mock.timers.tick(1_000)
  progress[Symbol.dispose]()
  assert.doesNotMatch(output.text, /\n/)
  const shown = output.text.split('\r\u001b[K')
  assert.equal(shown.at(-1), '')
  assert.ok(shown.length > 2 && shown.every((line) => line.length < 40))
})
