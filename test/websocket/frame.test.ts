import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  CLOSE_CODE,
  closeFrame,
  CONTROL_BYTES_MAX,
  controlFrame,
  OPCODE,
  textFrame,
} from '../../src/websocket/frame.ts'

/** One whole unmasked frame, read as RFC 6455 §5.2 has it. */
function parse(frame: Buffer): { readonly opcode: number; readonly payload: Buffer } {
  assert.equal(frame[0]! & 0xf0, 0x80, 'the last of its message, without extensions')
  assert.ok(frame[1]! < 0x80, 'not masked')
  const field = frame[1]!
  const [at, length] =
    field < 126
      ? [2, field]
      : field === 126
        ? [4, frame.readUInt16BE(2)]
        : [10, Number(frame.readBigUInt64BE(2))]
  // The shortest form that holds the length.
  assert.equal(field >= 126, length > 125)
  assert.equal(field === 127, length > 65_535)
  assert.equal(frame.length, at + length)
  return { opcode: frame[0]! & 0x0f, payload: frame.subarray(at) }
}

test('a text is one frame, at every length', () => {
  const lengths = [0, 1, 125, 126, 127, 65_534, 65_535, 65_536, 70_000]
  for (const length of lengths)
    for (const [character, bytes] of [
      ['x', 1],
      ['é', 2],
      ['\u{1d11e}', 4],
    ] as const) {
      const text = character.repeat(length / bytes)
      const { opcode, payload } = parse(textFrame(text))
      assert.equal(opcode, OPCODE.text)
      assert.equal(payload.toString(), text)
    }
})

test('whatever characters a text has, they arrive', () => {
  const text = fc.string({ unit: fc.oneof(fc.constantFrom('\0', 'ÿ', '\u0080', '€'), fc.string()) })
  fc.assert(
    fc.property(text, (given) => {
      assert.equal(parse(textFrame(given)).payload.toString(), given.toWellFormed())
    }),
  )
})

test('a control frame carries its payload as it is', () => {
  const payload = fc.uint8Array({ maxLength: CONTROL_BYTES_MAX })
  const opcode = fc.constantFrom(OPCODE.ping, OPCODE.pong, OPCODE.close)
  fc.assert(
    fc.property(opcode, payload, (code, bytes) => {
      assert.deepEqual(parse(controlFrame(code, bytes)), {
        opcode: code,
        payload: Buffer.from(bytes),
      })
    }),
  )
})

test('a close frame says its code and its reason', () => {
  for (const reason of ['', 'shutdown', 'x'.repeat(CONTROL_BYTES_MAX - 2)]) {
    const { opcode, payload } = parse(closeFrame(CLOSE_CODE.tryAgainLater, reason))
    assert.equal(opcode, OPCODE.close)
    assert.equal(payload.readUInt16BE(), 1013)
    assert.equal(payload.toString('latin1', 2), reason)
  }
})
