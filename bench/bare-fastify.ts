import Fastify from 'fastify'
import { HEAD } from './bare-head.ts'

/** What Fastify adds to that: its routing, one hook, its request and reply. */
const app = Fastify({ rewriteUrl: () => '/' })
app.addHook('onRequest', (request, reply) => {
  reply.hijack()
  request.raw.socket.write(HEAD)
})
await app.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 8_192 })
