import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CHUNKED, UNCHUNKED } from '../../../src/http/stream/framing.ts'

test('a chunk begins with its length in bytes, whatever the text is made of', () => {
  for (const text of ['{}\n', 'x'.repeat(31), 'é\n', '€'.repeat(10_000), '😀\0']) {
    const bytes = Buffer.from(CHUNKED.frame(text))
    const end = bytes.indexOf('\r\n')
    assert.equal(Number.parseInt(bytes.toString('latin1', 0, end), 16), Buffer.byteLength(text))
    assert.equal(bytes.subarray(end + 2).toString(), `${text}\r\n`)
  }
})

test('only a stream that was ended as asked for ends with the last chunk', () => {
  for (const reason of ['finished', 'timeout'] as const)
    assert.equal(Buffer.from(CHUNKED.end(reason)).toString(), '0\r\n\r\n')
  for (const reason of ['unsubscribed', 'slow', 'stalled', 'revoked', 'shutdown'] as const)
    assert.equal(CHUNKED.end(reason).length, 0)
})

test('without chunks a text is sent as it is', () => {
  assert.equal(Buffer.from(UNCHUNKED.frame('é\n')).toString(), 'é\n')
  assert.equal(UNCHUNKED.end('finished').length, 0)
})
