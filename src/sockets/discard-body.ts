import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { connectionOf } from './connection.ts'
import { BODY_PATIENCE, closeLingering, LAST_PATIENCE, type Patience } from './lingering-close.ts'

/** Whether the body that comes with these headers is more than is read for the sake of the requests behind it. */
export function isLongBody({ 'content-length': length }: IncomingHttpHeaders): boolean {
  return Number(length) > KEPT_BYTES_MAX
}

/**
 * Reads away what is left of the body of a request that has its answer, so that the connection may carry further requests.
 * When there is more of it than these would be worth, or it does not end within `endMs`, the connection is closed.
 */
export function discardBody(response: ServerResponse, endMs = BODY_PATIENCE.ms): void {
  const { req: request } = response
  if (request.complete) return
  const { socket } = request
  const connection = connectionOf(socket)
  // The request before it is complete, even if nobody has been told yet: many may come in one packet.
  connection.discarding?.()
  let leftBytes = KEPT_BYTES_MAX
  const giveUp = (patience: Patience) => {
    clearTimeout(timer)
    request.off('data', onData).pause()
    // Answers to earlier requests may still have to go out before it.
    const close = () => closeLingering(socket, patience)
    if (response.writableFinished) close()
    else response.once('finish', close)
  }
  const timer = setTimeout(() => giveUp(LAST_PATIENCE), endMs)
  const onData = (chunk: Buffer) => {
    leftBytes -= chunk.length + PIECE_BYTES
    if (leftBytes < 0) giveUp(BODY_PATIENCE)
  }
  request.on('data', onData)
  request.on('error', () => {})
  const stop = () => {
    clearTimeout(timer)
    socket.off('close', stop)
    if (connection.discarding === stop) connection.discarding = null
  }
  connection.discarding = stop
  request.on('close', stop)
  socket.on('close', stop)
}

/** In bytes. Beyond them a new connection costs less than to take a body apart. */
const KEPT_BYTES_MAX = 1_048_576

/** What each piece of a body counts beside its bytes: a body in chunks of one byte costs a hundred times as much as others. */
const PIECE_BYTES = 1_024
