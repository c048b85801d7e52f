import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WebSocketSink } from '../../src/websocket/websocket-sink.ts'
import type { Subscription } from '../../src/hub/subscription.ts'
import { openConnection } from '../http/open-connection.ts'
import { clientFrame } from '../http/raw-websocket.ts'

test('pings of a client that never reads are not answered for ever', async () => {
  using connection = await openConnection({ isPaused: true })
  const sink = new WebSocketSink(connection.socket)
  // It is told of each answer: an event sent to the descriptor would overtake one that is queued.
  const descriptors = [sink.descriptor]
  const subscription = { written: () => descriptors.push(sink.descriptor) } as unknown
  const ping = clientFrame(9, 'x'.repeat(125))
  // The kernel takes some megabytes.
  for (let sent = 0; sent < 200_000; sent++) sink.receive(ping, subscription as Subscription)
  assert.ok(sink.queuedBytes > 0, 'the kernel took everything')
  assert.ok(sink.queuedBytes < 32_768, `${sink.queuedBytes} bytes wait`)
  assert.equal(descriptors[1], descriptors[0])
  assert.equal(descriptors.at(-1), -1)
})
