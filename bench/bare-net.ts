import { createServer } from 'node:net'
import { HEAD } from './bare-head.ts'

/** The yardstick for connecting: reads a request as it comes, answers with the head of a stream, and keeps the socket. */
createServer((socket) => {
  socket.on('error', () => {})
  socket.once('data', () => {
    socket.write(HEAD)
    socket.resume()
  })
}).listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 8_192 })
