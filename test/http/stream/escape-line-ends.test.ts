import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { escapeLineEnds } from '../../../src/http/stream/escape-line-ends.ts'

test('the line ends of Unicode become escapes of JSON, and nothing else is changed', () => {
  const piece = fc.constantFrom('\u0085', '\u2028', '\u2029', '(', '\\', '"', 'é', '日', '🦀', 'a')
  const property = fc.property(fc.array(piece), (pieces) => {
    const text = pieces.join('')
    const json = JSON.stringify({ [text]: text })
    const escaped = escapeLineEnds(json)
    assert.doesNotMatch(escaped, /[\u0085\u2028\u2029]/u)
    assert.deepEqual(JSON.parse(escaped), { [text]: text })
    const unescaped = escaped.replace(/\\u(?:0085|2028|2029)/g, (escape) =>
      JSON.parse(`"${escape}"`),
    )
    assert.equal(unescaped, json)
  })
  fc.assert(property, { numRuns: 1_000 })
})

test('text without any is the very same', () => {
  for (const json of ['{}', '{"a": "é"}', '{"a": "日本\\u2028"}'])
    assert.equal(escapeLineEnds(json), json)
})
