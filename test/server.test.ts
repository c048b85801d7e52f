import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { LONELYPS } from '../src/protocols/lonelyps/lonelyps.ts'
import { RawClient } from './http/raw-client.ts'
import { eventsUpToNow, get, listen, put, startPubsub } from './http/requests.ts'
import { startInProcess } from './in-process-server.ts'
import { tlsSection } from './http/tls-section.ts'
import { Command } from './cli/command.ts'

async function refusesConnections(port: number): Promise<boolean> {
  try {
    await using _client = await RawClient.open(port)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED'
  }
}

test('a door that listens on ports of its own is told at the start, behind those of HTTP', async (t) => {
  const open = LONELYPS.open.bind(LONELYPS)
  t.mock.method(LONELYPS, 'open', async (...wanted: Parameters<typeof open>) => {
    const door = await open(...wanted)
    return Object.assign(door, { urls: ['tcp://127.0.0.1:27000', 'tcp://127.0.0.1:27001'] })
  })
  await using server = await startInProcess({
    config: 'server: {bind: 127.0.0.1, port: 0}\nclients: {}\nprotocols: {lonelyps: {}}\n',
  })
  assert.deepEqual(server.urls, [server.url, 'tcp://127.0.0.1:27000', 'tcp://127.0.0.1:27001'])
})

describe('a stop', { concurrency: true }, () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    test(`${signal}: streams on both ports are told, and the process is gone`, async () => {
      await using server = await startPubsub({ server: { tls: tlsSection() } })
      await using plain = await listen(server, '/?since=1ms')
      await using unasking = await listen(server)
      await using idle = await RawClient.open(server.port)
      await using halfSent = await RawClient.open(server.port)
      halfSent.send('PUT / HTTP/1.1\r\nContent-Length: 10\r\n\r\n{')
      await using secure = await RawClient.open(server.tlsPort!, { tls: true })
      secure.send(get('/?on_gap=live'))
      await secure.head()
      await secure.line()

      const exit = server.stop(signal)
      for (const [stream, port] of [
        [plain, server.port],
        [secure, server.tlsPort!],
      ] as const) {
        const { json } = await stream.line()
        assert.deepEqual(Object.keys(json), ['stillalive', 'closing'])
        assert.equal(json.closing.reason, 'shutdown')
        assert.ok(json.closing.retry_after_ms > 0)
        assert.ok(await refusesConnections(port), 'the port was closed before')
        assert.equal(await stream.rest(), '', 'no last chunk')
      }
      assert.equal(await unasking.rest(), '', 'nothing that PyPubSub would not say')
      await idle.rest()
      await halfSent.rest()
      assert.deepEqual(await exit, { code: 0, signal: null })
      assert.match(server.output(), new RegExp(`${signal}: stopping`))
    })

  test('each stream is asked to come back at another time, within server.drain_window', async () => {
    await using server = await startPubsub({ server: { drain_window: '1.7s' } })
    await using streams = new AsyncDisposableStack()
    const asked: number[] = []
    const said: Promise<string>[] = []
    for (let n = 0; n < 40; n++) {
      const client = streams.use(await RawClient.open(server.port))
      client.send(
        get('/a', `Accept: ${n % 2 === 0 ? 'text/event-stream' : 'application/x-ndjson'}`),
      )
      await client.head()
      said.push(client.rest())
    }
    await server.stop()
    for (const text of await Promise.all(said)) {
      const times = [...text.matchAll(/(?:^retry: |"retry_after_ms": )(\d+)/gm)].map(([, ms]) =>
        Number(ms),
      )
      assert.ok(times.length > 0)
      asked.push(...times)
      // A farewell of server-sent events says it twice, and the opening before it another one.
      if (times.length > 1) assert.equal(times.at(-1), times.at(-2))
    }
    assert.ok(
      asked.every((ms) => ms >= 1_000 && ms <= 1_700),
      asked.join(),
    )
    assert.ok(new Set(asked).size > 30, asked.join())
  })

  test('streams that do not read hold it up no longer', async () => {
    await using server = await startPubsub({ server: { backlog: { size: 1_000 } } })
    await using stopped = await listen(server, '/flood')
    stopped.socket.pause()
    await using publisher = await RawClient.open(server.port)
    for (let i = 0; i < 100; i++)
      await publisher.ask(put('/flood', `{"filling": "${'x'.repeat(90_000)}"}`))
    assert.deepEqual(await server.stop(), { code: 0, signal: null })
  })

  test('what was accepted before reaches the streams before they end', async () => {
    await using server = await startPubsub()
    await using stream = await listen(server, '/?since=1ms')
    await using publisher = await RawClient.open(server.port)
    publisher.send(Buffer.concat(Array.from({ length: 100 }, (_, n) => put('/a', `{"n": ${n}}`))))
    await publisher.answer()
    const exit = server.stop()
    let seen = 0
    let line = await stream.line()
    for (; !line.isControl; line = await stream.line()) assert.equal(line.json.n, seen++)
    let accepted = 1
    const rest = await publisher.rest()
    accepted += rest.split('202 Accepted').length - 1
    assert.equal(seen, accepted)
    await exit
  })
})

