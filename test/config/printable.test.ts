import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { printable } from '../../src/config/printable.ts'

test('whatever a file has in it, what is shown of it is one line that moves no cursor', () => {
  const text = fc.string({
    unit: fc.constantFrom(
      '\n',
      '\r',
      '\0',
      '\u001b',
      '\u202e',
      '\u2028',
      '\ud800',
      '\u{e0001}',
      'a',
      'é',
      '𝄞',
    ),
  })
  fc.assert(
    fc.property(text, (given) => {
      const shown = printable(given)
      assert.doesNotMatch(shown, /[\p{C}\p{Zl}\p{Zp}]/u)
      const back = shown.replace(/\\u\{([\da-f]+)\}/g, (_, hex: string) =>
        String.fromCodePoint(Number.parseInt(hex, 16)),
      )
      assert.equal(back, given)
    }),
  )
})
