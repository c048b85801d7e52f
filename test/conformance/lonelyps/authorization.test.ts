import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import {
  authorizationOf,
  Verifier,
  type Scheme,
  type Secrets,
} from '../../../src/protocols/lonelyps/authorization.ts'
import { readSecretsFile } from '../../../src/protocols/lonelyps/secrets-file.ts'
import { bytesToSign, signed, type Signed } from '../../../src/protocols/lonelyps/signed-bytes.ts'
import { vectorsOf, type Vector } from './vectors.ts'

const hex = (text: string) => Buffer.from(text, 'hex')

/** What a record is about. `null`: a message that we never write nor take. */
function signedOf({ fields }: Vector): Signed | null {
  const { url, recovery, topic, glob, exact, identifier, message_sha512: sha512 } = fields
  switch (fields.auth_message_type) {
    case 1:
      return signed.subscribeExact(url, recovery, hex(exact))
    case 2:
      return signed.subscribeGlob(url, recovery, glob)
    case 3:
      return signed.notify(hex(topic), hex(identifier), hex(sha512))
    case 4:
      return signed.configure(
        hex(fields.subscriber_nonce),
        fields.enable_zstd,
        fields.enable_training,
        fields.initial_dict,
      )
    case 5:
      return signed.checkSubscriptions(url)
    case 6:
      return signed.setSubscriptions(url, hex(fields.strong_etag.etag))
    case 7:
      return signed.continueReceive(hex(identifier), fields.part_id, url)
    case 8:
      return signed.confirmReceive(hex(identifier), fields.num_subscribers, url)
    case 9:
      return signed.confirmMissed(hex(topic), url)
    case 10:
      return signed.receive(url, hex(topic), hex(identifier), hex(sha512))
    case 11:
      return signed.missed(recovery, hex(topic))
    case 12:
      return signed.confirmSubscribeExact(url, recovery, hex(exact))
    case 13:
      return signed.confirmSubscribeGlob(url, recovery, glob)
    case 14:
      return signed.confirmNotify(hex(identifier), fields.subscribers, hex(topic), hex(sha512))
    case 15:
      return signed.checked(hex(fields.strong_etag.etag))
    case 16:
      return signed.confirmSet(hex(fields.strong_etag.etag))
    case 17:
      return signed.confirmConfigure(hex(fields.broadcaster_nonce))
    case 18:
      return signed.enableZstdPreset(url, {
        compressor: fields.compressor_identifier,
        level: fields.compression_level,
        messageBytesMin: fields.min_size,
        // 2^64 - 1 is not a number of JavaScript.
        messageBytesEnd: BigInt(fields.max_size) - 1n,
      })
    case 21:
      return signed.continueNotify(hex(identifier), fields.part_id)
    default:
      return null
  }
}

function schemeOf(entry?: { type: 'hmac' | 'token'; secret: string }): Scheme {
  if (entry === undefined) return { type: 'none' }
  if (entry.type === 'token') return { type: 'token', token: entry.secret }
  return { type: 'hmac', secret: Buffer.from(entry.secret, 'base64url') }
}

/** Compression is declined. */
const NEVER_SIGNED = new Set([18, 19, 20])

for (const vector of vectorsOf('hmac-authorization'))
  test(`${vector.name} is signed as the reference does`, () => {
    const message = signedOf(vector)
    const { fields } = vector
    if (message === null) {
      assert.ok(NEVER_SIGNED.has(fields.auth_message_type))
      return
    }
    const tracing = hex(fields.tracing)
    const bytes = bytesToSign(message, fields.timestamp, fields.nonce, tracing)
    assert.equal(bytes.toString('hex'), vector.to_sign_hex)
    const scheme: Scheme = { type: 'hmac', secret: hex(fields.secret_hex) }
    const sources = {
      now: () => fields.timestamp * 1_000,
      nonce: () => fields.nonce,
    }
    assert.equal(authorizationOf(scheme, message, tracing, sources), vector.authorization)
  })

for (const { name, fields, result } of vectorsOf('hmac-check'))
  test(`${name} is judged as the reference does`, () => {
    const verifier = new Verifier([secretsOf(hex(fields.secret_hex))], () => fields.now * 1_000)
    const message = signed.notify(
      hex(fields.topic),
      hex(fields.identifier),
      hex(fields.message_sha512),
    )
    const verdict = verifier.verify(fields.authorization, message, hex(fields.tracing))
    assert.equal(verdict.type.toUpperCase(), result)
  })

for (const { name, fields, authorization } of vectorsOf('token-authorization'))
  test(`${name} is written as the reference does`, () => {
    const scheme: Scheme = { type: 'token', token: fields.token }
    assert.equal(
      authorizationOf(scheme, signed.checkSubscriptions(''), new Uint8Array()),
      authorization,
    )
  })

for (const { name, fields, encoded_hex: file } of vectorsOf('secrets-file'))
  test(`${name} is read as the reference does`, () => {
    assert.deepEqual(readSecretsFile(hex(file).toString('utf8')), {
      toBroadcaster: schemeOf(fields['to-broadcaster']),
      toSubscriber: schemeOf(fields['to-subscriber']),
    })
  })

