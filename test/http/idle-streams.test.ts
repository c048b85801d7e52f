import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startServer } from '../running-server.ts'
import { eventsUpToNow, listen } from './requests.ts'

test('idle streams keep neither requests nor responses in memory', async () => {
  const counting = new URL('count-what-http-keeps.ts', import.meta.url).href
  await using server = await startServer({
    config: '{server: {bind: 127.0.0.1, port: 0}, clients: {payloaders: [127.0.0.1]}}',
    environment: { NODE_OPTIONS: `--import=${counting}` },
  })
  await using streams = new AsyncDisposableStack()
  const opened = await Promise.all(Array.from({ length: 50 }, () => listen(server)))
  for (const stream of opened) streams.use(stream)
  await eventsUpToNow(server, ...opened)
  server.process.kill('SIGWINCH')
  const [, requests, responses] = await server.printed(/kept: (\d+) requests, (\d+) responses/)
  // The newest one of a connection, such as the one that has just published, may still be there.
  assert.ok(Number(requests) < 10, `${requests} requests`)
  assert.ok(Number(responses) < 10, `${responses} responses`)
})
