import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import { printable } from '../../src/ops/logger.ts'

test('text without control characters stays as it is', () => {
  for (const text of ['', 'pubsub.yaml, line 1: é€😀', '"quoted" \\n', ' \u00a0'])
    assert.equal(printable(text), text)
})

test('control characters are escaped', () => {
  const escapes: Readonly<Record<string, string>> = {
    '\n': '\\n',
    '\r': '\\u{d}',
    '\0': '\\u{0}',
    '\u001b[2J': '\\u{1b}[2J',
    '\u007f': '\\u{7f}',
    '\u0085': '\\u{85}',
    '\u009b': '\\u{9b}',
    '\u2028': '\\u{2028}',
    '\u202e': '\\u{202e}', // would turn the rest of the line around
    '\u200b': '\\u{200b}',
    '\ufeff': '\\u{feff}',
    '\ud800': '\\u{d800}', // no text, and so nothing that prints
    '\u{e0001}': '\\u{e0001}',
  }
  for (const [character, escape] of Object.entries(escapes))
    assert.equal(printable(`a${character}b`), `a${escape}b`)
})

test('whatever comes is one line without control characters', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.doesNotMatch(printable(text), /[\p{C}\p{Zl}\p{Zp}]/u)
    }),
  )
})

test('a message is one line with its time and level; warnings and errors are not on standard output', () => {
  const logger = JSON.stringify(new URL('../../src/ops/logger.ts', import.meta.url).href)
  const script = `
    const { logger } = await import(${logger})
    logger('info', 'one\\nx 1970-01-01T00:00:00.000Z error forged')
    logger('warn', 'two')
    logger('error', 'three')
  `
  const run = (redirection: string) =>
    execFileSync(
      'sh',
      ['-c', `"$0" --input-type=module -e "$1" ${redirection}`, process.execPath, script],
      {
        encoding: 'utf8',
      },
    )
  const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/gm
  assert.equal(
    run('2>/dev/null').replaceAll(TIME, 'TIME'),
    'TIME info one\\nx 1970-01-01T00:00:00.000Z error forged\n',
  )
  assert.equal(run('2>&1 >/dev/null').replaceAll(TIME, 'TIME'), 'TIME warn two\nTIME error three\n')
})
