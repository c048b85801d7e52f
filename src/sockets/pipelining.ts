import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { connectionOf } from './connection.ts'
import { httpListener, isKnown, readOn, type HttpParser, type HttpSocket } from './detach.ts'
import { InputSlices } from './input-slices.ts'

/**
 * Keeps what a client has pipelined from being handled in one turn of the event loop. Node hands up to 64 KiB to its parser
 * at a time, which may be 3,400 requests, or 10,000 pieces of a body. So the parser is stopped behind the head of the second
 * request of one read, or of a body in chunks; from then on the bytes of the connection are read in slices. Connections whose
 * requests come one at a time pay nothing for it. Node has no public way to do it; where its insides are not what is known
 * here, a connection stays as it is. Held by `test/sockets/pipelining.test.ts` and `test/hostile/pipelining.test.ts`.
 */
export function sliceWhatIsPipelined(socket: Socket): void {
  const { parser } = socket as HttpSocket
  if (!isKnown(parser) || !parser._consumed) return
  const { kOnExecute } = parser.constructor as { readonly kOnExecute?: unknown }
  if (typeof kOnExecute !== 'number') return
  const { onIncoming, [kOnExecute]: onExecute } = parser as StoppableParser
  if (typeof onIncoming !== 'function' || typeof onExecute !== 'function') return
  const stoppable = parser as StoppableParser

  let requestsInRead = 0
  /** Looked for when it is needed: connections whose requests come one at a time are many. */
  let onData: ReturnType<typeof httpListener>
  stoppable.onIncoming = (request, shouldKeepAlive) => {
    const result = onIncoming(request, shouldKeepAlive)
    // Anything else concerns an upgrade, at which the parser stops by itself.
    if (result !== 0) return result
    requestsInRead++
    const isChunked = request.headers['transfer-encoding'] !== undefined
    if (requestsInRead === 1 && !isChunked) return result
    onData = httpListener(socket, 'data')
    return onData === undefined ? result : PAUSE
  }
  stoppable[kOnExecute] = (result) => {
    requestsInRead = 0
    if (!isPause(result) || onData === undefined) return onExecute(result)
    const rest = stoppable.getCurrentBuffer().subarray(result.bytesParsed)
    stoppable.onIncoming = onIncoming
    stoppable[kOnExecute] = onExecute
    stoppable.resume()
    onExecute(result.bytesParsed)
    const isReading = () => (socket as HttpSocket).parser === parser && !socket.destroyed
    if (!isReading()) return
    // As many answers wait as may; Node would take further requests for a fault of its own, which ends the process.
    const isPaused = () => (socket as HttpSocket)._paused === true
    const slices = new InputSlices(socket, {
      endOfSlice: endOfLines,
      take: onData,
      isReading,
      isPaused,
    })
    connectionOf(socket).inputSlices = slices
    socket.off('data', onData)
    readOn(socket)
    if (rest.length > 0) slices.putBack(rest)
    else if (!hasBody(stoppable.incoming)) slices.putBack(EMPTY_LINE)
  }
}

/** What was read behind the request that has left HTTP, in the course of which this is called: an upgrade, or CONNECT. */
export function takePipelined(socket: Socket): Buffer {
  return connectionOf(socket).inputSlices?.takeRest() ?? Buffer.alloc(0)
}

/** A parser of Node whose callbacks are ours. */
interface StoppableParser extends HttpParser {
  onIncoming: ((request: IncomingMessage, shouldKeepAlive: boolean) => number) | null
  /** Called behind each read with how many bytes were parsed. By the number that `kOnExecute` is. */
  [kOnExecute: number]: ((result: number | Error) => void) | null
  readonly incoming: IncomingMessage | null
  /** A copy of what was read last, for `kOnExecute` alone. */
  getCurrentBuffer(): Buffer
  resume(): void
}

/** What `onIncoming` may return to have the parser stop behind a head: HPE_PAUSED of llhttp (include/llhttp.h). */
const PAUSE = 21

function isPause(result: number | Error): result is Error & { readonly bytesParsed: number } {
  return typeof result !== 'number' && (result as NodeJS.ErrnoException).code === 'HPE_PAUSED'
}

/**
 * A parser that was stopped behind a head completes a request without a body only when more comes: an empty line in front of a
 * request line is passed over (RFC 9112 §2.2).
 */
const EMPTY_LINE = Buffer.from('\r\n')

function hasBody(request: IncomingMessage | null): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': coding } = request?.headers ?? {}
  return Number(length) > 0 || coding !== undefined
}

/** Costs go with lines: a request has two at least, and so has a chunk. What is between them is cheap, however long it is. */
function endOfLines(bytes: Buffer): number {
  let end = 0
  for (let line = 0; line < LINES_MAX; line++) {
    end = bytes.indexOf(LF, end) + 1
    if (end === 0) return bytes.length
  }
  return end
}

/** Lines of one slice, which are four requests at most. */
const LINES_MAX = 8

const LF = 0x0a
