import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ownUrl } from '../../../src/http/pages/own-url.ts'
import { decodePath, isReserved } from '../../../src/http/server/topic-path.ts'

for (const [target, url] of [
  ['/-', '/-/'],
  ['/-/', '/-/'],
  ['//-//page.js', '/-/page.js'],
  ['/%2D/visitor?path=/a%20b', '/-/visitor?path=/a%20b'],
  ['/%2d', '/-/'],
  ['http://host/-/x?y#z', '/-/x?y'],
  ['/-/a%2Fb', '/-/a/b'],
  ['/-/a%3Fb', '/-/a%3Fb'],
  ['/-/a%23b', '/-/a%23b'],
  ['/-/%ff', '/-/%25ff'],
  ['/-/%', '/-/%25'],
  ['/-/%C3%BC', '/-/%C3%BC'],
] as const)
  test(`${target} is one of our pages, as ${url}`, () => assert.equal(ownUrl(target), url))

for (const target of ['/', '/a/-', '/-a', '/--', '/%2Da', '*', '', 'http://host/a', '/%', '/a?/-/'])
  test(`${target} is none`, () => assert.equal(ownUrl(target), null))

test('every target whose path is reserved, and no other, is one, and the router can read it', () => {
  const piece = fc.constantFrom(
    '/',
    '-',
    '%2d',
    '%',
    '%ff',
    '?',
    '#',
    'a',
    '\u{fc}',
    'http://h',
    '..',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const target = pieces.join('')
      const url = ownUrl(target)
      assert.equal(url !== null, isReserved(decodePath(target)))
      if (url !== null) assert.doesNotThrow(() => decodeURIComponent(url.split('?', 1)[0]!))
    }),
  )
})
