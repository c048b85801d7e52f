import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteReader, MalformedError } from '../../../src/protocols/lonelyps/byte-reader.ts'
import { ByteWriter } from '../../../src/protocols/lonelyps/byte-writer.ts'

const fields = fc.record({
  a: fc.nat(0xff),
  b: fc.nat(0xffff),
  c: fc.nat(0xffffffff),
  d: fc.bigInt(0n, 2n ** 64n - 1n),
  e: fc.uint8Array({ maxLength: 255 }),
  f: fc.uint8Array({ maxLength: 400 }),
  g: fc.string({ unit: 'binary', maxLength: 100 }),
  h: fc.uint8Array({ maxLength: 10 }),
})

function write({
  a,
  b,
  c,
  d,
  e,
  f,
  g,
  h,
}: typeof fields extends fc.Arbitrary<infer T> ? T : never) {
  return new ByteWriter().u8(a).u16(b).u32(c).u64(d).b8(e).b16(f).str16(g).raw(h).bytes()
}

function read(bytes: Uint8Array) {
  const reader = new ByteReader(bytes)
  const [a, b, c, d] = [reader.u8(), reader.u16(), reader.u32(), reader.u64()]
  const [e, f, g] = [reader.b8(), reader.b16(), reader.str16()].map((each) =>
    typeof each === 'string' ? each : Uint8Array.from(each),
  )
  return { a, b, c, d, e, f, g, h: Uint8Array.from(reader.rest()) }
}

test('what is written is read again', () => {
  fc.assert(fc.property(fields, (values) => assert.deepEqual(read(write(values)), { ...values })))
})

test('fields that end too early are malformed, wherever they end', () => {
  const values = {
    a: 1,
    b: 2,
    c: 3,
    d: 4n,
    e: Uint8Array.of(5),
    f: Uint8Array.of(6, 7),
    g: 'é',
    h: new Uint8Array(),
  }
  const whole = write(values)
  for (let length = 0; length < whole.length; length++)
    assert.throws(() => read(whole.subarray(0, length)), MalformedError)
  assert.deepEqual(read(whole), values)
})

test('a text that is no UTF-8 is malformed, and a byte order mark is a part of it', () => {
  assert.throws(() => new ByteReader(Uint8Array.of(0, 1, 0xff)).str16(), /at byte 0 is no UTF-8/)
  assert.equal(new ByteReader(Uint8Array.of(0, 3, 0xef, 0xbb, 0xbf)).str16(), '\ufeff')
})

test('a length that does not fit its field is never written', () => {
  assert.throws(() => new ByteWriter().b8(new Uint8Array(256)), RangeError)
  assert.throws(() => new ByteWriter().b16(new Uint8Array(65_536)), RangeError)
})
