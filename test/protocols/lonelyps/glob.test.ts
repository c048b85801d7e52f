import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compileGlob } from '../../../src/protocols/lonelyps/glob.ts'
import { vectorsOf } from '../../conformance/lonelyps/vectors.ts'

for (const vector of vectorsOf('glob'))
  test(`${vector.name} matches what either of Python's translators matches`, () => {
    const { pattern, topics } = vector.fields as { pattern: string; topics: string[] }
    const matches = compileGlob(pattern)
    const wanted = new Set([
      ...vector.python_fnmatch!.matches,
      ...vector.python_glob_translate_3_13!.matches,
    ])
    assert.deepEqual(
      topics.filter(matches),
      topics.filter((topic) => wanted.has(topic)),
    )
  })

test('a glob without wildcards matches itself only', () => {
  const plain = fc.string({
    unit: fc.constantFrom('a', 'b', '/', 'é', '😀', '^', '-'),
    maxLength: 8,
  })
  fc.assert(
    fc.property(plain, plain, (pattern, topic) => {
      assert.equal(compileGlob(pattern)(topic), pattern === topic)
    }),
  )
})

test('stars and question marks match as the plain definition says', () => {
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 })
  const topic = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 })
  const naive = (glob: string, text: string): boolean => {
    if (glob === '') return text === ''
    if (glob[0] === '*')
      return naive(glob.slice(1), text) || (text !== '' && naive(glob, text.slice(1)))
    return (
      text !== '' && (glob[0] === '?' || glob[0] === text[0]) && naive(glob.slice(1), text.slice(1))
    )
  }
  fc.assert(
    fc.property(pattern, topic, (glob, text) => {
      assert.equal(compileGlob(glob)(text), naive(glob, text))
    }),
    { numRuns: 500 },
  )
})

test('long globs match as their parts do, wherever a part begins', () => {
  const part = fc.constantFrom('a', 'b', '?', '[ab]', '[!b]', 'é', '😀', '[é-😀]')
  const takes: Readonly<Record<string, string>> = {
    a: 'a',
    b: 'b',
    '?': 'ab😀',
    '[ab]': 'ab',
    '[!b]': 'aé',
    é: 'é',
    '😀': '😀',
    '[é-😀]': 'é中😀',
  }
  fc.assert(
    fc.property(fc.array(part, { maxLength: 100 }), fc.nat(), fc.nat(), (parts, seed, at) => {
      const fitting = parts.map((each, i) => {
        const characters = Array.from(takes[each]!)
        return characters[(seed + i) % characters.length]!
      })
      const glob = parts.join('')
      if (Array.from(glob).length > 256) return
      assert.equal(compileGlob(glob)(fitting.join('')), true)
      assert.equal(compileGlob(`*${glob}*`)(`x${fitting.join('')}y`), true)
      if (parts.length === 0) return
      const wrong = fitting.with(at % parts.length, '~')
      const isTaken = ['?', '[!b]'].includes(parts[at % parts.length]!)
      assert.equal(compileGlob(glob)(wrong.join('')), isTaken)
    }),
  )
})

test('two stars in segments match any number of them, none included', () => {
  const depth = 60 // so that the places lie in several words
  const glob = `${'**/a/'.repeat(depth).slice(0, 250)}**`
  const segments = glob.split('/').filter((segment) => segment === 'a').length
  const matches = compileGlob(glob)
  assert.equal(matches(`${'a/'.repeat(segments)}x`), true)
  assert.equal(matches(`${'b/c/a/'.repeat(segments)}x`), true)
  assert.equal(matches(`${'a/'.repeat(segments - 1)}x`), false)
})

for (const [pattern, yes, no] of [
  ['[!]', ['[!]'], ['a']],
  ['[]]', [']'], ['[]]']],
  ['[b-a]', [], ['a', 'b', '-']],
  ['[b-a!x]', ['a', '!'], ['x']],
  ['[b-a!]', ['a', '!'], ['']],
  ['[b-a!-x]', ['a', '!'], ['-', 'x']],
  ['[b-a^x]', ['^', 'x'], ['a']],
  ['[a-]', ['a', '-'], ['b']],
  ['[!a-c]', ['d'], ['b']],
  ['[a-c-e]', ['b', '-', 'e'], ['d']],
  ['?', ['😀'], ['ab']],
  ['**/a/**', ['a/b', 'x/a/y/z', 'a/'], ['b']],
] as const)
  test(`${pattern} reads its class as Python does`, () => {
    const matches = compileGlob(pattern)
    for (const topic of yes) assert.ok(matches(topic), topic)
    for (const topic of no) assert.ok(!matches(topic), topic)
  })

test('a pattern made to be slow is not', () => {
  const matches = compileGlob(`${'*a'.repeat(100)}b`)
  const started = process.cpuUsage()
  assert.equal(matches('a'.repeat(3_000)), false)
  const { user } = process.cpuUsage(started)
  assert.ok(user < 5_000_000, `${user} us; trying every way would not end at all`)
})

test('a glob that is too long is refused', () => {
  assert.throws(() => compileGlob('a'.repeat(257)), /257 characters, the limit is 256/)
})
