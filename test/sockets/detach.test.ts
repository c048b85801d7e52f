import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { detach } from '../../src/sockets/detach.ts'
import { RawClient } from '../http/raw-client.ts'
import { get, put } from '../http/requests.ts'

/** An HTTP server that answers the first request of each connection by hand, once its parser has returned. */
async function startDetaching(
  onRequest: (request: IncomingMessage, response: ServerResponse) => void,
) {
  let requests = 0
  const server = createServer((request, response) => {
    requests++
    queueMicrotask(() => onRequest(request, response))
  })
  const sockets: Socket[] = []
  server.on('connection', (socket: Socket) => sockets.push(socket))
  server.on('clientError', () => assert.fail('what is behind the request is read'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    server,
    port: (server.address() as AddressInfo).port,
    requests: () => requests,
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy() // Node does not know detached ones
      await once(server, 'close')
    },
  }
}

test('a detached socket carries what is written to it, and what comes is thrown away', async () => {
  let detached: Socket | undefined
  await using running = await startDetaching((request, response) => {
    detached = request.socket
    request.socket.write('HTTP/1.1 200 OK\r\n\r\nfirst\n')
    assert.ok(detach(request, response))
  })
  await using client = await RawClient.open(running.port)
  client.send(get('/'))
  assert.equal((await client.head()).status, 200)
  assert.equal(await client.take(6), 'first\n')
  await turn()
  for (let i = 0; i < 100; i++) client.send(Buffer.concat([put('/a', '{}'), Buffer.alloc(10_000)]))
  detached?.write('second\n')
  assert.equal(await client.take(7), 'second\n')
  detached?.end('last\n')
  assert.equal(await client.rest(), 'last\n')
  assert.equal(running.requests(), 1)
})

test('a detached socket keeps nothing of HTTP', async () => {
  const seen = Promise.withResolvers<Socket & { parser?: unknown; _httpMessage?: unknown }>()
  await using running = await startDetaching((request, response) => {
    assert.ok(detach(request, response))
    seen.resolve(request.socket)
  })
  await using client = await RawClient.open(running.port)
  client.send(get('/'))
  const socket = await seen.promise
  await turn()
  await turn()
  assert.equal(socket.parser, null)
  assert.equal(socket._httpMessage, null)
  assert.deepEqual(socket.listeners('data'), [])
  assert.deepEqual(socket.listeners('timeout'), [])
  assert.equal(socket.isPaused(), false)
})

test('one that has nothing of HTTP stays as it is', async () => {
  const twice = Promise.withResolvers<readonly boolean[]>()
  await using running = await startDetaching((request, response) => {
    const first = detach(request, response)
    setImmediate(() => twice.resolve([first, detach(request, response)]))
  })
  await using client = await RawClient.open(running.port)
  client.send(get('/'))
  assert.deepEqual(await twice.promise, [true, false])
})

for (const isFirst of [true, false])
  test(`one that is closed just ${isFirst ? 'before' : 'after'} is closed, and no more`, async () => {
    const closed = Promise.withResolvers<void>()
    await using running = await startDetaching((request, response) => {
      request.socket.on('close', closed.resolve)
      if (isFirst) request.socket.destroy()
      assert.ok(detach(request, response))
      request.socket.destroy()
    })
    await using client = await RawClient.open(running.port)
    client.send(get('/'))
    await closed.promise
    await client.rest()
    await turn()
  })
