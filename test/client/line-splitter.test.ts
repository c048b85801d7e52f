import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LineSplitter } from '../../src/client/line-splitter.ts'

function linesOf(chunks: readonly Buffer[], bytesMax = 1_000): string[] {
  const splitter = new LineSplitter(bytesMax)
  return [...chunks.flatMap((chunk) => [...splitter.lines(chunk)]), splitter.end()]
}

test('wherever the bytes are cut, the same lines come out', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'é', '𝄞', '\n', '\n', '\r', '\ufeff', '\0') })
  fc.assert(
    fc.property(text, fc.array(fc.nat(50)), (given, lengths) => {
      const bytes = Buffer.from(given)
      const chunks: Buffer[] = []
      let at = 0
      for (const length of [...lengths, bytes.length]) {
        chunks.push(bytes.subarray(at, at + length))
        at += length
      }
      // One CR before a line's end belongs to it.
      const expected = given.split('\n').map((line) => line.replace(/\r$/, ''))
      assert.deepEqual(linesOf(chunks), expected)
    }),
  )
})

test('a line beyond the limit is refused before it is there, whether it ends or not', () => {
  for (const rest of ['', '\n']) {
    const splitter = new LineSplitter(10)
    assert.deepEqual([...splitter.lines(Buffer.from(`${'x'.repeat(10)}\n12345`))], ['x'.repeat(10)])
    assert.throws(() => [...splitter.lines(Buffer.from(`678901${rest}`))], {
      message: 'a line has more than 10 bytes',
    })
  }
})

test('bytes that are no UTF-8 are refused, also where a character is cut by the end of a line', () => {
  for (const bytes of [
    [0xff, 0x0a],
    [0xc3, 0x0a],
    [0x61, 0xed, 0xa0, 0x80, 0x0a],
  ])
    assert.throws(() => linesOf([Buffer.from(bytes)]), TypeError)
})