describe('listening', { concurrency: true }, () => {
  test('it is told where, and what could go wrong behind a proxy', async () => {
    await using server = await startPubsub({ server: { tls: tlsSection() } })
    await server.printed(/info listening on http:\/\/127\.0\.0\.1:\d+\n/)
    await server.printed(/info listening on https:\/\/127\.0\.0\.1:\d+\n/)
    await server.printed(
      /warn clients\.payloaders lists a loopback address and clients\.trust_proxy/,
    )
    const [, pid] = await server.printed(
      /info pubsubd \d+\.\d+\.\d+, pid (\d+), at most \d+ open files\n/,
    )
    assert.equal(Number(pid), server.process.pid)
  })

  test('a port in use ends the start with a message, and the other port is given back', async () => {
    await using other = await occupiedPort()
    const port = await freePort()
    const output = await failedStart({ port, tls: { ...tlsSection(), port: other.port } })
    assert.match(output, new RegExp(`error .*EADDRINUSE.*127\\.0\\.0\\.1:${other.port}`))
    assert.ok(await refusesConnections(port))
  })

  test('an address that is not ours ends the start with a message', async () => {
    const output = await failedStart({ bind: '192.0.2.1', port: 0 })
    assert.match(output, /error .*EADDRNOTAVAIL.*192\.0\.2\.1/)
  })

  test('an address list that is none ends the start and names the setting', async () => {
    const output = await failedStart({ port: 0 }, { payloaders: ['10.0.0.0/8', 'nonsense'] })
    assert.match(output, /error .*clients\.payloaders.*nonsense/)
  })

  test('`::` is IPv6 only', async () => {
    await using server = await startPubsub({
      server: { bind: '::' },
      clients: { payloaders: ['::1'] },
    })
    await using client = await RawClient.open(server.port, { host: '::1' })
    assert.equal((await client.ask(put('/a', '{}'))).status, 202)
    assert.ok(await refusesConnections(server.port))
    assert.match(server.output(), /listening on http:\/\/\[::\]:\d+\n/)
  })
})

test('a thousand streams that come and go leave nothing behind', async () => {
  await using server = await startPubsub()
  await using stream = await listen(server, '/marker')
  for (let i = 0; i < 10; i++) {
    const streams = await Promise.all(Array.from({ length: 100 }, () => listen(server)))
    for (const each of streams) each.reset()
  }
  assert.deepEqual(await eventsUpToNow(server, stream), [[]])
  assert.doesNotMatch(server.output(), /error|bug/)
})

/** A start that is expected to fail: what it says. */
async function failedStart(server: object, clients: object = {}): Promise<string> {
  const config = { server: { bind: '127.0.0.1', ...server }, clients }
  await using command = new Command({ 'pubsub.yaml': JSON.stringify(config) }, [])
  assert.equal(await command.exit(), 1)
  return command.stderr
}

async function occupiedPort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}

async function freePort(): Promise<number> {
  await using occupied = await occupiedPort()
  return occupied.port
}
