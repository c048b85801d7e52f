import { createServer } from 'node:http'
import { HEAD } from './bare-head.ts'

/** What Node's HTTP server adds to connecting: the same as the bare `net` server, once it has parsed the request. */
createServer((request) => {
  request.socket.write(HEAD)
}).listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 8_192 })
