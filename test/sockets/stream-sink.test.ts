import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { StreamSink } from '../../src/sockets/stream-sink.ts'
import type { RunningServer } from '../running-server.ts'
import { openConnection } from '../http/open-connection.ts'
import { RawClient } from '../http/raw-client.ts'
import { get, listen, request, sharedPubsub, streamsLeft } from '../http/requests.ts'
import { EVENTS, flood, stopReading } from '../http/stopped-reader.ts'

const forgetful = sharedPubsub()
const keeping = sharedPubsub({ server: { backlog: { size: 1_000 } } })
const keepingFew = sharedPubsub({ server: { backlog: { size: 20 } } })

async function assertSees(stream: RawClient, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) assert.equal((await stream.event()).json.n, n)
}

async function subscribers(server: RunningServer): Promise<number> {
  await using client = await RawClient.open(server.port)
  return Number((await client.ask(request('HEAD', '/'))).headers['x-subscribers'])
}

describe('a subscriber that stopped reading', () => {
  test('is closed when nothing is kept, and leaves the count; healthy ones miss nothing', async () => {
    await using healthy = await listen(forgetful(), '/flood')
    await using stopped = await stopReading(forgetful())
    assert.equal(await subscribers(forgetful()), 2)
    await Promise.all([flood(forgetful(), 0, EVENTS), assertSees(healthy, 0, EVENTS)])
    await streamsLeft(forgetful(), 1)
    // What it gets when it reads after all: a beginning without a hole, why it ends, and no last chunk.
    stopped.socket.resume()
    let seen = 0
    let line = await stopped.line()
    for (; !line.isControl; line = await stopped.line()) assert.equal(line.json.n, seen++)
    assert.ok(seen > 0 && seen < EVENTS)
    assert.equal(line.json.closing.reason, 'slow')
    await stopped.closed()
  })

  test('gets everything when it reads again and the log still has it', async () => {
    await using healthy = await listen(keeping(), '/flood')
    await using stopped = await stopReading(keeping())
    await Promise.all([flood(keeping(), 0, EVENTS), assertSees(healthy, 0, EVENTS)])
    assert.equal(await subscribers(keeping()), 2)
    stopped.socket.resume()
    await assertSees(stopped, 0, EVENTS)
    await flood(keeping(), EVENTS, EVENTS + 3)
    await assertSees(stopped, EVENTS, EVENTS + 3)
    await assertSees(healthy, EVENTS, EVENTS + 3)
  })

  test('does so in front of a replay, too', async () => {
    await using late = await RawClient.open(keeping().port)
    late.socket.pause()
    late.send(get('/flood', 'X-Fetch-Since: 0'))
    const from = 1_000
    await flood(keeping(), from, from + 50)
    late.socket.resume()
    await late.head()
    let { json } = await late.event()
    const first = json.n
    for (let n = first; json.n !== from + 49; n++) {
      if (n === EVENTS + 3) n = from
      assert.equal(json.n, n)
      ;({ json } = await late.event())
    }
    assert.equal(first, 0)
  })

  test('is closed when the log has dropped what it is due', async () => {
    await using stopped = await stopReading(keepingFew())
    await flood(keepingFew(), 0, EVENTS)
    stopped.socket.resume()
    let seen = 0
    let line = await stopped.line()
    for (; !line.isControl; line = await stopped.line()) assert.equal(line.json.n, seen++)
    assert.ok(seen < EVENTS)
    assert.equal(line.json.closing.reason, 'slow')
    assert.match(line.json.closing.cursor, /^[\da-f]{8}-[\da-f-]{27}$/)
    await stopped.closed()
    // Where it was can be asked for: what is gone is told as a gap.
    await using back = await RawClient.open(keepingFew().port)
    back.send(get(`/flood?cursor=${line.json.closing.cursor}`))
    await back.head()
    assert.equal((await back.line()).json.gap.reason, 'expired')
  })
})

/** A connection whose server's end is a stream's sink. */
async function openSink() {
  const connection = await openConnection({ isPaused: true })
  return { ...connection, sink: new StreamSink(connection.socket, null) }
}

async function read(peer: Socket): Promise<Buffer> {
  peer.resume()
  return Buffer.concat(await Array.fromAsync(peer as AsyncIterable<Buffer>))
}

/** More than the kernel takes from a peer that does not read. */
const GREAT = 32 * 1_024 * 1_024

