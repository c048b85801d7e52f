import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { PacedReading } from '../../src/sockets/paced-reading.ts'
import { openConnection } from '../http/open-connection.ts'

const MIB = 1_048_576

test('a socket that has had its turn is not read before the next round', async (t) => {
  const { reader, round } = started(t)
  using connection = await reader()
  await connection.hasStopped()
  const { bytes } = connection
  for (let i = 0; i < 20; i++) await turn()
  assert.equal(connection.bytes, bytes)
  round()
  await connection.hasRead(bytes + 1)
})

test('all together read in a round no more than it has, and each comes to its turn', async (t) => {
  const { reader, round } = started(t)
  await using stack = new AsyncDisposableStack()
  const readers = await Promise.all(Array.from({ length: 12 }, reader))
  for (const each of readers) stack.use(each)
  for (const each of readers) await each.hasStopped()
  const before = readers.map(({ bytes }) => bytes)
  round() // 512 KiB are four turns
  for (let i = 0; i < 200; i++) await turn()
  const moved = readers.filter(({ bytes }, i) => bytes > before[i]!)
  assert.ok(moved.length >= 1 && moved.length <= 4, `${moved.length} were read`)
  for (let rounds = 1; rounds < 3; rounds++) {
    for (let i = 0; i < 200; i++) await turn()
    round()
  }
  for (const [i, each] of readers.entries()) await each.hasRead(before[i]! + 1)
})

test('one that waits alone gets the whole round', async (t) => {
  const { reader, round } = started(t)
  using connection = await reader()
  await connection.hasStopped()
  const { bytes } = connection
  round()
  await connection.hasRead(bytes + MIB / 2)
})

test('one that has gone is no obstacle', async (t) => {
  const { reader, round } = started(t)
  using gone = await reader()
  using connection = await reader()
  await gone.hasStopped()
  await connection.hasStopped()
  gone.socket.destroy()
  const { bytes } = connection
  round()
  await connection.hasRead(bytes + 1)
})

/** Rounds come when the test says so. */
function started(t: TestContext) {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const paced = new PacedReading({ roundMs: 5, roundBytes: MIB / 2 })

  /** A socket whose peer sends without end. */
  async function reader() {
    const { socket, peer, [Symbol.dispose]: dispose } = await openConnection()
    const tell = paced.of(socket)
    const state = { bytes: 0, turn: 0 }
    socket.on('data', (chunk: Buffer) => {
      state.bytes += chunk.length
      tell(chunk.length)
    })
    socket.on('error', () => {})
    const piece = Buffer.alloc(65_536)
    const send = () => {
      while (!peer.destroyed && peer.write(piece));
    }
    peer.on('drain', send).on('error', () => {})
    send()
    return {
      socket,
      get bytes() {
        return state.bytes
      },
      async hasRead(bytes: number) {
        while (state.bytes < bytes) await once(socket, 'data')
      },
      async hasStopped() {
        while (!socket.isPaused()) await turn()
      },
      [Symbol.dispose]: dispose,
    }
  }
  return { reader, round: () => t.mock.timers.tick(5) }
}
