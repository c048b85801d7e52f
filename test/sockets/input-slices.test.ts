import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { InputSlices } from '../../src/sockets/input-slices.ts'

/** Two ends of a connection. */
async function connected() {
  const server = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' })
  const [socket] = (await once(server, 'connection')) as [Socket]
  return {
    client,
    socket,
    async [Symbol.asyncDispose]() {
      client.destroy()
      socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Reads as slices of ten bytes; `onSlice` may do something for each. */
function read(socket: Socket, onSlice: (count: number) => void = () => {}) {
  const state = { text: '', count: 0, longest: 0, isReading: true }
  const slices = new InputSlices(socket, {
    endOfSlice: () => 10,
    take(slice) {
      state.text += slice.toString('latin1')
      state.longest = Math.max(state.longest, slice.length)
      onSlice(++state.count)
    },
    isReading: () => state.isReading && !socket.destroyed,
  })
  return { state, slices }
}

const LONG = Array.from({ length: 20_000 }, (_, i) => String(i % 10_000).padStart(5)).join('')

function runFor(ms: number): void {
  for (const endMs = performance.now() + ms; performance.now() < endMs;);
}

test('everything comes in slices and in order, and the end behind it', async () => {
  await using pair = await connected()
  const { state } = read(pair.socket, (count) => {
    if (count % 100 === 0) runFor(2)
  })
  pair.client.end(LONG)
  await once(pair.socket, 'end')
  assert.equal(state.text, LONG)
  assert.equal(state.longest, 10)
})

test('a socket that others resume keeps its order, and waits for its turn', async () => {
  await using pair = await connected()
  const { state } = read(pair.socket, (count) => {
    if (count % 50 !== 0) return
    runFor(2)
    process.nextTick(() => void pair.socket.resume())
    setImmediate(() => void pair.socket.resume())
  })
  pair.client.end(LONG)
  await once(pair.socket, 'end')
  assert.equal(state.text, LONG)
})

test('one that its reader pauses is read on once it is resumed, and not before', async () => {
  await using pair = await connected()
  const paused = Promise.withResolvers<void>()
  const { state } = read(pair.socket, (count) => {
    if (count !== 3) return
    pair.socket.pause()
    paused.resolve()
  })
  pair.client.end(LONG)
  await paused.promise
  for (let i = 0; i < 20; i++) await turn()
  assert.equal(state.count, 3)
  pair.socket.resume()
  await once(pair.socket, 'end')
  assert.equal(state.text, LONG)
})

test('what waits is bounded, however much is sent', async () => {
  await using pair = await connected()
  const all = Promise.withResolvers<void>()
  let longest = 0
  const { state } = read(pair.socket, (count) => {
    longest = Math.max(longest, pair.socket.readableLength)
    if (count % 100 === 0) process.nextTick(() => void pair.socket.resume())
    if (state.text.length === 30 * LONG.length) all.resolve()
  })
  for (let i = 0; i < 30; i++) pair.client.write(LONG)
  await all.promise
  assert.ok(longest <= 4 * 65_536, `${longest} bytes`)
})

test('sockets have their turns side by side, however much one of them brings', async () => {
  await using greedy = await connected()
  await using other = await connected()
  const seen = Promise.withResolvers<number>()
  const flood = read(greedy.socket, () => runFor(0.2))
  read(other.socket, (count) => {
    if (count === 5) seen.resolve(flood.state.text.length)
  })
  greedy.client.write(LONG)
  await once(greedy.socket, 'data')
  other.client.write('0123456789'.repeat(5))
  assert.ok((await seen.promise) < LONG.length)
})

test('who takes the socket over gets what was not read, by hand or from the socket', async () => {
  for (const isByHand of [true, false]) {
    await using pair = await connected()
    let head = ''
    let rest = ''
    const { state, slices } = read(pair.socket, (count) => {
      if (count !== 2) return
      if (isByHand) head = slices.takeRest().toString('latin1')
      state.isReading = false
      pair.socket.on('data', (chunk) => (rest += chunk.toString('latin1')))
    })
    pair.client.end(LONG)
    await once(pair.socket, 'end')
    assert.equal(state.text.length, 20)
    assert.equal(head.length > 0, isByHand)
    assert.equal(state.text + head + rest, LONG)
  }
})
