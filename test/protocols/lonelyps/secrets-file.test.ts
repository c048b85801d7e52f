import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readSecretsFile } from '../../../src/protocols/lonelyps/secrets-file.ts'

const SECRET = Buffer.from(Array.from({ length: 64 }, (_, i) => i * 3)).toString('base64url')

test('a file says how either side proves itself, and where nothing is said there is no proof', () => {
  const text = JSON.stringify({
    version: '2',
    'to-broadcaster': { type: 'hmac', secret: SECRET },
    'to-subscriber': { type: 'token', secret: 'open-sesame' },
  })
  assert.deepEqual(readSecretsFile(text), {
    toBroadcaster: { type: 'hmac', secret: Buffer.from(SECRET, 'base64url') },
    toSubscriber: { type: 'token', token: 'open-sesame' },
  })
  assert.deepEqual(readSecretsFile('{"version": "2"}'), {
    toBroadcaster: { type: 'none' },
    toSubscriber: { type: 'none' },
  })
  const padded = { version: '2', 'to-broadcaster': { type: 'hmac', secret: `${SECRET}==` } }
  assert.deepEqual(readSecretsFile(JSON.stringify(padded)).toBroadcaster, {
    type: 'hmac',
    secret: Buffer.from(SECRET, 'base64url'),
  })
})

test('a file that cannot be used is refused by what is wrong in it, without its secrets', () => {
  for (const [text, message] of [
    ['{"version": "2", "to-subscriber": {"type": "token", "secret": "sesame"', 'it is no JSON'],
    ['["sesame"]', 'it is no JSON object'],
    ['{"version": 2}', 'its version must be the text "2"'],
    [entry('sesame'), 'to-subscriber must be an object'],
    [entry(null), 'to-subscriber must be an object'],
    [entry({ type: 'sesame' }), 'to-subscriber.type must be "hmac" or "token"'],
    [entry({ type: 'token' }), 'to-subscriber.secret is missing'],
    [entry({ type: 'token', secret: '' }), 'to-subscriber.secret is missing'],
    [
      entry({ type: 'token', secret: 'sesame\r\nX: y' }),
      'to-subscriber.secret may have printable ASCII characters only',
    ],
    ...['sesame', `${SECRET}A`, SECRET.slice(1), `${SECRET.slice(1)}+`].map(
      (secret) =>
        [
          entry({ type: 'hmac', secret }),
          'to-subscriber.secret must be 64 bytes in base64url',
        ] as const,
    ),
  ] as const)
    assert.throws(() => readSecretsFile(text), { message })
})

/** A file that says how to prove oneself to a subscriber. */
function entry(value: unknown): string {
  return JSON.stringify({ version: '2', 'to-subscriber': value })
}
