import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { arrayElements } from '../../src/publication/array-elements.ts'
import { NotJsonError } from '../../src/publication/errors.ts'

/** `undefined`: it is no array, or does not end as one. */
function elementsOf(text: string): string[] | undefined {
  try {
    const elements = arrayElements(Buffer.from(text))
    return elements === null ? undefined : Array.from(elements, String)
  } catch (error) {
    assert.ok(error instanceof NotJsonError)
    return undefined
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

test('elements come as they stand, whatever is in them', () => {
  assert.deepEqual(elementsOf(' [ {"a": [1,2]} ,"b,\\"],[", -1.0e+9 ,[\n] ]\r\n'), [
    '{"a": [1,2]}',
    '"b,\\"],["',
    '-1.0e+9',
    '[\n]',
  ])
  assert.deepEqual(elementsOf('[]'), [])
  assert.deepEqual(elementsOf('[ ]'), [])
  assert.deepEqual(elementsOf('[1,]'), ['1', ''])
})

test('what does not begin or end as an array has none', () => {
  for (const text of ['', ' ', '{}', '1', '[', ']', '[1', '[1] 2', '"[]"', '[1}'])
    assert.equal(elementsOf(text), undefined, text)
})

const pieces = fc.constantFrom(
  '[',
  ']',
  '{',
  '}',
  '"',
  '\\',
  '\\"',
  ',',
  ':',
  '1',
  'é',
  ' ',
  '"a":',
  '[]',
  '{}',
  '"b"',
)

test('the whole is valid JSON if and only if it is an array and each of its elements is', () => {
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 14 }), fc.boolean(), (parts, isArray) => {
      const text = isArray ? `[${parts.join('')}]` : parts.join('')
      const isValid = isJson(text) && Array.isArray(JSON.parse(text))
      assert.equal(elementsOf(text)?.every(isJson) ?? false, isValid, text)
    }),
    { numRuns: 20_000 },
  )
})

test('a valid array has the elements that JSON.parse finds', () => {
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue({ maxDepth: 4 })),
      fc.constantFrom(0, 1, '\t'),
      (values, space) => {
        const elements = elementsOf(JSON.stringify(values, null, space))
        assert.deepEqual(
          elements?.map((text) => JSON.parse(text)),
          JSON.parse(JSON.stringify(values)),
        )
      },
    ),
  )
})