describe('the sink of a stream', () => {
  test('takes everything in order, whether or not the kernel does so at once', async () => {
    using connection = await openSink()
    const { socket, sink } = connection
    const parts = [7, GREAT, 5, 30_000, 30_000, 30_000].map((size, i) => Buffer.alloc(size, 65 + i))
    const answers = parts.map((part) => sink.write(part))
    assert.equal(answers[0], true)
    assert.deepEqual(answers.slice(1), [false, false, false, false, false])
    assert.ok(sink.queuedBytes >= 90_005)
    let drains = 0
    socket.on('drain', () => drains++)
    const received = read(connection.peer)
    await once(socket, 'drain')
    assert.equal(sink.queuedBytes < socket.writableHighWaterMark, true)
    assert.equal(sink.write(Buffer.from('after')), true)
    sink.end('shutdown', Buffer.from(' the end'))
    assert.deepEqual(await received, Buffer.concat([...parts, Buffer.from('after the end')]))
    assert.equal(drains, 1)
    assert.equal(sink.queuedBytes, 0)
  })

  test('says that it is full from the high water mark on, and when it has drained', async () => {
    using connection = await openSink()
    const { socket, peer, sink } = connection
    const batch = Buffer.alloc(socket.writableHighWaterMark >> 2)
    while (sink.queuedBytes === 0) assert.equal(sink.write(batch), true)
    while (sink.queuedBytes + batch.length < socket.writableHighWaterMark)
      assert.equal(sink.write(batch), true)
    assert.equal(sink.write(batch), false)
    peer.resume()
    await once(socket, 'drain')
    assert.ok(sink.queuedBytes < socket.writableHighWaterMark)
    assert.equal(sink.write(Buffer.from('more')), true)
  })

  test('sends what is queued before it ends', async () => {
    using connection = await openSink()
    const { sink } = connection
    sink.write(Buffer.alloc(GREAT, 'a'))
    sink.end('shutdown', new Uint8Array())
    assert.equal((await read(connection.peer)).length, GREAT)
  })

  test('writes behind what its corked socket holds', async () => {
    using connection = await openSink()
    const { socket, sink } = connection
    socket.cork()
    sink.write(Buffer.from('one '))
    sink.write(Buffer.from('two '))
    assert.equal(sink.queuedBytes, 8)
    socket.uncork()
    sink.write(Buffer.from('three'))
    sink.end('shutdown', new Uint8Array())
    assert.equal(String(await read(connection.peer)), 'one two three')
  })

  test('is silent when its socket is destroyed while a write is under way', async () => {
    using connection = await openSink()
    const { socket, sink } = connection
    socket.on('error', assert.fail)
    assert.equal(sink.write(Buffer.alloc(GREAT)), false)
    socket.on('drain', () => assert.fail('nothing has drained'))
    socket.destroy()
    await once(socket, 'close')
    assert.equal(sink.write(Buffer.from('late')), false)
  })

  test('ends with the error when the peer resets while a write is under way', async () => {
    using connection = await openSink()
    const { socket, peer, sink } = connection
    // Only a write can find out about it.
    socket.pause()
    assert.equal(sink.write(Buffer.alloc(GREAT)), false)
    const failed = once(socket, 'error')
    peer.resetAndDestroy()
    assert.match(String(await failed), /ECONNRESET|EPIPE/)
    await once(socket, 'close')
  })

  test('ends with the error when a write meets it at once', async () => {
    using connection = await openSink()
    const { socket, peer, sink } = connection
    const failed = new Promise((resolve) => socket.on('error', resolve))
    peer.resetAndDestroy()
    await once(peer, 'close')
    while (socket.errored === null && !socket.destroyed) {
      sink.write(Buffer.from('is anybody there?'))
      await turn()
    }
    assert.match(String(await failed), /ECONNRESET|EPIPE/)
  })

  test('sees progress when the peer takes a part of one great write', async () => {
    using connection = await openSink()
    const { peer, sink } = connection
    sink.write(Buffer.alloc(GREAT))
    const before = sink.takenBytes
    assert.ok(before < GREAT)
    let taken = 0
    peer.on('data', (bytes: Buffer) => {
      taken += bytes.length
      if (taken > GREAT / 4) peer.pause()
    })
    peer.resume()
    await once(peer, 'pause')
    assert.ok(sink.queuedBytes > 0)
    assert.ok(sink.takenBytes > before, `${sink.takenBytes} bytes are taken as ${before} were`)
  })
})
