import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { StatusLine } from '../../src/cli/status-line.ts'

const CLEAR = '\r\u001b[K'

/** Runs something while standard error is, or is not, a terminal of 20 columns; returns what was written there. */
function written(isTerminal: boolean, run: () => void): string {
  let text = ''
  const { stderr } = process
  const before = { isTTY: stderr.isTTY, columns: stderr.columns }
  const write = mock.method(stderr, 'write', (piece: string) => {
    text += piece
    return true
  })
  Object.assign(stderr, { isTTY: isTerminal, columns: 20 })
  mock.timers.enable({ apis: ['setInterval'] })
  try {
    run()
  } finally {
    mock.timers.reset()
    write.mock.restore()
    Object.assign(stderr, before)
  }
  return text
}

test('on a terminal messages stand above a line that says how it goes, and nothing of that is left at the end', () => {
  let n = 0
  const text = written(true, () => {
    using line = new StatusLine('listen', () => `${++n} events`)
    line.tell('connected')
    mock.timers.tick(250)
    line.tell('disconnected')
    mock.timers.tick(250)
  })
  assert.equal(
    text,
    `pubsubd listen: connected\n${CLEAR}1 events${CLEAR}pubsubd listen: disconnected\n${CLEAR}2 events${CLEAR}`,
  )
})

test('elsewhere there are only the messages', () => {
  const text = written(false, () => {
    using line = new StatusLine('listen', () => 'how it goes')
    mock.timers.tick(1_000)
    line.tell('connected')
    line.clear()
  })
  assert.equal(text, 'pubsubd listen: connected\n')
})

test('a line is shorter than the terminal, and neither it nor a message moves the cursor', () => {
  const text = written(true, () => {
    using line = new StatusLine('listen', () => `\u001b[2J${'x'.repeat(50)}`)
    mock.timers.tick(250)
    line.tell('two\nlines\r\u001b[2J')
  })
  const [, shown, message] = text.split(CLEAR)
  assert.equal(shown, `\\u001b[2J${'x'.repeat(15)}`)
  assert.equal(message, 'pubsubd listen: two lines\\u000d\\u001b[2J\n')
})
