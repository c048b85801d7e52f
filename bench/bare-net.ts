import { createServer } from 'node:net'

/** The yardstick for connecting: reads a request as it comes, answers with the head of a stream, and keeps the socket. */
const HEAD = Buffer.from(
  'HTTP/1.1 200 OK\r\nContent-Type: application/vnd.pypubsub-stream\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n{"stillalive":1}\n\r\n',
)

createServer((socket) => {
  socket.on('error', () => {})
  socket.once('data', () => {
    socket.write(HEAD)
    socket.resume()
  })
}).listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 8_192 })
