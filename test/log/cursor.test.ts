import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Cursor, Position } from '../../src/hub/event.ts'
import { CursorCodec, newCursorKeys } from '../../src/log/cursor.ts'

const codec = new CursorCodec(newCursorKeys())
const positions = fc.maxSafeNat().map((n) => (n % 2 ** 48) as Position)
const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('every cursor is a version 4 UUID and leads back to its position', () => {
  fc.assert(
    fc.property(positions, (position) => {
      for (const cursor of [codec.ofEvents([position])[0]!, codec.ofPlace(position)]) {
        assert.match(cursor, UUID_V4)
        assert.equal(codec.positionOf(cursor), position)
      }
    }),
  )
})

test('events encoded together get the same cursors as one by one', () => {
  fc.assert(
    fc.property(fc.array(positions), (all) => {
      assert.deepEqual(
        codec.ofEvents(all),
        all.map((position) => codec.ofEvents([position])[0]),
      )
    }),
  )
})

test('a cursor with any other digit is not accepted', () => {
  const [cursor] = codec.ofEvents([123_456 as Position])
  for (let at = 0; at < cursor!.length; at++) {
    for (const digit of '0123456789abcdefg-') {
      const changed = (cursor!.slice(0, at) + digit + cursor!.slice(at + 1)) as Cursor
      if (changed !== cursor) assert.equal(codec.positionOf(changed), null, changed)
    }
  }
})

test('cursors of neighbouring events tell nothing of the distance: no two share a digit pattern', () => {
  const cursors = codec.ofEvents(Array.from({ length: 1_000 }, (_, i) => i as Position))
  assert.equal(new Set(cursors).size, 1_000)
  for (const at of [0, 9, 15, 20, 30])
    assert.equal(new Set(cursors.map((cursor) => cursor[at])).size, 16, `digit ${at}`)
})

test('another store takes none of these cursors', () => {
  const other = new CursorCodec(newCursorKeys())
  for (const cursor of codec.ofEvents([0, 1, 2, 3] as Position[]))
    assert.equal(other.positionOf(cursor), null)
})
