import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ClientFrames, FrameError } from '../../src/websocket/client-frames.ts'
import { clientFrame, closeOf } from '../http/raw-websocket.ts'

/** What comes of bytes that arrive in these pieces: opcodes and payloads, then the close code if something is wrong. */
function read(...pieces: readonly Uint8Array[]): unknown[] {
  const frames = new ClientFrames()
  const all: unknown[] = []
  try {
    for (const piece of pieces)
      for (const { opcode, payload } of frames.read(Buffer.from(piece)))
        all.push([opcode, payload.toString('latin1')])
  } catch (error) {
    assert.ok(error instanceof FrameError)
    assert.match(error.message, /^[\x20-\x7e]{1,123}$/, 'that does not fit into a close frame')
    all.push(error.closeCode)
  }
  return all
}

/** The same, whichever way the bytes are split in two, and byte by byte. */
function readSplit(bytes: Buffer): unknown[] {
  const whole = read(bytes)
  for (let at = 1; at < bytes.length; at++)
    assert.deepEqual(read(bytes.subarray(0, at), bytes.subarray(at)), whole, `split at ${at}`)
  assert.deepEqual(read(...Array.from(bytes, (byte) => Buffer.of(byte))), whole)
  return whole
}

describe('frames of a client', () => {
  test('are read wherever they are split', () => {
    const long = 'x'.repeat(125)
    const bytes = [clientFrame(9), clientFrame(9, 'hello'), clientFrame(10, long), clientFrame(8)]
    assert.deepEqual(readSplit(Buffer.concat(bytes)), [
      [9, ''],
      [9, 'hello'],
      [10, long],
      [8, ''],
    ])
  })

  test('do not count behind a close', () => {
    const bytes = [clientFrame(9), clientFrame(8), clientFrame(9), clientFrame(3)]
    assert.deepEqual(read(Buffer.concat(bytes)), [
      [9, ''],
      [8, ''],
    ])
  })

  const huge = 0x7fff_ffff_ffff_ffffn
  const WRONG: Readonly<Record<string, readonly [Buffer, number]>> = {
    'a text message': [clientFrame(1, '{}'), 1003],
    'a binary message': [clientFrame(2, 'x'), 1003],
    'the first fragment of a message': [clientFrame(1, 'x', { isFinal: false }), 1003],
    'a text that is not UTF-8': [clientFrame(1, Buffer.of(0xff)), 1003],
    'a message that is longer than anything': [clientFrame(2, '', { length: huge }), 1003],
    'a continuation of nothing': [clientFrame(0, 'x'), 1002],
    'a reserved bit': [clientFrame(9, '', { reserved: 4 }), 1002],
    'a compressed message': [clientFrame(1, 'x', { reserved: 4 }), 1002],
    'an unknown opcode': [clientFrame(3), 1002],
    'an unknown control opcode': [clientFrame(11), 1002],
    'a ping in fragments': [clientFrame(9, '', { isFinal: false }), 1002],
    'a ping of 126 bytes': [clientFrame(9, 'x'.repeat(126)), 1002],
    'a ping that is longer than anything': [clientFrame(9, '', { length: huge }), 1002],
    'a ping without a mask': [clientFrame(9, 'hello', { isMasked: false }), 1002],
    'a message without a mask': [clientFrame(1, '{}', { isMasked: false }), 1002],
    'half a close code': [clientFrame(8, 'x'), 1002],
    'a close code that nobody may send': [closeOf(1005), 1002],
    'a close code that is none': [closeOf(999), 1002],
    'a close code that is not taken': [closeOf(2000), 1002],
    'a close code beyond all': [closeOf(5000), 1002],
    'a reason that is not UTF-8': [clientFrame(8, Buffer.of(0x03, 0xe8, 0xff)), 1007],
  }
  for (const [what, [bytes, code]] of Object.entries(WRONG))
    test(`${what} is wrong, whatever comes behind, and told once`, () => {
      assert.deepEqual(readSplit(bytes), [code])
      assert.deepEqual(read(clientFrame(9, 'before'), bytes), [[9, 'before'], code])
    })

  for (const code of [1000, 1003, 1007, 1014, 3000, 4999])
    test(`the close code ${code} may be sent`, () => {
      assert.deepEqual(readSplit(closeOf(code, 'gone ☃')).length, 1)
    })

  test('of any bytes at all are read or refused, alike from whole buffers and byte by byte', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const bytewise = read(...Array.from(bytes, (byte) => Buffer.of(byte)))
        const whole = read(bytes)
        // What is right before what is wrong is lost in one buffer: the connection is over anyway.
        if (whole.some((each) => typeof each === 'number'))
          assert.equal(bytewise.at(-1), whole.at(-1))
        else assert.deepEqual(bytewise, whole)
      }),
    )
  })

  test('that are right come back whole, in whatever pieces', () => {
    const frame = fc.tuple(fc.constantFrom(9, 10), fc.uint8Array({ maxLength: 125 }))
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 5 }), fc.array(fc.nat(600)), (frames, cuts) => {
        const bytes = Buffer.concat(frames.map(([opcode, payload]) => clientFrame(opcode, payload)))
        const ends = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
        const pieces = ends.slice(1).map((end, i) => bytes.subarray(ends[i], end))
        assert.deepEqual(
          read(...pieces),
          frames.map(([opcode, payload]) => [opcode, Buffer.from(payload).toString('latin1')]),
        )
      }),
    )
  })
})
