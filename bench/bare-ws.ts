import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'

/** The yardstick for WebSockets: what is published goes to every client by the library `ws`, without topics or history. */
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })

createServer((request, response) => {
  const parts: Buffer[] = []
  request.on('data', (part: Buffer) => parts.push(part))
  request.on('end', () => {
    const message = Buffer.concat(parts)
    for (const client of sockets.clients) client.send(message, { binary: false })
    response.writeHead(202, { 'Content-Length': 0 }).end()
  })
})
  .on('upgrade', (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, () => {})
  })
  .listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 8_192 })
