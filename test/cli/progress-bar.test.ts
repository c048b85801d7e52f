import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProgressBar } from '../../src/cli/progress-bar.ts'

class FakeTerminal {
  readonly columns = 60
  readonly isTTY: boolean
  readonly written: string[] = []

  constructor(isTTY = true) {
    this.isTTY = isTTY
  }

  write(text: string): boolean {
    this.written.push(text)
    return true
  }
}

test('a long command shows how far it is, and leaves a clean line', () => {
  const terminal = new FakeTerminal()
  let nowMs = 0
  {
    using bar = new ProgressBar('copying', terminal, () => nowMs)
    for (nowMs = 0; nowMs <= 1_000; nowMs += 50) bar.show(nowMs, 2_000, 'of pages')
  }
  assert.equal(terminal.written.length, 6)
  assert.equal(
    terminal.written[4],
    '\r\u001b[Kcopying [###############...............] 50 %  of pages',
  )
  assert.equal(terminal.written.at(-1), '\r\u001b[K')
})

test('a line is never longer than the terminal', () => {
  const terminal = new FakeTerminal()
  let nowMs = 0
  using bar = new ProgressBar('copying', terminal, () => nowMs)
  nowMs = 1_000
  bar.show(1, 2, 'x'.repeat(200))
  assert.equal(terminal.written[0]!.length, '\r\u001b[K'.length + 59)
})

test('nothing is shown of a short command, or where there is no terminal', () => {
  for (const terminal of [new FakeTerminal(), new FakeTerminal(false)]) {
    let nowMs = 0
    {
      using bar = new ProgressBar('copying', terminal, () => nowMs)
      nowMs = terminal.isTTY ? 100 : 10_000
      bar.show(1, 2)
    }
    assert.deepEqual(terminal.written, [])
  }
})

test('where the end is unknown, only the count moves', () => {
  const terminal = new FakeTerminal()
  let nowMs = 0
  using bar = new ProgressBar('importing', terminal, () => nowMs)
  nowMs = 1_000
  bar.show(17, 0, '17 bytes')
  assert.equal(terminal.written[0], '\r\u001b[Kimporting  17 bytes')
})
