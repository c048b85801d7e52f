import type { IncomingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import { connectionOf } from './connection.ts'
import { leaveHttp } from './detach.ts'
import { PacedReading } from './paced-reading.ts'

/** How much of what a peer still sends is read away, and for how long: in all, and without a byte. */
export interface Patience {
  readonly bytesMax: number
  readonly ms: number
  readonly silenceMs: number
}

/** For a peer that has just been refused, and may send all of its body before it reads why. */
export const BODY_PATIENCE: Patience = {
  bytesMax: 64 * 1_048_576,
  ms: 30_000,
  silenceMs: 30_000,
}

/** For one that should have nothing more to send. */
export const STRAY_PATIENCE: Patience = { ...BODY_PATIENCE, silenceMs: 1_000 }

/**
 * For one that has had all the time of `BODY_PATIENCE` already: it learns from our FIN that it is not listened to. A peer
 * that knows that meets the reset that follows as a broken pipe, behind which it still finds the answer.
 */
export const LAST_PATIENCE: Patience = {
  bytesMax: 16 * 1_048_576,
  ms: 5_000,
  silenceMs: 5_000,
}

/** After a head with these headers, of which nobody knows whether a body comes. */
export function patienceWith(headers: IncomingHttpHeaders): Patience {
  const { 'content-length': length, 'transfer-encoding': coding } = headers
  return length === undefined && coding === undefined ? STRAY_PATIENCE : BODY_PATIENCE
}

/**
 * Closes a connection and takes back nothing that was sent on it (RFC 9112 §9.6). A socket that is closed on unread bytes,
 * or gets more of them, is reset, and a peer that is still sending then fails before it has read our answer: so our end is
 * closed first, and what comes is read away until the peer closes as well, or patience is at its end. It is not looked at
 * any more. Held by `test/sockets/lingering-close.test.ts` and `test/http/server/refused-body.test.ts`.
 */
export function closeLingering(socket: Socket, patience: Patience): void {
  const connection = connectionOf(socket)
  if (socket.destroyed || connection.isLingering) return
  connection.isLingering = connection.inputIgnored = connection.hasAnswer = true
  // Not at once: it may be HTTP's parser that has called, and there may be records of TLS that are not decrypted yet. OpenSSL
  // reads nothing more where it meets them while it closes our end: an end of the peer would seem to be there.
  setImmediate(() => {
    if (socket.destroyed) return
    socket.end()
    leaveHttp(socket)
    readAway(socket, patience)
  })
}

/** Whether an answer can still be sent on it. */
export function isAnswerable(socket: Socket): boolean {
  return socket.writable && !connectionOf(socket).isLingering
}

/** Makes Node's own way to close a connection behind an answer a lingering one, wherever the peer is still sending. */
export function lingerWhenClosing(socket: Socket): void {
  socket.destroySoon = destroySoon
}

function destroySoon(this: Socket): void {
  const { lastResponse, hasAnswer } = connectionOf(this)
  const isMidBody = lastResponse !== null && !lastResponse.req.complete
  if (isMidBody || hasAnswer) closeLingering(this, isMidBody ? BODY_PATIENCE : STRAY_PATIENCE)
  else destroyBehindAnswers(this)
}

/** Node's own `destroySoon`. */
function destroyBehindAnswers(socket: Socket): void {
  ;(Reflect.getPrototypeOf(socket) as Socket).destroySoon.call(socket)
}

function readAway(socket: Socket, { bytesMax, ms, silenceMs }: Patience): void {
  const pace = PACED.of(socket)
  let bytes = 0
  let timer: NodeJS.Timeout | undefined
  let silence: NodeJS.Timeout | undefined
  const startClocks = () => {
    timer = setTimeout(() => socket.destroy(), ms)
    silence = setTimeout(() => socket.destroy(), silenceMs)
  }
  // A slow reader has the time that it needs for what was sent to it before.
  if (socket.writableFinished) startClocks()
  else socket.once('finish', startClocks)
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    silence?.refresh()
    if (bytes > bytesMax) socket.destroy()
    else pace(chunk.length)
  })
  socket.on('end', () => destroyBehindAnswers(socket))
  socket.on('error', () => {})
  socket.on('close', () => {
    clearTimeout(timer)
    clearTimeout(silence)
  })
  socket.resume()
}

/** 100 MiB/s, which take about an eighth of a core: whoever floods us with refused bytes shall pay more for it than we. */
const PACED = new PacedReading({ roundMs: 5, roundBytes: 524_288 })
