import assert from 'node:assert/strict'
import process from 'node:process'
import { test } from 'node:test'
import { openConnection } from '../http/open-connection.ts'

// Streams do the same without the direct way, here and in the servers that the suites start.
const without = new URL('without-koffi.ts', import.meta.url).href
process.env['NODE_OPTIONS'] = `${process.env['NODE_OPTIONS'] ?? ''} --import=${without}`
await import('./without-koffi.ts')
await import('./stream-sink.test.ts')
await import('../http/stream/stream.test.ts')
await import('../http/stream/websocket.test.ts')

test('without the library there is no direct way', async () => {
  const { descriptorOf } = await import('../../src/sockets/direct-send.ts')
  using connection = await openConnection()
  assert.equal(descriptorOf(connection.socket), -1)
})
