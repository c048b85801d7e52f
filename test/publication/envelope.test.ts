import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ENVELOPE_BYTES_MAX,
  openedBy,
  sealed,
  sizeBesidePayload,
  tagsOf,
  TAGS_BYTES_MAX,
} from '../../src/publication/envelope.ts'

test('an envelope is opened by the door that sealed it, and by no other', () => {
  const envelope = sealed({ door: 'a', bytes: Uint8Array.of(1, 2) })
  assert.deepEqual(openedBy('a', { envelope }), Uint8Array.of(1, 2))
  for (const door of ['b', '', 'A', 'a ']) assert.equal(openedBy(door, { envelope }), null)
  assert.equal(openedBy('a', {}), null)
})

test('an envelope of a part of a large buffer holds no more than that part', () => {
  const envelope = sealed({ door: 'a', bytes: Buffer.alloc(100_000).subarray(7, 9) })
  assert.equal(openedBy('a', { envelope })!.buffer.byteLength, 2)
})

test('envelopes and tags have a size which they may reach and not pass, and the refusal names it', () => {
  sealed({ door: 'ab', bytes: new Uint8Array(ENVELOPE_BYTES_MAX - 2) })
  assert.throws(() => sealed({ door: 'ab', bytes: new Uint8Array(ENVELOPE_BYTES_MAX - 1) }), {
    code: 'PAYLOAD_TOO_LARGE',
    message: new RegExp(`is ${ENVELOPE_BYTES_MAX + 1} bytes, the limit is ${ENVELOPE_BYTES_MAX}`),
  })
  const room = TAGS_BYTES_MAX - '{"a":""}'.length
  tagsOf({ a: 'x'.repeat(room) })
  tagsOf({ a: 'é'.repeat(room / 2) })
  for (const a of ['x'.repeat(room + 1), 'é'.repeat(room / 2 + 1)])
    assert.throws(() => tagsOf({ a }), { code: 'PAYLOAD_TOO_LARGE' })
})

test('what is beside the payload counts for no less than its bytes, and nothing for nothing', () => {
  assert.equal(sizeBesidePayload({}), 0)
  const envelope = sealed({ door: 'a', bytes: new Uint8Array(500) })
  const tags = tagsOf({ a: 'x'.repeat(100) })
  assert.ok(sizeBesidePayload({ envelope }) >= 500)
  assert.ok(sizeBesidePayload({ envelope, tags }) >= 600)
})
