import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mock, test } from 'node:test'
import { RecentDeliveries } from '../../../src/protocols/lonelyps/recent-deliveries.ts'
import { startInProcess } from '../../in-process-server.ts'
import { madeSecrets, SocketClient } from './socket-client.ts'

test('what throws while an event is made ready for a WebSocket ends that WebSocket, and the publisher has its 202', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-test-'))
  const { secrets, file } = madeSecrets(null, 'token')
  writeFileSync(join(directory, 'secrets.json'), file)
  const config = `
server: {bind: 127.0.0.1, port: 0, backlog: {size: 1000}}
clients: {payloaders: [127.0.0.1]}
protocols: {lonelyps: {secrets: ${directory}/secrets.json}}
`
  await using server = await startInProcess({ config, directory })
  using client = await SocketClient.configured(server.url, secrets)
  await client.subscribe('a')
  const publish = async () => {
    const { status } = await fetch(`${server.url}/a`, { method: 'PUT', body: '{"n":1}' })
    return status
  }
  const broken = mock.method(RecentDeliveries.prototype, 'of', () => {
    throw new Error('planted')
  })
  try {
    assert.equal(await publish(), 202)
    assert.equal((await client.closed()).code, 1011)
  } finally {
    broken.mock.restore()
  }
  using again = await SocketClient.configured(server.url, secrets)
  await again.subscribe('a')
  assert.equal(await publish(), 202)
  await again.has('RECEIVE_STREAM')
})
