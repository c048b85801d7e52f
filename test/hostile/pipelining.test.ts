import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import fc from 'fast-check'
import { hostileGroup, type HostileCase } from './hostile-group.ts'
import { requestText, sendBytes } from './http-input.ts'
import type { WatchedServer } from './watched-server.ts'

/** The same piece again and again, so that one read brings thousands of them, on many connections at once. */
interface Flood {
  readonly connections: number
  readonly bytes: number
  readonly piece: string
}

interface FloodForm {
  /** Any of these, as Latin-1. */
  readonly pieces: readonly string[]
  /** Sent before, once. */
  readonly opening?: string
  /** The flood begins behind the first answer. */
  readonly isAnsweredFirst?: boolean
  /** Sent behind the flood: its answer shows that all of it was read. */
  readonly last?: string
}

const HANDSHAKE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
]

/** Frames of a client whose mask is 0. */
const [PING, PONG, CLOSE] = ['\x89\x80\0\0\0\0', '\x8a\x80\0\0\0\0', '\x88\x80\0\0\0\0']

const FORMS: Readonly<Record<string, FloodForm>> = {
  'requests of one line': {
    pieces: [
      'HEAD / HTTP/1.1\r\n\r\n',
      'OPTIONS / HTTP/1.1\r\n\r\n',
      'GET /-/visitor HTTP/1.1\r\n\r\n',
    ],
  },
  'refused requests': {
    pieces: [
      'GET /-/nothing HTTP/1.1\r\n\r\n',
      'GET /a?count=x HTTP/1.1\r\n\r\n',
      'PROPFIND / HTTP/1.1\r\n\r\n',
      'PUT /a HTTP/1.1\r\nContent-Length: 1\r\n\r\n{',
    ],
  },
  'waits in vain': {
    pieces: ['GET /a?timeout=1 HTTP/1.1\r\n\r\n'],
    opening: requestText('HEAD', '/'),
  },
  publications: {
    pieces: [
      'PUT /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}',
      'PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
      'PUT /a HTTP/1.1\r\nAuthorization: Basic YTpi\r\nContent-Length: 2\r\n\r\n{}',
    ],
  },
  'chunks of one byte': {
    opening: requestText('PUT', '/a', ['Transfer-Encoding: chunked']),
    pieces: ['1\r\n \r\n', '1;a=b\r\n \r\n'],
    last: '0\r\n\r\n',
  },
  'chunks of one byte of a refused body': {
    opening: requestText('PUT', '/-/a', ['Transfer-Encoding: chunked']),
    pieces: ['1\r\n \r\n'],
  },
  'frames on a stream': {
    opening: requestText('GET', '/a', HANDSHAKE),
    isAnsweredFirst: true,
    pieces: [PING, PONG],
    last: CLOSE,
  },
  'frames to lonelyps': {
    opening: requestText('GET', '/-/lonelyps/v1/websocket', HANDSHAKE),
    isAnsweredFirst: true,
    pieces: [PING, PONG],
    last: CLOSE,
  },
  'fragments to lonelyps': {
    opening: requestText('GET', '/-/lonelyps/v1/websocket', HANDSHAKE),
    isAnsweredFirst: true,
    pieces: ['\x00\x80\0\0\0\0', '\x82\x81\0\0\0\0\0'],
    last: CLOSE,
  },
}

function floodCase(name: string, form: FloodForm): HostileCase<Flood> {
  return {
    name,
    inputs: fc.record({
      connections: fc.integer({ min: 1, max: 40 }),
      bytes: fc.integer({ min: 65_536, max: 131_072 }),
      piece: fc.constantFrom(...form.pieces),
    }),
    examples: form.pieces.flatMap((piece) => [
      { connections: 1, bytes: 65_536, piece },
      { connections: 40, bytes: 131_072, piece },
    ]),
    runs: 2,
    send: (server, flood) => send(server, form, flood),
  }
}

/** Somebody else asks meanwhile, and is answered. */
async function send(
  server: WatchedServer,
  { opening = '', isAnsweredFirst = false, last }: FloodForm,
  { connections, bytes, piece }: Flood,
): Promise<void> {
  const flood = piece.repeat(Math.floor(bytes / piece.length)) + (last ?? '')
  const sockets = await Promise.all(Array.from({ length: connections }, () => opened(server)))
  try {
    const first = isAnsweredFirst ? opening : opening + flood
    await Promise.all(sockets.map((socket) => answered(socket, first)))
    const answers = isAnsweredFirst ? sockets.map((socket) => answered(socket, flood)) : []
    assert.match(await sendBytes(server, requestText('HEAD', '/honest')), /^HTTP\/1.1 204 /)
    await Promise.all(answers)
  } finally {
    await Promise.all(sockets.map(closed))
  }
}

async function opened({ port }: WatchedServer): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** Resolves with the first bytes that come, or the end. */
async function answered(socket: Socket, text: string): Promise<void> {
  socket.write(text, 'latin1')
  await Promise.race([once(socket, 'data'), once(socket, 'close')])
}

async function closed(socket: Socket): Promise<void> {
  socket.destroy()
  if (!socket.closed) await once(socket, 'close')
}

hostileGroup(
  'pipelining',
  {
    config: { protocols: { lonelyps: {} } },
    heapBytesMax: 12_582_912, // the newest events that were published, and log-ins that have failed
  },
  Object.entries(FORMS).map(([name, form]) => floodCase(name, form)),
)
