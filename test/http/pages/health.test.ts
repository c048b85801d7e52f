import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { DEADLINE_MS } from '../../deadline.ts'
import { RawClient } from '../raw-client.ts'
import { basic, get, startPubsub } from '../requests.ts'

async function ask(port: number, target: string, ...headers: string[]) {
  await using client = await RawClient.open(port)
  return await client.ask(get(target, ...headers))
}

async function asksUntil(port: number, status: number): Promise<string> {
  const lateMs = performance.now() + DEADLINE_MS
  for (;;) {
    const answer = await ask(port, '/-/readyz')
    if (answer.status === status) return answer.body
    assert.ok(performance.now() < lateMs, answer.body)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

describe('probes', { concurrency: 4 }, () => {
  test('are answered without a login, with a wrong one, by HEAD, too, and kept by nobody', async () => {
    await using server = await startPubsub({ clients: { bad_credentials: 'reject' } })
    for (const headers of [[], [basic('mallory', 'guess')]]) {
      const alive = await ask(server.port, '/-/healthz', ...headers)
      assert.deepEqual([alive.status, alive.body], [200, '{"alive":true}\n'])
      assert.equal(alive.headers['cache-control'], 'no-store')
      const ready = await ask(server.port, '/-/readyz', ...headers)
      assert.deepEqual([ready.status, ready.body], [200, '{"ready":true,"reasons":[]}\n'])
    }
    for (const path of ['/-/healthz', '/-/readyz']) {
      const answer = await fetch(server.url + path, { method: 'HEAD' })
      assert.equal(answer.status, 200)
      assert.equal(await answer.text(), '')
    }
    for (const method of ['PUT', 'POST', 'DELETE'])
      assert.ok((await fetch(`${server.url}/-/healthz`, { method })).status >= 400, method)
  })

  test('a server whose store was moved away is alive, not ready, and ready again once it is back', async (context) => {
    const directory = mkdtempSync(join(tmpdir(), 'pubsubd-health-'))
    context.after(() => rmSync(directory, { recursive: true }))
    const storage = join(directory, 'events')
    await using server = await startPubsub({ server: { backlog: { size: 10, storage } } })
    await asksUntil(server.port, 200)
    renameSync(`${storage}.pubsubd`, `${storage}.moved`)
    const { ready, reasons } = JSON.parse(await asksUntil(server.port, 503))
    assert.equal(ready, false)
    assert.deepEqual(reasons, ['nothing can be stored now: the log of the server says why'])
    assert.equal((await fetch(`${server.url}/-/readyz`, { method: 'HEAD' })).status, 503)
    assert.equal((await ask(server.port, '/-/healthz')).status, 200)
    renameSync(`${storage}.moved`, `${storage}.pubsubd`)
    await asksUntil(server.port, 200)
  })

  test('beyond the limit of connections a server is alive, and not ready', async () => {
    await using server = await startPubsub({ limits: { connections: 1 } })
    await using first = await RawClient.open(server.port)
    first.send(get('/'))
    await first.head()
    const alive = await ask(server.port, '/-/healthz')
    assert.equal(alive.status, 200)
    assert.equal(alive.headers['connection'], 'close')
    assert.equal((await ask(server.port, '/-/readyz')).status, 503)
  })
})
