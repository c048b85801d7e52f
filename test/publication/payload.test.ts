import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  bytesOf,
  payloadFromStored,
  payloadOf,
  storedPayload,
} from '../../src/publication/payload.ts'

const DEPTH = 100

test('a JSON object that was published as bytes is that object', () => {
  for (const text of ['{}', '{"a": 1.0, "a": 1e400}', '{"ü": "\\u0000"}'])
    assert.deepEqual(payloadOf(Buffer.from(text), DEPTH), { type: 'json-object', text })
})

test('what HTTP would change of an object is kept as data, so that every byte comes back', () => {
  for (const text of [' {}', '{}\n', '{"a":\n1}', '{"pubsub_path": "/x"}', '\ufeff{}'])
    assert.deepEqual(payloadOf(Buffer.from(text), DEPTH), {
      type: 'data',
      text: JSON.stringify({ data: text }),
    })
})

test('text is data, and bytes that are none are data_base64', () => {
  for (const [hex, text] of [
    ['', '{"data":""}'],
    ['3432', '{"data":"42"}'],
    ['efbbbf', '{"data":"\ufeff"}'],
    ['ff00', '{"data_base64":"/wA="}'],
  ] as const)
    assert.deepEqual(payloadOf(Buffer.from(hex, 'hex'), DEPTH), { type: 'data', text })
})

test('an object nested deeper than the limit is data', () => {
  const text = `{"a":${'['.repeat(150)}${']'.repeat(150)}}`
  assert.equal(payloadOf(Buffer.from(text), DEPTH).type, 'data')
})

test('whatever was published comes back, from storage too', () => {
  const pieces = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.json().map((text) => Buffer.from(text)),
    fc.string({ unit: 'binary' }).map((text) => Buffer.from(`{"data":${JSON.stringify(text)}}`)),
  )
  fc.assert(
    fc.property(pieces, (bytes) => {
      const payload = payloadOf(bytes, DEPTH)
      assert.doesNotThrow(() => JSON.parse(payload.text))
      assert.ok(payload.text.startsWith('{') && !/[\r\n]/.test(payload.text))
      const kept = payloadFromStored(storedPayload(payload))
      assert.deepEqual(kept, payload)
      assert.deepEqual(bytesOf(kept), Buffer.from(bytes))
    }),
  )
})
