import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { test } from 'node:test'
import { TLSSocket } from 'node:tls'
import { directHandleOf } from '../../src/http/direct-write.ts'
import { StreamSink } from '../../src/http/stream-sink.ts'

async function openConnection() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const peer = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [socket] = (await once(server, 'connection')) as [Socket]
  return {
    socket,
    peer,
    [Symbol.dispose]() {
      peer.destroy()
      socket.destroy()
      server.close()
    },
  }
}

test('this Node has inside what the direct way to the kernel needs, and streams take it', async () => {
  using connection = await openConnection()
  const { socket, peer } = connection
  assert.notEqual(directHandleOf(socket), null, `the insides of Node ${process.version} are others`)
  const sink = new StreamSink(socket, null)
  socket.write = () => assert.fail('this is the ordinary way')
  for (const text of ['one', 'two', 'three']) {
    assert.equal(sink.write(Buffer.from(text)), true)
    const [bytes] = (await once(peer, 'data')) as [Buffer]
    assert.equal(String(bytes), text)
  }
  assert.equal(socket.bytesWritten, 'onetwothree'.length)
})

test('a socket with a time-out of its own, which a write puts off, is written to in the ordinary way', async () => {
  using connection = await openConnection()
  const { socket } = connection
  socket.setTimeout(1_000_000)
  assert.equal(directHandleOf(socket), null)
  socket.setTimeout(0)
  assert.notEqual(directHandleOf(socket), null)
})

test('a TLS socket is written to in the ordinary way', async () => {
  using connection = await openConnection()
  assert.equal(directHandleOf(new TLSSocket(connection.socket, { isServer: true })), null)
})

test('a socket that is closed already is written to in the ordinary way', async () => {
  using connection = await openConnection()
  const { socket } = connection
  socket.destroy()
  await once(socket, 'close')
  assert.equal(directHandleOf(socket), null)
})
