import assert from 'node:assert/strict'
import { test } from 'node:test'
import { binaryFrame } from '../../../src/protocols/lonelyps/binary-frame.ts'

/** Head of a whole binary message that is not masked, by its length (RFC 6455 §5.2). */
const HEADS: readonly (readonly [length: number, head: readonly number[]])[] = [
  [0, [0x82, 0]],
  [1, [0x82, 1]],
  [125, [0x82, 125]],
  [126, [0x82, 126, 0, 126]],
  [127, [0x82, 126, 0, 127]],
  [65_535, [0x82, 126, 0xff, 0xff]],
  [65_536, [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]],
  [200_000, [0x82, 127, 0, 0, 0, 0, 0, 3, 0x0d, 0x40]],
]

test('a message of any length is one frame', () => {
  for (const [length, head] of HEADS) {
    const message = Buffer.alloc(length, 0xa5)
    assert.deepEqual(binaryFrame(message), Buffer.concat([Buffer.from(head), message]))
  }
})
