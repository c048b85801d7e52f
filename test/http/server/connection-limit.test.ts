import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FIRST } from '../../config/certificates.ts'
import { TemporaryFiles } from '../../config/temporary-files.ts'
import { startServer } from '../../running-server.ts'
import { RawClient } from '../raw-client.ts'
import { get, put, request, startPubsub } from '../requests.ts'

const TEXT = /^\d+ connections are open, which is the limit \(limits\.connections\); try again/

describe('beyond limits.connections', () => {
  test('each request is refused in the form that it asks for, and the connection is closed', async () => {
    await using server = await startPubsub({
      limits: { connections: 1 },
      protocols: { lonelyps: {} },
    })
    await using first = await RawClient.open(server.port)
    assert.equal((await first.ask(put('/a', '{}'))).status, 202)
    const handshake = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
    for (const bytes of [
      get('/a'),
      get('/-/readyz'),
      request('HEAD', '/a'),
      put('/a', 'x'.repeat(3_000_000)),
      put('/-/lonelyps/v1/notify', 'x'),
      get('/-/lonelyps/v1/websocket', ...handshake, 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='),
    ]) {
      await using client = await RawClient.open(server.port)
      client.send(bytes)
      const { status, headers } = await client.head()
      assert.deepEqual([status, headers['connection']], [503, 'close'])
      assert.match(headers['retry-after'] ?? '', /^([5-9]|10)$/)
    }
    await using client = await RawClient.open(server.port)
    const { body } = await client.ask(get('/a', 'Accept: application/problem+json'))
    assert.equal(JSON.parse(body).code, 'OVERLOADED')
  })

  test('a connection on which nothing comes is told, too, and is not kept', async () => {
    await using server = await startPubsub({ limits: { connections: 1 } })
    await using first = await RawClient.open(server.port)
    assert.equal((await first.ask(put('/a', '{}'))).status, 202)
    await using client = await RawClient.open(server.port)
    const { status, body } = await client.answer()
    assert.equal(status, 503)
    assert.match(body, TEXT)
    await client.closed()
  })

  test('more than can be answered one by one are told at once, and one line is logged', async () => {
    await using server = await startPubsub({ limits: { connections: 2 } })
    await using clients = await openAll(server.port, 300)
    await answersOf(clients.all, { accepted: 2 })
    assert.equal(linesAbout(server.output()), 1)
  })
})

for (const tls of [false, true])
  test(`without a setting, no more than the open files allow, all others are told: ${tls ? 'TLS' : 'plain'}`, async () => {
    using files = new TemporaryFiles()
    const section = tls
      ? `  tls: {port: 0, cert: ${files.write('c', FIRST.certPem)}, key: ${files.write('k', FIRST.keyPem)}}`
      : ''
    await using server = await startServer({
      config: `
server:
  bind: 127.0.0.1
  port: 0
  backlog: {size: 10, storage: ${files.directory}/events}
${section}
clients: {payloaders: [127.0.0.1]}
`,
      openFilesMax: 128,
    })
    const [, room] = await server.printed(
      /at most 128 open files leave room for (\d+) connections.*ulimit -n, LimitNOFILE/,
    )
    const port = tls ? server.tlsPort! : server.port
    {
      await using clients = await openAll(port, tls ? Number(room) + 10 : 300, tls)
      await answersOf(clients.all, { accepted: Number(room) })
    }
    // All is as before: what was refused holds nothing.
    for (let status = 0; status !== 202;) {
      await using client = await RawClient.open(port, { tls })
      status = (await client.ask(put('/a', '{}'))).status
    }
    assert.equal(linesAbout(server.output()), 1)
    assert.doesNotMatch(server.output(), / error /)
  })

async function openAll(port: number, count: number, tls = false) {
  const all = await Promise.all(Array.from({ length: count }, () => RawClient.open(port, { tls })))
  return {
    all,
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map((client) => client[Symbol.asyncDispose]()))
    },
  }
}

/** All ask at once: so many are accepted, all others are told why they are not. */
async function answersOf(clients: readonly RawClient[], { accepted }: { accepted: number }) {
  for (const client of clients) client.send(put('/a', '{}'))
  const answers = await Promise.all(clients.map((client) => client.answer()))
  const refused = answers.filter(({ status }) => status === 503)
  for (const { body } of refused) assert.match(body, TEXT)
  assert.equal(answers.filter(({ status }) => status === 202).length, accepted)
  assert.equal(refused.length, clients.length - accepted)
}

function linesAbout(output: string): number {
  return output.split('\n').filter((line) => line.includes('further ones are refused')).length
}
