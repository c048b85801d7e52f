import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { lowerAscii, upperAscii } from '../../src/where/ascii-case.ts'

test('letters of ASCII change their case, and no other character is touched', () => {
  const character = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    // Others change with JavaScript's own functions, or share a byte with a letter of ASCII.
    fc.constantFrom(
      'A',
      'Z',
      'a',
      'z',
      '@',
      '[',
      '`',
      '{',
      'É',
      'é',
      'ß',
      'İ',
      'ŉ',
      'ſ',
      'K',
      'Ł',
      '\ud841',
      '🅰',
    ),
  )
  const property = fc.property(fc.array(character), (characters) => {
    const expected = (change: (letter: string) => string) =>
      characters.map((each) => (isAscii(each) ? change(each) : each)).join('')
    const text = characters.join('')
    assert.equal(
      lowerAscii(text),
      expected((letter) => letter.toLowerCase()),
    )
    assert.equal(
      upperAscii(text),
      expected((letter) => letter.toUpperCase()),
    )
  })
  fc.assert(property, { numRuns: 2_000 })
})

function isAscii(character: string): boolean {
  return character.length === 1 && character < '\u0080'
}
