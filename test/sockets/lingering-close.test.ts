import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { closeLingering, lingerWhenClosing } from '../../src/sockets/lingering-close.ts'
import { openConnection } from '../http/open-connection.ts'

const PATIENT = { bytesMax: Infinity, ms: 60_000, silenceMs: 60_000 }

test('our end is closed first, behind what was sent, and what still comes is read', async () => {
  using connection = await openConnection({ allowHalfOpen: true })
  const { socket, peer } = connection
  socket.write('answer')
  closeLingering(socket, PATIENT)
  assert.equal(await textUntilEnd(peer), 'answer')
  await sent(peer, 20 * MIB)
  assert.equal(socket.destroyed, false)
  peer.end()
  await once(socket, 'close')
})

test('who does not stop sending is cut off after so many bytes, and knows of our end by then', async () => {
  using connection = await openConnection({ allowHalfOpen: true })
  const { socket, peer } = connection
  closeLingering(socket, { ...PATIENT, bytesMax: 3 * MIB })
  await textUntilEnd(peer)
  const failed = once(peer, 'error')
  sendForEver(peer)
  const [error] = (await failed) as [NodeJS.ErrnoException]
  assert.equal(error.code, 'EPIPE')
  assert.ok(socket.destroyed)
  assert.ok(socket.bytesRead < 4 * MIB, `${socket.bytesRead} bytes were read`)
})

for (const [what, patience] of [
  ['all of its time', { ...PATIENT, ms: 50 }],
  ['its time without a byte', { ...PATIENT, silenceMs: 50 }],
] as const)
  test(`who neither sends nor closes is cut off after ${what}`, async () => {
    using connection = await openConnection({ allowHalfOpen: true })
    closeLingering(connection.socket, patience)
    await once(connection.socket, 'close')
  })

test('a peer that sends is not silent', async () => {
  using connection = await openConnection({ allowHalfOpen: true })
  const { socket, peer } = connection
  closeLingering(socket, { ...PATIENT, silenceMs: 250 })
  const sending = setInterval(() => peer.write('x'), 20)
  for (let pieces = 0; pieces < 25; pieces++) await once(socket, 'data')
  clearInterval(sending)
  assert.equal(socket.destroyed, false)
})

test('who is slow to read what was sent before gets all of it', async () => {
  using connection = await openConnection({ isPaused: true, allowHalfOpen: true })
  const { socket, peer } = connection
  socket.write(Buffer.alloc(20 * MIB, 'x'))
  closeLingering(socket, { ...PATIENT, ms: 1, silenceMs: 1 })
  await new Promise((resolve) => setTimeout(resolve, 100))
  peer.resume()
  assert.equal((await textUntilEnd(peer)).length, 20 * MIB)
})

test('to close twice is to close once', async () => {
  using connection = await openConnection({ allowHalfOpen: true })
  const { socket, peer } = connection
  lingerWhenClosing(socket)
  closeLingering(socket, PATIENT)
  closeLingering(socket, PATIENT)
  socket.destroySoon() // as Node does behind an answer
  await textUntilEnd(peer)
  socket.destroySoon()
  await sent(peer, 20 * MIB)
  assert.equal(socket.destroyed, false)
  peer.end()
  await once(socket, 'close')
})

// Several records of TLS come in one read, and nobody knows which is the last of it.
test('over TLS what still comes is read, too, behind whichever record it was closed', async () => {
  for (let record = 1; record <= 12; record++) {
    using connection = await openConnection({ allowHalfOpen: true, tls: true })
    const { socket, peer } = connection
    await new Promise((resolve) => socket.write('answer', resolve))
    let [records, bytes] = [0, 0]
    socket.on('data', (piece: Buffer) => {
      bytes += piece.length
      if (++records === record) closeLingering(socket, PATIENT)
    })
    peer.end(Buffer.alloc(MIB))
    assert.equal(await textUntilEnd(peer), 'answer')
    if (!socket.destroyed) await once(socket, 'close')
    assert.equal(bytes, MIB, `behind ${record}`)
  }
})

test('where nothing more is to come a connection is closed without lingering', async () => {
  using connection = await openConnection({ allowHalfOpen: true })
  const { socket } = connection
  lingerWhenClosing(socket)
  socket.destroySoon()
  await once(socket, 'close')
})

const MIB = 1_048_576

async function textUntilEnd(peer: Socket): Promise<string> {
  let text = ''
  peer.setEncoding('latin1').on('data', (piece: string) => (text += piece))
  await once(peer, 'end')
  return text
}

async function sent(peer: Socket, bytes: number): Promise<void> {
  if (!peer.write(Buffer.alloc(bytes))) await once(peer, 'drain')
}

function sendForEver(peer: Socket): void {
  const piece = Buffer.alloc(65_536)
  const send = () => {
    while (!peer.destroyed && peer.write(piece));
  }
  peer.on('drain', send)
  send()
}
