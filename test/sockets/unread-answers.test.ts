import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startInProcess } from '../in-process-server.ts'
import { RawClient } from '../http/raw-client.ts'
import { get, put } from '../http/requests.ts'
import { tlsSection } from '../http/tls-section.ts'

/** Answers of some 50 MB together: more than the kernel takes for a peer that does not read. */
const REQUESTS = 2_000

for (const tls of [false, true])
  for (const halfCloses of [false, true])
    test(`who asks and reads no answer is closed: ${tls ? 'TLS' : 'plain'}, ${halfCloses ? 'half-closed' : 'open'}`, async () => {
      await using server = await startInProcess({
        config: JSON.stringify({
          server: { bind: '127.0.0.1', port: 0, tls: tlsSection() },
          clients: { payloaders: ['127.0.0.1'] },
          limits: { connections: 1, stall_timeout: '0.1s' },
        }),
      })
      const port = tls ? server.tlsPort! : server.port
      await using stuck = await RawClient.open(port, { tls })
      stuck.socket.pause()
      stuck.send(Buffer.concat(Array.from({ length: REQUESTS }, () => get('/-/openapi.json'))))
      if (halfCloses) stuck.socket.end()
      // The only connection that there may be is free again, although its peer has not gone.
      for (let status = 0; status !== 202;) {
        await using other = await RawClient.open(server.port)
        status = (await other.ask(put('/a', '{}'))).status
        assert.ok(status === 202 || status === 503, String(status))
      }
      assert.ok(!stuck.socket.destroyed)
    })

test('who reads its answers slowly gets them all, however long it takes', async () => {
  await using server = await startInProcess({
    config: JSON.stringify({
      server: { bind: '127.0.0.1', port: 0 },
      clients: { payloaders: ['127.0.0.1'] },
      limits: { stall_timeout: '1.5s' },
    }),
  })
  await using slow = await RawClient.open(server.port)
  // All pauses together are longer than that time, and one that a busy machine makes of its own is not.
  const requests = 300
  slow.send(Buffer.concat(Array.from({ length: requests }, () => get('/-/openapi.json'))))
  for (let n = 0; n < requests; n++) {
    assert.equal((await slow.answer()).status, 200)
    if (n % 10 > 0) continue
    slow.socket.pause()
    await new Promise((resolve) => setTimeout(resolve, 60))
    slow.socket.resume()
  }
})
