import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { TLSSocket } from 'node:tls'
import { descriptorOf, directSend } from '../../src/sockets/direct-send.ts'
import { StreamSink } from '../../src/sockets/stream-sink.ts'
import { openConnection } from '../http/open-connection.ts'
import { RawClient } from '../http/raw-client.ts'
import { listen, put, request, sharedPubsub } from '../http/requests.ts'

/** Elsewhere everything is written to in the ordinary way. */
const ON_LINUX = { skip: process.platform !== 'linux' }

test('a stream is sent to around Node', ON_LINUX, async () => {
  using connection = await openConnection()
  const { socket, peer } = connection
  const sink = new StreamSink(socket, null)
  assert.ok(sink.descriptor > 2, `there is no direct way on Node ${process.version}`)
  socket.write = () => assert.fail('this is the ordinary way')
  for (const text of ['one', 'two', 'three']) {
    assert.equal(sink.write(Buffer.from(text)), true)
    const [bytes] = (await once(peer, 'data')) as [Buffer]
    assert.equal(String(bytes), text)
  }
  assert.equal(directSend(sink.descriptor, Buffer.from('four')), 4)
  assert.equal(String((await once(peer, 'data'))[0]), 'four')
})

test('what the kernel cannot take is refused, in part or as a whole', ON_LINUX, async () => {
  using connection = await openConnection()
  const { socket, peer } = connection
  peer.pause()
  const descriptor = descriptorOf(socket)
  const great = Buffer.alloc(32 * 1_024 * 1_024)
  const sentBytes = directSend(descriptor, great)
  assert.ok(sentBytes > 0 && sentBytes < great.length)
  while (directSend(descriptor, great) > 0);
  assert.equal(directSend(descriptor, great), -1)
  assert.equal(directSend(-1, great), -1)
})

test('to a peer that has gone nothing can be sent', ON_LINUX, async () => {
  using connection = await openConnection()
  const { socket, peer } = connection
  const descriptor = descriptorOf(socket.pause())
  peer.resetAndDestroy()
  await once(peer, 'close')
  while (directSend(descriptor, Buffer.from('is anybody there?')) > 0);
  assert.equal(directSend(descriptor, Buffer.from('is anybody there?')), -1)
})

test('a socket with something queued, or corked, ended or destroyed, has no descriptor to send to', async () => {
  using connection = await openConnection()
  const { socket, peer } = connection
  const sink = new StreamSink(socket, null)
  const descriptor = sink.descriptor
  socket.cork()
  assert.equal(sink.descriptor, -1)
  socket.uncork()
  assert.equal(sink.descriptor, descriptor)
  peer.pause()
  assert.equal(sink.write(Buffer.alloc(32 * 1_024 * 1_024)), false)
  assert.equal(sink.descriptor, -1)
  peer.resume()
  await once(socket, 'drain')
  assert.equal(sink.descriptor, descriptor)
  socket.end()
  assert.equal(sink.descriptor, -1)
  socket.destroy()
  assert.equal(sink.descriptor, -1)
})

test(
  'a socket with a time-out of its own, which a write puts off, is written to in the ordinary way',
  ON_LINUX,
  async () => {
    using connection = await openConnection()
    const { socket } = connection
    socket.setTimeout(1_000_000)
    assert.equal(descriptorOf(socket), -1)
    socket.setTimeout(0)
    assert.notEqual(descriptorOf(socket), -1)
  },
)

test('a TLS socket is written to in the ordinary way', async () => {
  using connection = await openConnection()
  assert.equal(descriptorOf(new TLSSocket(connection.socket, { isServer: true })), -1)
})

test('a socket that is closed already is written to in the ordinary way', async () => {
  using connection = await openConnection()
  const { socket } = connection
  socket.destroy()
  await once(socket, 'close')
  assert.equal(descriptorOf(socket), -1)
})

const pubsub = sharedPubsub()

test('nothing is sent to whoever gets the descriptor of a stream that has gone', async () => {
  const { port, process: server } = pubsub()
  await using publisher = await RawClient.open(port)
  await publisher.ask(put('/a', '{}'))
  for (let n = 0; n < 20; n++) {
    await using gone = await listen(pubsub(), '/')
    await publisher.ask(put('/a', `{"n": ${n}}`))
    await gone.event()
    // All in one turn of the server's event loop: the stream's reset, the next connection, and an event.
    server.kill('SIGSTOP')
    gone.socket.resetAndDestroy()
    await gone.closed()
    await using next = await RawClient.open(port)
    publisher.send(put('/a', '{}'))
    await wait(20)
    server.kill('SIGCONT')
    await publisher.answer()
    next.send(request('HEAD', '/'))
    assert.match((await next.head()).statusLine, /^HTTP/)
  }
})
