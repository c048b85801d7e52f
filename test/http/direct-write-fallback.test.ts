import assert from 'node:assert/strict'
import { connect } from 'node:net'
import process from 'node:process'
import { test } from 'node:test'

// Streams do the same on a Node whose insides are others, here and in the servers that the suites start.
const changed = new URL('changed-node.ts', import.meta.url).href
process.env['NODE_OPTIONS'] = `${process.env['NODE_OPTIONS'] ?? ''} --import=${changed}`
await import('./changed-node.ts')
await import('./stream-sink.test.ts')
await import('./stream.test.ts')
await import('./websocket.test.ts')

test('on a Node with other insides there is no direct way', async () => {
  const { directHandleOf } = await import('../../src/http/direct-write.ts')
  const socket = connect(9, '127.0.0.1').on('error', () => {})
  assert.equal(directHandleOf(socket), null)
  socket.destroy()
})
