import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import Negotiator from 'negotiator'
import { mediaRanges, preferredType } from '../../../src/http/server/media-ranges.ts'

const TYPES = ['text/html', 'application/x-ndjson', 'text/event-stream', 'application/jsonl']

test('each range has its name and how much it is wanted', () => {
  assert.deepEqual(mediaRanges('text/HTML, */*;q=0.5 ,a/b ; c="d,e;q=0" ; Q=0'), [
    { name: 'text/html', quality: 1 },
    { name: '*/*', quality: 0.5 },
    { name: 'a/b', quality: 0 },
  ])
})

function names(accept: string): string[] {
  return mediaRanges(accept).map(({ name }) => name)
}

test('a quoted comma, semicolon or quote means nothing, and an open quote reaches to the end', () => {
  assert.deepEqual(names(String.raw`a/a;b=",\",;q=0", c/c;d="e, f/f`), ['a/a', 'c/c'])
  assert.deepEqual(names('a/a;b="\\'), ['a/a'])
})

test('of equally wanted types the most exactly named comes first, then the first named, then ours', () => {
  assert.equal(preferredType('text/*, application/jsonl', TYPES), 'application/jsonl')
  assert.equal(preferredType('text/event-stream, text/html', TYPES), 'text/event-stream')
  assert.equal(preferredType('text/*', TYPES), 'text/html')
  assert.equal(preferredType('*/*', TYPES.toReversed()), 'application/jsonl')
})

test('what is not wanted is not preferred, whatever a wider range says', () => {
  assert.equal(preferredType('text/html;q=0, text/*', TYPES), 'text/event-stream')
  assert.equal(preferredType('image/png', TYPES), undefined)
  assert.equal(preferredType('text/html;q=high', TYPES), undefined)
  assert.equal(preferredType('', TYPES), undefined)
})

/** What sends an `Accept` that makes sense, in the words of RFC 9110 §12.5.1. */
const space = fc.constantFrom('', '', ' ', '\t', '  ')
const parameter = fc
  .tuple(space, space, fc.constantFrom('charset=utf-8', 'level=1', 'a="b"', 'a="b,c;q=0"', 'v=b3'))
  .map(([before, behind, text]) => `${before};${behind}${text}`)
const weight = fc
  .tuple(
    space,
    space,
    fc.constantFrom('q', 'Q'),
    fc.constantFrom('0', '0.5', '0.500', '1', '1.0', '0.001', '0.'),
  )
  .map(([before, behind, name, value]) => `${before};${behind}${name}=${value}`)
const range = fc
  .tuple(
    fc.constantFrom(...TYPES, 'TEXT/html', '*/*', 'text/*', 'application/*', 'image/avif', 'a/b'),
    fc.array(parameter, { maxLength: 2 }),
    fc.option(weight, { nil: '' }),
  )
  .map(([name, parameters, quality]) => `${name}${parameters.join('')}${quality}`)
const sensible = fc
  .array(fc.tuple(space, range, space), { minLength: 1, maxLength: 8 })
  .map((ranges) => ranges.map((parts) => parts.join('')).join(','))

test('what makes sense is understood as the library that was used before understands it', () => {
  const others = /;\s*(?!q\s*=)[\w.+-]+\s*=\s*(?:"[^"]*"|[^\s;,"]*)/gi
  fc.assert(
    fc.property(sensible, (accept) => {
      const headers = { accept: accept.replace(others, '') }
      assert.equal(preferredType(accept, TYPES), new Negotiator({ headers }).mediaTypes(TYPES)[0])
    }),
    { numRuns: 2_000 },
  )
})
