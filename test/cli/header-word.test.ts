import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseHeaderWord } from '../../src/cli/header-word.ts'

test('what is taken can stand in a header as it is', () => {
  const word = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.string({ minLength: 1, maxLength: 260 }),
    fc.constantFrom('', 'a\r\nb: c', 'a\n', '\0', 'a b', 'é'),
  )
  fc.assert(
    fc.property(word, (text) => {
      const isWord = /^[\x21-\x7e]+$/.test(text) && !text.endsWith('\n') && text.length <= 255
      if (isWord) assert.equal(parseHeaderWord('--key', text), text)
      else
        assert.throws(() => parseHeaderWord('--key', text), {
          message: '--key has 1 to 255 visible characters of ASCII, without spaces',
        })
    }),
  )
})
