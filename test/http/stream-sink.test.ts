import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import { StreamSink } from '../../src/http/stream-sink.ts'
import type { RunningServer } from '../running-server.ts'
import { RawClient } from './raw-client.ts'
import { get, listen, request, sharedPubsub, streamsLeft } from './requests.ts'
import { EVENTS, flood, stopReading } from './stopped-reader.ts'

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
    back.send(get('/flood', `X-Fetch-Since-Cursor: ${line.json.closing.cursor}`))
    await back.head()
    assert.equal((await back.line()).json.gap.reason, 'expired')
  })
})

test('a peer that takes a part of one great write has made progress', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const peer = connect((server.address() as AddressInfo).port, '127.0.0.1').pause()
  const [socket] = (await once(server, 'connection')) as [Socket]
  try {
    const sink = new StreamSink(socket, null)
    sink.write(Buffer.alloc(32 * 1_024 * 1_024))
    const before = sink.takenBytes
    assert.ok(before < 32 * 1_024 * 1_024)
    let taken = 0
    peer.on('data', (bytes: Buffer) => {
      taken += bytes.length
      if (taken > 8 * 1_024 * 1_024) peer.pause()
    })
    peer.resume()
    await once(peer, 'pause')
    assert.ok(sink.queuedBytes > 0)
    assert.ok(sink.takenBytes > before, `${sink.takenBytes} bytes are taken as ${before} were`)
  } finally {
    peer.destroy()
    socket.destroy()
    server.close()
  }
})
