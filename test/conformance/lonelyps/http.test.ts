import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { authorizationOf, type Scheme } from '../../../src/protocols/lonelyps/authorization.ts'
import { MalformedError } from '../../../src/protocols/lonelyps/byte-reader.ts'
import {
  notifyTracing,
  readCheck,
  readNotifyHead,
  readReceipt,
  readSetHead,
  readSetList,
  readSubscribe,
  writeChecked,
  writeGeneric,
  writeMissed,
  writeNotified,
  writeReceiveHead,
} from '../../../src/protocols/lonelyps/http-codec.ts'
import { signed } from '../../../src/protocols/lonelyps/signed-bytes.ts'
import { ByteReader } from '../../../src/protocols/lonelyps/byte-reader.ts'
import { traceOf } from '../../protocols/lonelyps/trace-of.ts'
import { vectorsOf, type Vector } from './vectors.ts'

const requests = vectorsOf('http-request')
const responses = new Map(vectorsOf('http-response').map((vector) => [vector.name, vector]))
const bytesOf = ({ encoded_hex: hex }: Vector) => Buffer.from(hex, 'hex')

for (const vector of requests.filter(({ direction }) => direction === 's2b'))
  test(`${vector.name} is read, and as malformed wherever it is cut`, () => {
    const { path } = vector.fields as { path: string }
    const body = bytesOf(vector)
    const read = readerOf(path)
    read(body)
    read(Buffer.concat([body, Buffer.from('more')]))
    for (let length = 0; length < wholeLength(path, body); length++)
      assert.throws(() => read(body.subarray(0, length)), MalformedError, `cut to ${length}`)
  })

for (const vector of requests.filter(({ direction }) => direction === 'b2s'))
  test(`${vector.name} is what we would send`, () => {
    const { path, headers } = vector.fields as { path: string; headers: Record<string, string> }
    const body = bytesOf(vector)
    const reader = new ByteReader(body)
    const tracing = reader.b16()
    const topic = reader.b16()
    assert.equal(tracing.length, 0)
    if (path === '/v1/recover') {
      assert.deepEqual(writeMissed(topic), body)
      return
    }
    const identifier = reader.b8()
    const message = body.subarray(reader.offset + 8)
    assert.deepEqual(
      Buffer.concat([writeReceiveHead(topic, identifier, message.length), message]),
      body,
    )
    assert.equal(headers['repr-digest'], `sha-512=${hash('sha512', message, 'base64')}`)
  })

/** The answers of the reference's broadcaster. */
for (const vector of requests.filter(({ direction }) => direction === 's2b')) {
  const response = responses.get(vector.fields.response)!
  if (response.fields.status !== 200) continue
  test(`${response.name} is what we would answer`, () => {
    const expected = bytesOf(response)
    const reader = new ByteReader(expected)
    const type = reader.u16()
    const authorization = reader.str16()
    const tracing = reader.b16()
    const given = authorization === '' ? null : authorization
    const body = bytesOf(vector)
    switch (type) {
      case 3:
        return assert.deepEqual(writeGeneric(given), expected)
      case 4: {
        const { identifier } = readNotifyHead(body)
        const count = reader.u32()
        const { records, receivedNs, sentNs } = traceOf(tracing)
        const times = { receivedMs: Number(receivedNs) / 1e6, sentMs: Number(sentNs) / 1e6 }
        assert.deepEqual(notifyTracing(records, times), Buffer.from(tracing))
        return assert.deepEqual(writeNotified(given, { tracing, count, identifier }), expected)
      }
      default: {
        assert.equal(type, 5)
        return assert.deepEqual(writeChecked(given, expected.subarray(-64)), expected)
      }
    }
  })
}

for (const vector of responses.values())
  if (vector.direction === 's2b')
    test(`${vector.name} is read, and as malformed wherever it is cut`, () => {
      const body = bytesOf(vector)
      if (vector.fields.status === 500) return assert.equal(body.length, 0)
      const receipt = readReceipt(body)
      const isReceive = vector.name.includes('.receive.')
      if (vector.fields.status === 200)
        assert.equal(receipt.type, isReceive ? 'received' : 'missed')
      for (let length = 0; length < body.length; length++)
        assert.throws(() => readReceipt(body.subarray(0, length)), MalformedError)
    })

test('a list that is not sorted, or not the one of its etag, is malformed', () => {
  const vector = requests.find(({ fields, encoded_hex: hex }) => {
    const isSet = fields.path === '/v1/set_subscriptions'
    return isSet && hex.length > 500
  })
  assert.ok(vector !== undefined)
  const body = bytesOf(vector)
  const head = readSetHead(body)
  assert.ok(readSetList(body, head, 100).topics.length > 0)
  assert.throws(() => readSetList(body, head, 0), /the limit is 0/)
  const flipped = Buffer.from(body)
  flipped[head.headBytes - 1]! ^= 1
  assert.throws(() => readSetList(flipped, readSetHead(flipped), 100), /the etag is not that/)
  const twice = Buffer.concat([
    body.subarray(0, head.headBytes),
    Buffer.from('00000002000161000000016100000000000000', 'hex'),
  ])
  assert.throws(() => readSetList(twice, head, 100), /subscription 2 of the list is not behind/)
})

test('a count that nothing could hold is malformed at once', () => {
  const head = { url: '', etag: Buffer.alloc(64), tracing: Buffer.alloc(0), headBytes: 0 }
  const body = Buffer.from('ffffffff', 'hex')
  assert.throws(() => readSetList(body, head, 10_000), /4294967295 subscriptions in one list/)
})

test('an answer of a type that no receiver gives is malformed', () => {
  assert.throws(() => readReceipt(Buffer.from('000300000000', 'hex')), /does not answer with 3/)
  assert.deepEqual(readReceipt(Buffer.from('000a', 'hex')), { type: 'unsubscribe' })
})

test('a subscription is signed over what its request says', () => {
  for (const { fields, encoded_hex: hex } of requests) {
    if (!/hmac/.test(fields.response) || fields.path !== '/v1/subscribe/exact') continue
    const { url, interest, recovery, tracing } = readSubscribe(
      Buffer.from(hex, 'hex'),
      'exact',
      true,
    )
    assert.ok(interest.type === 'exact')
    const { authorization } = fields.headers as { authorization: string }
    const [, timestamp, nonce] = /^X-HMAC (\d+):([^:]*):/.exec(authorization)!
    const written = authorizationOf(
      HMAC,
      signed.subscribeExact(url, recovery, interest.topic),
      tracing,
      {
        now: () => Number(timestamp) * 1_000,
        nonce: () => nonce!,
      },
    )
    assert.equal(written, authorization)
  }
})

const HMAC: Scheme = {
  type: 'hmac',
  secret: Buffer.from(vectorsOf('hmac-authorization')[0]!.fields.secret_hex, 'hex'),
}

function readerOf(path: string): (body: Buffer) => unknown {
  const [, , verb, type] = path.split('/')
  switch (verb) {
    case 'subscribe':
    case 'unsubscribe':
      return (body) => readSubscribe(body, type as 'exact' | 'glob', verb === 'subscribe')
    case 'notify':
      return readNotifyHead
    case 'check_subscriptions':
      return readCheck
    default:
      assert.equal(verb, 'set_subscriptions')
      return (body) => readSetList(body, readSetHead(body), 1_000)
  }
}

/** Of a notification only the head is read here. */
function wholeLength(path: string, body: Buffer): number {
  return path === '/v1/notify' ? readNotifyHead(body).headBytes : body.length
}
