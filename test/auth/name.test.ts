import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { isSameName, NAME_COMPARED_MAX, nameKey, sameNamesIn } from '../../src/auth/name.ts'

test('case, outer and repeated spaces, forms of one character and invisible ones do not make another name', () => {
  for (const [name, ...spellings] of [
    [
      'carol',
      'Carol',
      'CAROL',
      ' carol',
      'carol ',
      '\tcarol\r\n',
      '\u3000carol\u00a0',
      '\u0085carol',
    ],
    [
      'carol',
      'ｃａｒｏｌ',
      'ＣＡＲＯＬ',
      '𝒸𝒶𝓇ℴ𝓁',
      'ⓒⓐⓡⓞⓛ',
      'caroⅬ',
      'ca\u00ad\u200drol',
      '\ufeffcarol',
    ],
    [
      'carol',
      'ca\u0000rol',
      'carol\u007f',
      'c\u034farol',
      'ca\ufe0frol',
      'ca\u{e0061}rol',
      'carol\u202e',
    ],
    ['jim', 'JİM', 'jım', 'JIM'],
    ['strasse', 'STRASSE', 'straße', 'STRAẞE', 'ſtraſſe'],
    ['jürgen', 'Ju\u0308rgen', 'JÜRGEN'],
    ['οδοσ', 'ΟΔΟΣ', 'οδος'],
    ['fischer', 'ﬁscher', 'FISCHER'],
    ['de la cruz', 'De  La\u2003Cruz', ' DE \t LA CRUZ '],
    ['', ' ', '\u200b'],
  ] as const)
    for (const spelling of spellings) {
      assert.equal(nameKey(spelling), nameKey(name), `${JSON.stringify(spelling)} and ${name}`)
      assert.ok(isSameName(name, spelling))
    }
})

test('other names are other names', () => {
  for (const [name, other] of [
    ['carol', 'carole'],
    ['carol', 'car ol'],
    ['carol', 'carol.'],
    ['carol', 'cárol'],
    ['carol', 'саrol'], // Cyrillic
    ['carol', 'carol@example.org'],
    ['carol', '__proto__'],
    ['carol', ''],
  ] as const)
    assert.ok(!isSameName(name, other), other)
})

test('the key of a key is itself', () => {
  const text = fc.oneof(
    fc
      .array(fc.nat({ max: 0x10_ffff }), { maxLength: 20 })
      .map((codes) => String.fromCodePoint(...codes)),
    fc.string({
      unit: fc.constantFrom(...'aAſßẞıİiς\u0345\u0307ŉᾳﷺ \u00ad\u1e9b\u0323'.split('')),
      maxLength: 10,
    }),
  )
  fc.assert(
    fc.property(text, (name) => assert.equal(nameKey(nameKey(name)), nameKey(name))),
    { numRuns: 2_000 },
  )
  for (const [first, last] of SCRIPTS_WITH_FORMS)
    for (let code = first; code <= last; code++) {
      const key = nameKey(`x${String.fromCodePoint(code)}y`)
      if (nameKey(key) !== key) assert.fail(code.toString(16))
    }
})

/** Where characters have several forms or cases, or are not seen. */
const SCRIPTS_WITH_FORMS = [
  [0, 0x1fff],
  [0x2000, 0x33ff],
  [0xa640, 0xabff],
  [0xf900, 0xffff],
  [0x10400, 0x105ff],
  [0x1d400, 0x1d7ff],
  [0x1e900, 0x1f2ff],
  [0xe0000, 0xe01ff],
] as const

test('a name that is too long to be one is compared as it is, however it is made', () => {
  const long = `a${'\u0301\u0323'.repeat(30_000)}`
  assert.equal(nameKey(long), long)
  assert.ok(isSameName('A'.repeat(NAME_COMPARED_MAX), 'a'.repeat(NAME_COMPARED_MAX)))
  assert.ok(!isSameName('A'.repeat(NAME_COMPARED_MAX + 1), 'a'.repeat(NAME_COMPARED_MAX + 1)))
})

test('two names of a list that are the same are found', () => {
  assert.equal(sameNamesIn(['alice', 'bob', '']), null)
  assert.deepEqual(sameNamesIn(['alice', 'Carol', 'bob', 'carol', 'ＢＯＢ']), ['Carol', 'carol'])
})
