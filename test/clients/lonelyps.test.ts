import assert from 'node:assert/strict'
import { hash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { FIRST } from '../config/certificates.ts'
import { startServer, type RunningServer } from '../running-server.ts'
import { ClientProcess } from './client-process.ts'
import { CuttableProxy } from './cuttable-proxy.ts'
import { LonelypsClient } from './lonelyps-client.ts'
import { missing } from '../programs.ts'
import { portForRestarts, publish } from './pubsub-server.ts'

const MISSING = missing('lonelypsc') || missing('curl')

/** Becomes little shorter by itself. */
const DICTIONARY = randomBytes(9_000).toString('base64')

/** `to-broadcaster` and `to-subscriber` of the reference's secrets files. */
const WAYS_TO_AUTHORIZE = {
  none: [],
  token: ['token', 'token'],
  hmac: ['hmac', 'hmac'],
  'hmac one way and a token the other': ['hmac', 'token'],
} as const

type Way = keyof typeof WAYS_TO_AUTHORIZE

function secretsFile(directory: string, name: string, way: Way): string {
  const [toBroadcaster, toSubscriber] = WAYS_TO_AUTHORIZE[way]
  const file = join(directory, name)
  const secrets = {
    version: '2',
    'to-broadcaster': direction(toBroadcaster),
    'to-subscriber': direction(toSubscriber),
  }
  writeFileSync(file, JSON.stringify(secrets))
  return file
}

function direction(type: 'hmac' | 'token' | undefined): object | undefined {
  return type && { type, secret: randomBytes(64).toString('base64url') }
}

interface Broadcaster extends RunningServer {
  /** For everybody; `null`: nobody proves anything. */
  readonly secrets: string | null
  /** Of a user who may see private events of `svn`. */
  readonly readerSecrets: string
}

async function start(
  way: Way,
  { port = 0, payloaders = '127.0.0.1', countedFor = '100s' } = {},
): Promise<Broadcaster> {
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-lonelyps-'))
  writeFileSync(join(directory, 'cert.pem'), FIRST.certPem)
  writeFileSync(join(directory, 'key.pem'), FIRST.keyPem)
  writeFileSync(join(directory, 'dictionary'), DICTIONARY)
  const secrets = way === 'none' ? null : secretsFile(directory, 'secrets.json', way)
  const readerSecrets = secretsFile(directory, 'reader.json', way === 'none' ? 'hmac' : way)
  const users = way === 'none' ? '' : `users: {reader: reader.json}, secrets: secrets.json,`
  const config = `
server:
  bind: 127.0.0.1
  port: ${port}
  tls: { port: 0, cert: cert.pem, key: key.pem }
  backlog: { size: 1000, storage: log }
clients: { payloaders: [${payloaders}] }
protocols:
  lonelyps: { ${users} dictionaries: {2: {file: dictionary}}, webhooks: { allow: [127.0.0.1], timeout: 100s, counted_for: ${countedFor} } }
`
  const acl = 'reader: { password: unused, acl: { subversion: [svn] } }'
  const server = await startServer({ config, acl, directory })
  return { ...server, secrets, readerSecrets }
}

/** Again with its files. It is gone with the first one. */
function startAgain({ directory }: RunningServer): Promise<RunningServer> {
  const config = readFileSync(join(directory, 'pubsub.yaml'), 'utf8')
  return startServer({ config, directory })
}

function curl(url: string): Promise<ClientProcess> {
  return new ClientProcess('curl', ['-sSN', url]).opened()
}

async function put({ url }: RunningServer, path: string, body: string): Promise<void> {
  const answer = await fetch(url + path, { method: 'PUT', body })
  assert.equal(answer.status, 202, await answer.text())
}

const MIB = 1024 * 1024

for (const mode of ['http', 'ws'] as const)
  describe(`lonelypsc over ${mode}`, { skip: MISSING, concurrency: 4 }, () => {
    for (const way of Object.keys(WAYS_TO_AUTHORIZE) as Way[])
      test(`authorized by ${way}: what it notifies it hears, and HTTP does, and it hears HTTP`, async () => {
        await using server = await start(way)
        await using stream = await curl(`${server.url}/apples`)
        await using client = await LonelypsClient.start(mode, server.url, server)
        await client.listen({ exact: ['fruits/apples'] })

        assert.equal(await client.notify('fruits/apples', '{"n": 1.0}'), 1)
        assert.equal((await client.message()).text, '{"n": 1.0}')
        const { json, text } = await stream.event()
        assert.deepEqual(json['pubsub_topics'], ['fruits', 'apples'])
        assert.ok(text.includes('"n": 1.0'), text)

        assert.equal(await client.notify('fruits/apples', 'Grüße\n'), 1)
        assert.equal((await client.message()).text, 'Grüße\n')
        assert.equal((await stream.event()).json['data'], 'Grüße\n')

        await put(server, '/fruits', '{"n": 2}')
        await put(server, '/fruits/apples', '{"n":  3.50, "n2": []}')
        const { topic, text: received } = await client.message()
        assert.equal(topic, 'fruits/apples')
        assert.equal(received, '{"n":  3.50, "n2": []}')
        assert.deepEqual(await client.finish(), [])
        assert.equal(await notifiedBy(server, 'fruits/apples'), 0)
      })

    for (const way of ['token', 'hmac'] as const)
      test(`is refused with the secrets of somebody else (${way})`, async () => {
        await using server = await start(way)
        for (const secrets of [null, secretsFile(server.directory, 'others.json', way)]) {
          const environment = { CONNECT_RETRIES: '0' }
          await using client = await LonelypsClient.start(mode, server.url, {
            secrets,
            environment,
          })
          if (mode === 'http')
            assert.equal(await client.notify('a', 'x'), 'PubSubRequestRefusedError')
          else assert.equal(await client.status(), 'abandoned')
        }
        const stream = await fetch(`${server.url}/?since=all&timeout=1s`)
        assert.doesNotMatch(await stream.text(), /pubsub_topics/)
      })

    test('hears topics that are no paths and no text, byte by byte', async () => {
      await using server = await start('hmac')
      await using client = await LonelypsClient.start(mode, server.url, server)
      const topics = ['a\xff', '', '/a', 'a//b', 'a/', '-/a', 'a b%20,?#']
      await client.listen({ exact: topics })
      for (const topic of topics) {
        assert.equal(await client.notify(topic, `on ${topic}`), 1, topic)
        const message = await client.message()
        assert.deepEqual([message.topic, message.text], [topic, `on ${topic}`])
      }
    })

    test('hears by glob what matches', async () => {
      await using server = await start('hmac')
      await using client = await LonelypsClient.start(mode, server.url, server)
      await client.listen({ glob: ['fruits/*', '[!a-m]?ots/beet', '**/pit/**'] })
      const topics = ['fruits', 'fruits/apples', 'roots/beet', 'boots/beet', 'a/pit/b', 'a/pitb']
      const counts = []
      for (const topic of topics) counts.push(await client.notify(topic, topic))
      assert.deepEqual(counts, [0, 1, 1, 0, 1, 0])
      await put(server, '/fruits/pears', '{}')
      assert.deepEqual(await client.texts(4), ['fruits/apples', 'roots/beet', 'a/pit/b', '{}'])
      assert.deepEqual(await client.finish(), [])
    })

    test('hears everything in order, from whoever it comes', async () => {
      await using server = await start('hmac')
      await using client = await LonelypsClient.start(mode, server.url, server)
      await client.listen({ exact: ['a'] })
      const published = []
      for (let n = 0; n < 300; n++) {
        published.push(`{"n":${n}}`)
        if (n % 10 === 0) assert.equal(await client.notify('a', `{"n":${n}}`), 1)
        else await publish(server, '/a', { n })
      }
      assert.deepEqual(await client.texts(300), published)
      assert.deepEqual(await client.finish(), [])
    })

    test('does not hear what it has left, and still the rest', async () => {
      await using server = await start('hmac')
      await using client = await LonelypsClient.start(mode, server.url, server)
      await client.listen({ exact: ['a', 'b'] })
      await client.listen({ exact: ['b', 'c'] })
      await client.leave(0)
      assert.equal(await client.notify('a', 'on a'), 0)
      assert.equal(await client.notify('b', 'on b'), 1)
      assert.equal(await client.notify('c', 'on c'), 1)
      assert.deepEqual(await client.texts(2), ['on b', 'on c'])
      await client.listen({ exact: ['a'] })
      assert.equal(await client.notify('a', 'on a again'), 1)
      assert.deepEqual(await client.texts(1), ['on a again'])
      assert.deepEqual(await client.finish(), [])
    })

    test('sees private events if its secrets are those of a user who may', async () => {
      await using server = await start('hmac')
      const topic = 'private/svn/commits'
      const secrets = server.readerSecrets
      await using reader = await LonelypsClient.start(mode, server.url, { secrets })
      await using anybody = await LonelypsClient.start(mode, server.url, server)
      await reader.listen({ exact: [topic, 'a'] })
      // Over HTTP who is nobody is told that nothing would come; a WebSocket knows no such answer.
      await anybody.listen({ exact: mode === 'http' ? ['a'] : [topic, 'a'] })
      await put(server, `/${topic}`, '{"n": 1}')
      assert.equal(await anybody.notify(topic, '{"n": 2}'), 1)
      assert.equal(await anybody.notify('a', '{"n": 3}'), 2)
      assert.deepEqual(await reader.texts(3), ['{"n": 1}', '{"n": 2}', '{"n": 3}'])
      assert.deepEqual(await anybody.texts(1), ['{"n": 3}'])
    })

    test('works over TLS', async () => {
      await using server = await start('hmac')
      const environment = { SSL_CERT_FILE: join(server.directory, 'cert.pem') }
      const url = `https://localhost:${server.tlsPort}`
      const { secrets } = server
      await using client = await LonelypsClient.start(mode, url, { secrets, environment })
      await client.listen({ exact: ['a'] })
      assert.equal(await client.notify('a', 'x'), 1)
      assert.deepEqual(await client.texts(1), ['x'])
    })

    test('is told that it may not publish where it may not', async () => {
      await using server = await start('hmac', { payloaders: '192.0.2.1' })
      const environment = { CONNECT_RETRIES: '2' }
      const { secrets } = server
      await using client = await LonelypsClient.start(mode, server.url, { secrets, environment })
      await client.listen({ exact: ['a'] })
      // A WebSocket knows no refusal but its end; the client tries again as often as it was told to.
      const refusal = mode === 'http' ? 'PubSubRequestRefusedError' : 'PubSubRequestAmbiguousError'
      assert.equal(await client.notify('a', 'x'), refusal)
      const stream = await fetch(`${server.url}/?since=all&timeout=1s`)
      assert.doesNotMatch(await stream.text(), /pubsub_topics/)
    })

    for (const signal of ['SIGTERM', 'SIGKILL'] as const)
      test(`goes on by itself after a restart of the server that ended by ${signal}`, async () => {
        await using server = await start('hmac', { port: await portForRestarts() })
        await using client = await LonelypsClient.start(mode, server.url, server)
        await client.listen({ exact: ['a'], glob: ['b/*'] })
        assert.equal(await client.notify('a', '1'), 1)
        await server.stop(signal)
        await using second = await startAgain(server)
        // Before it says this it has come back, and has what it had.
        assert.equal(await client.notify('b/c', '2'), 1)
        await publish(second, '/a', { n: 3 })
        const heard = new Set(await client.texts(1))
        // After a kill the last one may come again over http.
        while (!heard.has('{"n":3}')) heard.add((await client.message()).text)
        assert.deepEqual([...heard], ['1', '2', '{"n":3}'])
        assert.deepEqual(await client.finish(), [])
      })
  })

describe('lonelypsc', { skip: MISSING, concurrency: 4 }, () => {
  test('sends and receives great messages between both modes, and small ones behind them', async () => {
    await using server = await start('hmac')
    await using overHttp = await LonelypsClient.start('http', server.url, server)
    await using overWs = await LonelypsClient.start('ws', server.url, server)
    for (const client of [overHttp, overWs]) await client.listen({ exact: ['a'] })
    for (const sender of [overHttp, overWs])
      for (const size of [5 * MIB, 20 * MIB]) {
        const { notified, sha256 } = await sender.notifyBytes('a', size)
        assert.equal(notified, 2)
        assert.equal(await sender.notify('a', `behind ${size}`), 2)
        for (const receiver of [overHttp, overWs]) {
          assert.equal((await receiver.message()).sha256, sha256)
          assert.deepEqual(await receiver.texts(1), [`behind ${size}`])
        }
      }
    for (const client of [overHttp, overWs]) assert.deepEqual(await client.finish(), [])
  })

  test('over ws may send small parts, expanded headers, and ask for compression', async () => {
    await using server = await start('hmac')
    const environment = { PART_BYTES: '20000', HEADERS: 'expanded', COMPRESSION: '1' }
    const { secrets } = server
    await using client = await LonelypsClient.start('ws', server.url, { secrets, environment })
    await client.listen({ exact: ['a'] })
    for (const size of [19_000, 500_000]) {
      const { notified, sha256 } = await client.notifyBytes('a', size)
      assert.equal(notified, 1)
      assert.equal((await client.message()).sha256, sha256)
    }
  })

  for (const [count, bytes, compression] of [
    [1, 1_600_000, '1'],
    [1, 3_000_000, '1'],
    [100, 100_000, ''],
    [100, 100_000, '1'],
    [30, 300_000, ''],
  ] as const)
    test(`over ws hears everything behind ${count} messages of ${bytes} bytes in a burst${compression && ', compressed'}`, async () => {
      await using server = await start('none')
      const environment: Record<string, string> = compression === '' ? {} : { COMPRESSION: '1' }
      const { secrets } = server
      await using client = await LonelypsClient.start('ws', server.url, { secrets, environment })
      await client.listen({ exact: ['a'] })
      const texts = Array.from({ length: count }, (_, n) =>
        JSON.stringify({ n, data: randomBytes(bytes * 0.7).toString('base64') }),
      )
      for (let n = 0; n < 20; n++) texts.push(`{"small":${n}}`)
      // Not one after the other: the server gets them as fast as it takes them.
      const great = bytes > 100_000 ? texts.slice(0, count) : []
      const notified = great.map(async (text) => assert.equal(await client.notify('a', text), 1))
      await Promise.all(notified)
      await Promise.all(texts.slice(great.length).map((text) => put(server, '/a', text)))
      const heard = []
      while (heard.length < texts.length) heard.push((await client.message()).sha256)
      assert.deepEqual(heard.toSorted(), texts.map(sha256Of).toSorted())
      assert.equal(await client.notify('a', 'last'), 1)
      assert.deepEqual(await client.texts(1), ['last'])
      assert.deepEqual(await client.finish(), [])
    })

  for (const way of ['none', 'hmac'] as const)
    test(`over ws compresses in both directions, and others do not notice (${way})`, async () => {
      await using server = await start(way)
      await using proxy = await CuttableProxy.to(server.port)
      const { secrets } = server
      await using plain = await LonelypsClient.start('ws', server.url, server)
      await using compressing = await LonelypsClient.start('ws', `http://127.0.0.1:${proxy.port}`, {
        secrets,
        environment: { COMPRESSION: '1', DICTIONARY: join(server.directory, 'dictionary') },
      })
      for (const client of [plain, compressing]) {
        await client.listen({ exact: ['a'] })
        while ((await client.status()) !== 'established');
      }
      // The last one needs the dictionary; the one before becomes little shorter in any case.
      const texts = [
        'x'.repeat(5 * MIB),
        Array.from({ length: 10_000 }, (_, n) => `line ${n}\n`).join(''),
        randomBytes(15_000).toString('base64'),
        `${DICTIONARY}!`,
      ]
      for (const sender of [plain, compressing])
        for (const text of texts) {
          const [asked, answered] = [proxy.asked.length, proxy.answered.length]
          assert.equal(await sender.notify('a', text), 2)
          for (const receiver of [plain, compressing])
            assert.equal((await receiver.message()).sha256, sha256Of(text))
          const [sent, received] = [proxy.asked.length - asked, proxy.answered.length - answered]
          const isShorter = text !== texts[2]
          if (sender === compressing && isShorter) assert.ok(sent < OVERHEAD + text.length / 3)
          assert.equal(received < OVERHEAD + text.length / 3, isShorter, `${received} bytes`)
        }
      for (const client of [plain, compressing]) assert.deepEqual(await client.finish(), [])
    })

  // Of 20,000 bytes, all of which are the message's before it is compressed, it sends two parts, and signs the second otherwise.
  test('over ws may send in parts what compressing has made longer', async () => {
    await using server = await start('hmac')
    await using proxy = await CuttableProxy.to(server.port)
    const environment = { PART_BYTES: '20000', COMPRESSION: '1' }
    const { secrets } = server
    const url = `http://127.0.0.1:${proxy.port}`
    await using client = await LonelypsClient.start('ws', url, { secrets, environment })
    await client.listen({ exact: ['a'] })
    for (const size of [19_700, 19_800, 19_860, 19_900, 19_990, 20_100]) {
      const { notified, sha256 } = await client.notifyBytes('a', size)
      assert.equal(notified, 1)
      assert.equal((await client.message()).sha256, sha256)
    }
    // Refused, it would have come back, and sent it otherwise.
    assert.equal(proxy.asked.match(/GET .* HTTP/g)?.length, 1)
    assert.deepEqual(await client.finish(), [])
  })

  test('over http is told that it has missed something, once it can be reached again', async () => {
    await using server = await start('hmac')
    const port = await portForRestarts()
    await using proxy = await CuttableProxy.to(port)
    const environment = { RECEIVER_PORT: `${port}`, RECEIVER_PUBLIC_PORT: `${proxy.port}` }
    const { secrets } = server
    await using client = await LonelypsClient.start('http', server.url, { secrets, environment })
    assert.equal(await client.status(), 'established')
    await client.listen({ exact: ['a'], glob: ['b/*'] })
    assert.equal(await client.notify('a', 'before'), 1)
    proxy.refuse()
    assert.equal(await client.notify('a', 'meanwhile'), 0)
    proxy.goOn()
    assert.equal(await client.status(), 'lost')
    assert.equal(await client.status(), 'established')
    assert.equal(await client.notify('a', 'after'), 1)
    assert.deepEqual(await client.texts(2), ['before', 'after'])
    assert.deepEqual(await client.finish(), [])
  })

  test('over http with fragments in its url: each fragment is a subscriber of its own', async () => {
    await using server = await start('hmac')
    const { secrets } = server
    const port = `${await portForRestarts()}`
    const startAt = (environment: Record<string, string>) =>
      LonelypsClient.start('http', server.url, { secrets, environment })
    await using client = await startAt({ RECEIVER_PORT: port, FRAGMENT: '#1' })
    // It says that it is at the same place, and listens elsewhere.
    await using other = await startAt({
      RECEIVER_PORT: `${await portForRestarts()}`,
      RECEIVER_PUBLIC_PORT: port,
      FRAGMENT: '#2',
    })
    await client.listen({ exact: ['a'] })
    await other.listen({ exact: ['b'] })
    for (const topic of ['a', 'b', 'a']) assert.equal(await client.notify(topic, topic), 1)
    assert.deepEqual(await client.texts(2), ['a', 'a'])
    assert.deepEqual(await other.finish(), [])
    assert.equal(await client.notify('b', 'b'), 0)
    assert.equal(await client.notify('a', 'still'), 1)
    assert.deepEqual(await client.texts(1), ['still'])
  })

  test('over http may take its time for a message: its sender does not wait for it, and nothing is missed', async () => {
    await using server = await start('hmac', { countedFor: '5s' })
    await using client = await LonelypsClient.start('http', server.url, server)
    await client.listen({ exact: ['slow'], take: 6 })
    await client.listen({ exact: ['quick'] })
    assert.equal(await client.notify('slow', '1'), 0)
    await put(server, '/quick', '{"n": 2}')
    assert.deepEqual(await client.texts(2), ['1', '{"n": 2}'])
    assert.equal(await client.notify('quick', '3'), 1)
    assert.deepEqual(await client.texts(1), ['3'])
    assert.deepEqual(await client.finish(), [])
    assert.deepEqual(client.statuses, ['established', 'abandoned'])
  })

  test('over ws that has stood still gets all that came meanwhile once it reads again, and goes on', async () => {
    await using server = await start('hmac')
    await using sleeper = await LonelypsClient.start('ws', server.url, server)
    await using sender = await LonelypsClient.start('http', server.url, server)
    await sleeper.listen({ exact: ['a', 'b'] })
    assert.equal(await sender.notify('a', 'before'), 1)
    assert.deepEqual(await sleeper.texts(1), ['before'])
    while (sleeper.statuses.length > 0) await sleeper.status()
    sleeper.pause()
    const sent = []
    for (let n = 1; n <= 20; n++) {
      const { sha256 } = await sender.notifyBytes('a', MIB / 2 + n)
      sent.push(sha256)
    }
    sleeper.goOn()
    const received: string[] = []
    const back = new AbortController()
    const read = async () => {
      for (let text: string | null = null; text !== 'after';) {
        const message = await sleeper.message()
        text = message.text
        if (text !== 'after') received.push(message.sha256)
      }
      back.abort()
    }
    const write = async () => {
      while (!back.signal.aborted) {
        assert.equal(await sender.notify('b', 'after'), 1)
        await sleep(100)
      }
    }
    await Promise.all([read(), write()])
    assert.deepEqual(received, sent)
  })

  test('over http asks for single subscriptions beside more than 512', async () => {
    await using server = await start('hmac')
    await using proxy = await CuttableProxy.to(server.port)
    const url = `http://127.0.0.1:${proxy.port}`
    await using client = await LonelypsClient.start('http', url, server)
    const many = Array.from({ length: 600 }, (_, n) => `many/${n}`)
    await client.listen({ exact: many })
    await client.listen({ exact: ['one'] })
    await client.listen({ glob: ['one/*'] })
    for (const topic of ['one', 'one/more', 'many/0', 'many/599'])
      assert.equal(await client.notify(topic, topic), 1, topic)
    await client.leave(1)
    assert.equal(await client.notify('one', 'left'), 0)
    assert.equal(await client.notify('many/300', 'many/300'), 1)
    const heard = ['one', 'one/more', 'many/0', 'many/599', 'many/300']
    assert.deepEqual(await client.texts(5), heard)
    const asked = proxy.asked.matchAll(/POST \/-\/lonelyps\/v1\/(?!notify)(\S+) HTTP/g)
    assert.deepEqual(
      Array.from(asked, ([, path]) => path),
      ['set_subscriptions', 'subscribe/exact', 'subscribe/glob', 'unsubscribe/exact'],
    )
    assert.deepEqual(await client.finish(), [])
    assert.equal(await notifiedBy(server, 'many/0'), 0)
  })
})

/** Of a message's headers and acknowledgements, signed, about. */
const OVERHEAD = 1_000

function sha256Of(text: string): string {
  return hash('sha256', text, 'hex')
}

/** How many get a notification now, by one who is subscribed to nothing. */
async function notifiedBy(server: Broadcaster, topic: string): Promise<unknown> {
  await using client = await LonelypsClient.start('http', server.url, server)
  return await client.notify(topic, 'is anybody there?')
}