test('an authorization is good once', () => {
  const verifier = new Verifier([secretsOf(SECRET)], () => NOW_MS)
  const authorization = signAt(NOW_MS)
  assert.equal(verifier.verify(authorization, MESSAGE, NO_TRACING).type, 'ok')
  assert.equal(verifier.verify(authorization, MESSAGE, NO_TRACING).type, 'forbidden')
  assert.equal(verifier.verify(signAt(NOW_MS, 'zz'), MESSAGE, NO_TRACING).type, 'ok')
})

test('a repeated authorization is refused as long as its time is good', () => {
  let nowMs = NOW_MS
  const verifier = new Verifier([secretsOf(SECRET)], () => nowMs)
  for (let i = 0; i < 500; i++) {
    const fresh = signAt(nowMs + 120_000, `n${i}`)
    assert.equal(verifier.verify(fresh, MESSAGE, NO_TRACING).type, 'ok')
    nowMs += 7_000 * (i % 5)
    assert.equal(verifier.verify(fresh, MESSAGE, NO_TRACING).type, 'forbidden')
  }
})

test('what cannot be remembered is not accepted, and later is again', () => {
  let nowMs = NOW_MS
  const verifier = new Verifier([secretsOf(SECRET)], () => nowMs, 2)
  for (const [nonce, expected] of [
    ['a', 'ok'],
    ['b', 'ok'],
    ['c', 'unavailable'],
  ] as const)
    assert.equal(verifier.verify(signAt(nowMs, nonce), MESSAGE, NO_TRACING).type, expected)
  nowMs += 600_000
  assert.equal(verifier.verify(signAt(nowMs, 'd'), MESSAGE, NO_TRACING).type, 'ok')
})

test('of several secrets the one that fits says who it is', () => {
  const known: Secrets[] = [
    { name: 'alice', toBroadcaster: { type: 'hmac', secret: SECRET }, toSubscriber: NONE },
    { name: 'bob', toBroadcaster: { type: 'token', token: 'b' }, toSubscriber: NONE },
  ]
  const verifier = new Verifier(known, () => NOW_MS)
  const nameOf = (authorization: string | null) => {
    const verdict = verifier.verify(authorization, MESSAGE, NO_TRACING)
    return verdict.type === 'ok' ? verdict.secrets.name : verdict.type
  }
  assert.equal(nameOf(signAt(NOW_MS)), 'alice')
  assert.equal(nameOf('Bearer b'), 'bob')
  assert.equal(nameOf('Bearer c'), 'forbidden')
  assert.equal(nameOf(''), 'forbidden')
  assert.equal(nameOf(null), 'unauthorized')
})

test('without secrets anything is accepted, and whoever proves more is more', () => {
  const known: Secrets[] = [
    { name: null, toBroadcaster: NONE, toSubscriber: NONE },
    { name: 'bob', toBroadcaster: { type: 'token', token: 'b' }, toSubscriber: NONE },
  ]
  const verifier = new Verifier(known)
  for (const [authorization, name] of [
    [null, null],
    ['nonsense', null],
    ['Bearer b', 'bob'],
  ] as const) {
    const verdict = verifier.verify(authorization, MESSAGE, NO_TRACING)
    assert.ok(verdict.type === 'ok')
    assert.equal(verdict.secrets.name, name)
  }
})

for (const [text, reason] of [
  ['', /no JSON/],
  ['[]', /no JSON object/],
  ['{"version": 2}', /version must be the text "2"/],
  ['{"version": "2", "to-broadcaster": "x"}', /to-broadcaster must be an object/],
  ['{"version": "2", "to-subscriber": {"type": "basic"}}', /to-subscriber.type must be/],
  ['{"version": "2", "to-broadcaster": {"type": "token"}}', /to-broadcaster.secret is missing/],
  ['{"version": "2", "to-broadcaster": {"type": "token", "secret": "a\\nb"}}', /printable ASCII/],
  ['{"version": "2", "to-broadcaster": {"type": "hmac", "secret": "c2hvcnQ"}}', /64 bytes/],
] as const)
  test(`the secrets file ${text} is refused, and its secret is not told`, () => {
    assert.throws(
      () => readSecretsFile(text),
      (error: Error) => reason.test(error.message) && !error.message.includes('c2hvcnQ'),
    )
  })

const NONE: Scheme = { type: 'none' }
const SECRET = Buffer.alloc(64, 7)
const NOW_MS = 1_700_000_000_000
const MESSAGE = signed.checkSubscriptions('http://a/v1/receive')
const NO_TRACING = new Uint8Array()

function secretsOf(secret: Buffer): Secrets {
  return { name: null, toBroadcaster: { type: 'hmac', secret }, toSubscriber: NONE }
}

function signAt(nowMs: number, nonce = 'abc'): string {
  const timestampS = nowMs / 1_000
  const bytes = bytesToSign(MESSAGE, timestampS, nonce, NO_TRACING)
  const mac = createHmac('sha512', SECRET).update(bytes).digest('base64')
  return `X-HMAC ${timestampS}:${nonce}:${mac}`
}
