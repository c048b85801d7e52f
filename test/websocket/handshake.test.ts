import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import {
  acceptHandshake,
  asksForWebSocket,
  refuseHandshake,
} from '../../src/websocket/handshake.ts'

/** The example of RFC 6455 §1.3. */
const HANDSHAKE = {
  upgrade: 'websocket',
  connection: 'Upgrade',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-version': '13',
}

function request(
  headers: Readonly<Record<string, string | undefined>>,
  minor = 1,
): IncomingMessage {
  const given = Object.entries(headers).filter(([, value]) => value !== undefined)
  return { headers: Object.fromEntries(given), httpVersionMinor: minor } as IncomingMessage
}

test('the handshake of the RFC is accepted as it says there', () => {
  assert.deepEqual(acceptHandshake(request(HANDSHAKE)), [
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
  ])
})

test('tokens count whatever their case, their place and the white space', () => {
  for (const headers of [
    { upgrade: 'WebSocket' },
    { upgrade: 'h2c , websocket' },
    { connection: 'keep-alive, upgrade' },
    { connection: 'UPGRADE ,x' },
  ])
    assert.equal(acceptHandshake(request({ ...HANDSHAKE, ...headers })).length, 3)
})

test('a handshake that a proxy has taken apart, or of another version, is told what it needs', () => {
  for (const [headers, minor] of [
    [{ upgrade: undefined }, 1],
    [{ upgrade: 'websocket2' }, 1],
    [{ connection: undefined }, 1],
    [{ connection: 'close' }, 1],
    [{}, 0],
    [{ 'sec-websocket-version': '8' }, 1],
    [{ 'sec-websocket-version': undefined }, 1],
    [{ 'sec-websocket-version': '13, 8' }, 1],
  ] as const)
    assert.throws(() => acceptHandshake(request({ ...HANDSHAKE, ...headers }, minor)), {
      code: 'UPGRADE_REQUIRED',
    })
})

test('a key that is not 16 bytes in base64 is refused', () => {
  for (const key of [
    undefined,
    '',
    'dGhlIHNhbXBsZSBub25jZQ=',
    'dGhlIHNhbXBsZSBub25jZR==', // bits to spare that are set
    'dGhlIHNhbXBsZSBub25j_Q==',
    'dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==',
    'dGhlIHNhbXBsZSBub25jZQ==\n',
  ])
    assert.throws(() => acceptHandshake(request({ ...HANDSHAKE, 'sec-websocket-key': key })), {
      code: 'BAD_HANDSHAKE',
    })
})

test('a request asks for a WebSocket by Upgrade or by a key alone', () => {
  assert.ok(asksForWebSocket(request(HANDSHAKE)))
  assert.ok(asksForWebSocket(request({ upgrade: 'h2c, WebSocket' })))
  assert.ok(asksForWebSocket(request({ 'sec-websocket-key': 'x' })))
  assert.ok(!asksForWebSocket(request({ upgrade: 'h2c', connection: 'Upgrade' })))
  assert.ok(!asksForWebSocket(request({})))
})

test('another method with a key is refused, and without one it is no handshake', () => {
  assert.throws(() => refuseHandshake(request(HANDSHAKE)), { code: 'BAD_HANDSHAKE' })
  refuseHandshake(request({ upgrade: 'websocket' }))
})
