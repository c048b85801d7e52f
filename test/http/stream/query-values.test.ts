import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { QueryValues } from '../../../src/http/stream/query-values.ts'

const NAMES = ['since', 'on_gap', 'where'] as const

const PIECES =
  'since on_gap where %73ince %57here %77here on%5fgap = = & & ? + % %4 %2 %26 %3d %3D %ff %e4%b8%ad %e4%b8 %00 a \xff %since %2573ince ;'
    .split(' ')
    .concat(' ')

test('values are decoded, and of several the first is told', () => {
  const values = new QueryValues(
    '/a?since=1+%2B%41&x=y&%73ince=2&where&&on%5Fgap=%ff#since=3',
    NAMES,
  )
  assert.deepEqual(
    NAMES.map((name) => [values.count(name), values.first(name)]),
    [
      [2, '1 +A'],
      [1, '\ufffd'],
      [1, ''],
    ],
  )
  for (const target of ['/since=1', '/a#?since=1', '/a#b?since=1']) {
    const none = new QueryValues(target, NAMES)
    assert.deepEqual([none.count('since'), none.first('since')], [0, null], target)
  }
})

test('any query is understood as URLSearchParams understands it', () => {
  const pieces = fc.constantFrom(...PIECES)
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
      const query = parts.join('')
      const values = new QueryValues(`/a?${query}`, NAMES)
      // A question mark of its own, as the first one is taken for the beginning.
      const expected = new URLSearchParams(`?${query}`)
      for (const name of NAMES) {
        assert.equal(values.count(name), expected.getAll(name).length, query)
        assert.equal(values.first(name), expected.get(name), query)
      }
    }),
    { numRuns: 5_000 },
  )
})
