import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { hmacSha512 } from '../../../src/protocols/lonelyps/hmac.ts'

test('it is the HMAC of every other implementation', () => {
  const secrets = fc.uint8Array({ minLength: 64, maxLength: 64 }).map((bytes) => Buffer.from(bytes))
  fc.assert(
    fc.property(secrets, fc.uint8Array({ maxLength: 1_000 }), (secret, bytes) => {
      const expected = createHmac('sha512', secret).update(bytes).digest()
      assert.deepEqual(hmacSha512(secret, bytes), expected)
      assert.deepEqual(hmacSha512(secret, bytes), expected)
    }),
  )
})
