import { hash } from 'node:crypto'
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/**
 * The yardstick for WebSockets that acknowledge: enough of lonelyps for fanload, on the bare socket. What comes is not
 * looked at, what is published goes to all in one write each.
 */
const subscribers = new Set<Duplex>()
const HANDSHAKE =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n'

createServer((request, response) => {
  const parts: Buffer[] = []
  request.on('data', (part: Buffer) => parts.push(part))
  request.on('end', () => {
    const frame = framed(deliveryOf(Buffer.concat(parts)))
    for (const subscriber of subscribers) subscriber.write(frame)
    response.writeHead(202, { 'Content-Length': 0 }).end()
  })
})
  .on('upgrade', (_request, socket: Socket) => {
    socket.on('error', () => {})
    socket.on('close', () => subscribers.delete(socket))
    socket.on('data', () => {})
    socket.write(HANDSHAKE)
    socket.write(framed(Buffer.of(0, 1, 0, 2)))
    subscribers.add(socket)
  })
  .listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 8_192 })

/** RECEIVE_STREAM, part 0, without authorization. */
function deliveryOf(message: Buffer): Buffer {
  const length = Buffer.of(message.length)
  return Buffer.concat([
    Buffer.of(0, 1, 0, 8),
    ...[
      Buffer.of(),
      Buffer.of(),
      Buffer.alloc(8, 1),
      Buffer.of(0),
      Buffer.from('bench'),
      Buffer.of(0),
    ].map(value),
    ...[length, length, hash('sha512', message, 'buffer')].map(value),
    message,
  ])
}

function value(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length), bytes])
}

function framed(message: Buffer): Buffer {
  const head = message.length < 126 ? [message.length] : [126, message.length >> 8, message.length]
  return Buffer.concat([Buffer.of(0x82, ...head), message])
}
