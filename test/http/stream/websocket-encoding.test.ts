import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WebSocketEncoding } from '../../../src/http/stream/websocket-encoding.ts'
import { textFrame } from '../../../src/websocket/frame.ts'
import type { CloseReason } from '../../../src/hub/encoding.ts'
import type { Cursor } from '../../../src/hub/event.ts'

const encoding = new WebSocketEncoding()
const cursor = '4d870a6f-8ec8-4f25-98ee-bd867ea0b201' as Cursor

test('the length of a message takes as few bytes as RFC 6455 asks for', () => {
  for (const [length, header] of [
    [0, [0x81, 0]],
    [125, [0x81, 125]],
    [126, [0x81, 126, 0, 126]],
    [65_535, [0x81, 126, 255, 255]],
    [65_536, [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]],
  ] as const) {
    const frame = textFrame('x'.repeat(length))
    assert.deepEqual([...frame.subarray(0, header.length)], header)
    assert.equal(frame.toString('latin1', header.length), 'x'.repeat(length))
  }
  assert.deepEqual(textFrame('é☃'), Buffer.from([0x81, 5, ...Buffer.from('é☃')]))
})

test('a ping goes with one keep-alive in 30 s', () => {
  let pings = 0
  for (let second = 0; second < 60; second += 5) {
    const bytes = encoding.keepAlive(second * 1_000 + 250, () => cursor)
    const rest = bytes.subarray(2 + bytes[1]!)
    assert.ok(bytes[0] === 0x81 && bytes[1]! < 126)
    if (rest.length > 0) assert.deepEqual([...rest], [0x89, 0])
    pings += Math.sign(rest.length)
  }
  assert.equal(pings, 2)
})

test('each reason has its close code, behind the message that says more', () => {
  const codes: Readonly<Record<CloseReason, number>> = {
    unsubscribed: 1000,
    finished: 1000,
    timeout: 1000,
    slow: 1013,
    stalled: 1013,
    revoked: 1008,
    unavailable: 1013,
    shutdown: 1001,
    internal: 1011,
  }
  for (const [reason, code] of Object.entries(codes) as [CloseReason, number][]) {
    const bytes = Buffer.from(encoding.closing({ reason, cursor, retryAfterMs: 1_000 }, 0))
    const close = Buffer.from([0x88, 2 + reason.length, code >> 8, code & 255])
    const end = Buffer.concat([close, Buffer.from(reason)])
    assert.deepEqual(bytes.subarray(-end.length), end)
    const header = bytes[1] === 126 ? 4 : 2
    const message = bytes.subarray(header, -end.length).toString()
    if (reason === 'finished') assert.equal(message, '')
    else assert.equal(JSON.parse(message).closing.reason, reason)
  }
})
