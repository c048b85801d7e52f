import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import process from 'node:process'
import { test } from 'node:test'

// Streams do the same without the direct way, here and in the servers that the suites start.
const without = new URL('without-koffi.ts', import.meta.url).href
process.env['NODE_OPTIONS'] = `${process.env['NODE_OPTIONS'] ?? ''} --import=${without}`
await import('./without-koffi.ts')
await import('./stream-sink.test.ts')
await import('./stream.test.ts')
await import('./websocket.test.ts')

test('without the library there is no direct way', async () => {
  const { descriptorOf } = await import('../../src/http/direct-send.ts')
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  await once(socket, 'connect')
  assert.equal(descriptorOf(socket), -1)
  socket.destroy()
  server.close()
})
