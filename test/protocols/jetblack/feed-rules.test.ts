import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FeedRules, matchesPattern } from '../../../src/protocols/jetblack/feed-rules.ts'

test('a pattern is of the whole name, and case counts', () => {
  for (const [pattern, matching, others] of [
    ['LSE', ['LSE'], ['LSEX', 'XLSE', 'lse', '']],
    ['LSE*', ['LSE', 'LSE.VOD', 'LSE\n'], ['XLSE']],
    ['?', ['a', '😀', '*'], ['', 'ab']],
    ['*', ['', 'anything'], []],
    ['a*b*c', ['abc', 'a--b--b--c'], ['acb', 'abcd']],
    ['a.c', ['a.c'], ['abc']],
  ] as const) {
    for (const name of matching) assert.ok(matchesPattern(pattern, name), `${pattern} ${name}`)
    for (const name of others) assert.ok(!matchesPattern(pattern, name), `${pattern} ${name}`)
  }
})

test('it says what a regular expression would say', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 })
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 })
  fc.assert(
    fc.property(pattern, text, (wanted, given) => {
      const source = wanted.replaceAll('*', '.*').replaceAll('?', '.')
      assert.equal(matchesPattern(wanted, given), new RegExp(`^${source}$`).test(given))
    }),
    { numRuns: 2_000 },
  )
})

const NONE = {
  subscribe: [],
  publish: [],
  notify: [],
  authorize: [],
  entitlements: [],
  image: 'none',
} as const

test('the first pattern that matches decides; where none does, everybody may do everything', () => {
  const rules = new FeedRules([
    ['LSE', { ...NONE, subscribe: 'any', publish: ['tom'] }],
    ['L*', NONE],
  ])
  assert.ok(rules.allows('publish', 'LSE', 'tom'))
  assert.ok(!rules.allows('publish', 'LSE', 'nobody'))
  assert.ok(rules.allows('subscribe', 'LSE', 'nobody'))
  assert.ok(!rules.allows('notify', 'LSE', 'tom'))
  assert.ok(!rules.allows('subscribe', 'LX', 'tom'))
  assert.ok(rules.allows('publish', 'other', 'nobody'))
  assert.ok(!rules.allows('authorize', 'other', 'nobody'))
  assert.ok(!rules.hasAuthorisers('other'))
})

test('what the server says of itself may be heard by all and said by nobody, whatever a pattern says', () => {
  const rules = new FeedRules([
    ['*', { ...NONE, publish: ['tom'], notify: ['tom'], authorize: ['tom'], image: 'last' }],
  ])
  assert.ok(rules.allows('subscribe', '__admin__', 'nobody'))
  assert.ok(!rules.allows('publish', '__admin__', 'tom'))
  assert.ok(!rules.allows('notify', '__admin__', 'tom'))
  assert.ok(!rules.hasAuthorisers('__admin__'))
  assert.ok(!rules.showsLast('__admin__'))
  assert.ok(rules.hasAuthorisers('other'))
  assert.ok(rules.showsLast('other'))
})
