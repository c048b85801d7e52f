import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startServer, type RunningServer } from '../../running-server.ts'
import { RawClient } from '../raw-client.ts'
import { serverFrame, upgrade } from '../raw-websocket.ts'
import { listen, publish } from '../requests.ts'

const KINDS: Readonly<Record<string, (server: RunningServer) => Promise<RawClient>>> = {
  streams: (server) => listen(server),
  async WebSockets(server) {
    const client = await RawClient.open(server.port)
    await upgrade(client, '/')
    await serverFrame(client)
    return client
  },
}

for (const [kind, open] of Object.entries(KINDS))
  test(`idle ${kind} keep neither requests nor responses in memory`, async () => {
    const counting = new URL('count-what-http-keeps.ts', import.meta.url).href
    await using server = await startServer({
      config: '{server: {bind: 127.0.0.1, port: 0}, clients: {payloaders: [127.0.0.1]}}',
      environment: { NODE_OPTIONS: `--import=${counting}` },
    })
    await using streams = new AsyncDisposableStack()
    for (const stream of await Promise.all(Array.from({ length: 50 }, () => open(server))))
      streams.use(stream)
    await publish(server, '/a', {})
    server.process.kill('SIGWINCH')
    const [, requests, responses] = await server.printed(/kept: (\d+) requests, (\d+) responses/)
    // The newest one of a connection, such as the one that has just published, may still be there.
    assert.ok(Number(requests) < 10, `${requests} requests`)
    assert.ok(Number(responses) < 10, `${responses} responses`)
  })
