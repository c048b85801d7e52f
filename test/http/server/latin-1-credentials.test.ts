import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { latin1Credentials } from '../../../src/http/server/latin-1-credentials.ts'

function header(bytes: Buffer, before = 'Basic '): string {
  return `${before}${bytes.toString('base64')}`
}

test('what is UTF-8 is none of its business', () => {
  const property = fc.property(fc.string({ unit: 'grapheme' }), (text) => {
    assert.equal(latin1Credentials(header(Buffer.from(`${text}:${text}`))), null)
  })
  fc.assert(property)
})

test('what is no UTF-8 is read byte by byte, and parted at the first colon', () => {
  const byte = fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code))
  const text = fc.array(byte).map((bytes) => bytes.join(''))
  const property = fc.property(text, text, (name, password) => {
    fc.pre(!name.includes(':'))
    const bytes = Buffer.from(`${name}:${password}\xff`, 'latin1') // no UTF-8 has that byte
    for (const before of ['Basic ', '  basic   ', 'BASIC '])
      assert.deepEqual(latin1Credentials(header(bytes, before)), {
        name,
        password: `${password}\xff`,
      })
  })
  fc.assert(property)
})
