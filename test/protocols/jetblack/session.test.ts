import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { AddressList } from '../../../src/auth/address-list.ts'
import { ANONYMOUS } from '../../../src/auth/identity.ts'
import { LiveLogin } from '../../../src/auth/live-login.ts'
import { Hub } from '../../../src/hub/hub.ts'
import { MemoryEventLog } from '../../../src/log/memory/memory-event-log.ts'
import { Policy } from '../../../src/auth/policy.ts'
import { Authorisation } from '../../../src/protocols/jetblack/authorisation.ts'
import { Bus } from '../../../src/protocols/jetblack/bus.ts'
import { FeedRules } from '../../../src/protocols/jetblack/feed-rules.ts'
import { Session, type SessionOptions } from '../../../src/protocols/jetblack/session.ts'
import { startInProcess, type InProcessServer } from '../../in-process-server.ts'
import { Client, config, fromClient, isReady, sent, stale } from './client.ts'
import { write } from './wire.ts'

test('what comes over HTTP is heard here, and the other way round', async () => {
  await using server = await startInProcess({ config: config() })
  using client = new Client(server)
  client.socket.write(write.subscription('fruits', 'apples'))
  await isReady(server, client, '/fruits/apples')
  const stream = await fetch(`${server.url}/LSE?count=1`)
  client.socket.write(write.publication('LSE', 'VOD', '{"bid": 1.50}'))
  const text = await stream.text()
  assert.match(text, /^\{"bid": 1\.50, .*"pubsub_path": "\/LSE\/VOD"/m)
})

test('a publication is heard by whoever takes its subscription back right behind it', async () => {
  await using server = await startInProcess({ config: config() })
  using client = new Client(server)
  client.socket.write(
    Buffer.concat([
      write.subscription('a', 'b'),
      write.publication('a', 'b', 'first'),
      write.subscription('a', 'b', false),
      write.publication('a', 'b', 'second'),
      write.subscription('a', 'b'),
      write.publication('a', 'b', 'third'),
    ]),
  )
  await client.expects(fromClient('b', 'first'), fromClient('b', 'third'))
})

test('what a publisher has sent before its end comes before the notice that it is stale', async () => {
  await using server = await startInProcess({ config: config() })
  using subscriber = new Client(server)
  subscriber.socket.write(write.subscription('a', 'b'))
  await isReady(server, subscriber, '/a/b')
  using publisher = new Client(server)
  const texts = Array.from({ length: 50 }, (_, n) => `number ${n}`)
  publisher.socket.end(Buffer.concat(texts.map((text) => write.publication('a', 'b', text))))
  await subscriber.expects(
    ...texts.map((text) => sent('nobody', '127.0.0.1', 'a', 'b', text)),
    stale('a', 'b'),
  )
})

test('what HTTP publishes leaves nothing stale', async () => {
  await using server = await startInProcess({ config: config() })
  using subscriber = new Client(server)
  subscriber.socket.write(write.subscription('a', 'b'))
  await isReady(server, subscriber, '/a/b')
  using other = new Client(server)
  other.socket.write(write.subscription('a', 'b'))
  await isReady(server, other, '/a/b')
  other.socket.end()
  await other.ends()
  subscriber.forget()
  await isReady(server, subscriber, '/a/b')
})

test('pairs at the same path are told apart, and a private event is not shown', async () => {
  await using server = await startInProcess({ config: config() })
  using client = new Client(server)
  client.socket.write(
    Buffer.concat([
      write.subscription('a/b', 'c'),
      write.subscription('private', 'c'),
      write.publication('a', 'b/c', 'not this one'),
      write.publication('private', 'c', 'nor this one'),
      write.publication('a/b', 'c', 'this one'),
    ]),
  )
  await client.expects(sent('nobody', '127.0.0.1', 'a/b', 'c', 'this one'))
})

test('who may not publish over HTTP may not here, and nobody speaks as the server', async () => {
  const settings = config()
  await using server = await startInProcess({
    config: settings.replace(
      'payloaders: [127.0.0.1]',
      'payloaders: [127.0.0.1], secure_topics: [LSE]',
    ),
  })
  using client = new Client(server)
  client.socket.write(
    Buffer.concat([
      write.subscription('LSE', 'VOD'),
      write.subscription('__admin__', 'heartbeat'),
      write.subscription('a', 'b'),
      write.publication('LSE', 'VOD', 'no'),
      write.publication('__admin__', 'heartbeat', 'no'),
      write.publication('', 'b', 'no'),
      write.publication('a', 'b', 'yes'),
    ]),
  )
  await fetch(`${server.url}/__admin__/heartbeat`, { method: 'PUT', body: '{}' })
  await client.expects(sent('nobody', '127.0.0.1', 'a', 'b', 'yes'))
})

/** An authoriser's answer. */
function answer(id: Buffer, topic: string, isRequired: boolean, ...entitlements: number[]): Buffer {
  return Buffer.concat([
    Buffer.of(7),
    id,
    write.text('AUTH'),
    write.text(topic),
    Buffer.of(isRequired ? 1 : 0),
    write.integer(entitlements.length),
    ...entitlements.map((each) => write.integer(each)),
  ])
}

/** Resolves with the id of the subscriber. */
async function isAsked(client: Client, topic: string): Promise<Buffer> {
  const tail = Buffer.concat(['127.0.0.1', 'nobody', 'AUTH', topic].map((each) => write.text(each)))
  while (client.received.length < 17 + tail.length) await pause(2)
  assert.equal(client.received[0], 6)
  const id = client.received.subarray(1, 17)
  assert.deepEqual(client.received.subarray(17), tail)
  client.forget()
  return id
}

test('on a feed with authorisers the answer makes the subscription, a later one changes what is seen, and a refusal takes it away', async () => {
  await using server = await startInProcess({
    config: config(', feeds: {AUTH: {authorize: [nobody], entitlements: [7]}}'),
  })
  using client = new Client(server) // everybody is nobody, so it is asked about itself
  client.socket.write(
    Buffer.concat([write.subscription('AUTH', 'T'), write.publication('AUTH', 'T', 'too soon')]),
  )
  const id = await isAsked(client, 'T')
  client.socket.write(answer(id, 'T', true, 7, 8))
  // The packet of a publication here names no entitlements, and that of another door has those of the feed.
  client.socket.write(write.publication('AUTH', 'T', 'unseen'))
  const none = Buffer.concat([
    Buffer.of(8),
    ...['nobody', '127.0.0.1', 'AUTH', 'T'].map((each) => write.text(each)),
    Buffer.of(0),
    write.integer(0),
  ])
  await client.expects(none)
  await fetch(`${server.url}/AUTH/T`, { method: 'PUT', body: '{"n": 1}' })
  const fromHttp = Buffer.concat([
    Buffer.of(8),
    ...['nobody', 'localhost', 'AUTH', 'T'].map((each) => write.text(each)),
    Buffer.of(0),
    write.integer(1),
    write.integer(1),
    write.integer(7),
    write.text('{"n": 1}'),
  ])
  await client.expects(fromHttp)
  client.socket.write(answer(id, 'T', false))
  client.socket.write(write.publication('AUTH', 'T', 'seen'))
  await client.expects(sent('nobody', '127.0.0.1', 'AUTH', 'T', 'seen'))
  client.socket.write(answer(id, 'T', true))
  client.socket.write(write.publication('AUTH', 'T', 'not any more'))
  await client.expects(stale('AUTH', 'T'), none)
})

test('what waits for an authoriser is taken back by whoever has asked, and an answer that nobody waits for changes nothing', async () => {
  await using server = await startInProcess({
    config: config(', feeds: {AUTH: {authorize: [nobody]}}'),
  })
  using client = new Client(server)
  client.socket.write(write.subscription('AUTH', 'T'))
  const id = await isAsked(client, 'T')
  client.socket.write(
    Buffer.concat([
      write.subscription('AUTH', 'T', false),
      answer(id, 'T', false),
      answer(id, 'other', false),
      answer(Buffer.alloc(16), 'T', false),
      write.publication('AUTH', 'T', 'unheard'),
      write.publication('AUTH', 'other', 'unheard'),
      write.subscription('a', 'b'),
      write.publication('a', 'b', 'heard'),
    ]),
  )
  await client.expects(fromClient('b', 'heard'))
})

test('what is published on a feed with authorisers is private at every other door', async () => {
  await using server = await startInProcess({
    config: config(', feeds: {AUTH: {authorize: [mary]}}'),
    acl: '{tom: {password: p, acl: {all: [AUTH]}}}',
  })
  const streamed = (headers: Record<string, string>) =>
    fetch(`${server.url}/${headers['Authorization'] === undefined ? '' : 'private/AUTH'}?count=1`, {
      headers: { ...headers, Accept: 'application/x-ndjson' },
    })
  const everybody = await streamed({})
  const tom = await streamed({ Authorization: `Basic ${Buffer.from('tom:p').toString('base64')}` })
  using client = new Client(server)
  client.socket.write(
    Buffer.concat([
      write.publication('AUTH', 'T', 'secret'),
      write.publication('a', 'b', 'public'),
    ]),
  )
  assert.match(await tom.text(), /\n\{"data":"secret", /)
  const seen = await everybody.text()
  assert.match(seen, /\n\{"data":"public", /)
  assert.doesNotMatch(seen, /secret/)
})

test('who logs in wrongly is closed without a byte, and who does not log in has no right', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-jetblack-'))
  const passwords = join(directory, 'passwords.json')
  const digest = createHash('sha1').update('p').digest('base64')
  writeFileSync(passwords, JSON.stringify({ tom: { Salt: '', Hash: digest } }))
  await using server = await startInProcess({
    config: config(
      `, authentication: passwords, passwords: ${JSON.stringify(passwords)}, feeds: {a: {publish: [tom]}}`,
    ),
  })
  rmSync(directory, { recursive: true })
  const subscription = write.subscription('a', 'b')
  for (const bytes of [
    subscription,
    Buffer.concat([write.text('Username=tom;Password=q'), subscription]),
    Buffer.concat([write.text('Username=mary;Password=p'), subscription]),
    Buffer.concat([write.text('Password=p'), subscription]),
    Buffer.concat(['tom', 'q', '', ''].map((each) => write.text(each))),
  ]) {
    using client = new Client(server)
    client.socket.write(bytes)
    await client.ends()
    assert.equal(client.received.length, 0)
  }
  using client = new Client(server)
  client.socket.write(
    Buffer.concat([
      write.text('Username=tom;Password=p;Application=test'),
      subscription,
      write.publication('a', 'b', 'hello'),
    ]),
  )
  await client.expects(sent('tom', '127.0.0.1', 'a', 'b', 'hello'))
})

/** The last event as one client gets it: the id is the client's own, which it is not told otherwise. */
function isImage(message: Buffer, user: string, host: string, feed: string, topic: string): number {
  const head = Buffer.concat([Buffer.of(9), write.text(user), write.text(host)])
  assert.equal(message.subarray(0, head.length).toString('latin1'), head.toString('latin1'))
  const pair = Buffer.concat([write.text(feed), write.text(topic)])
  const at = head.length + 16
  assert.equal(message.subarray(at, at + pair.length).toString('latin1'), pair.toString('latin1'))
  return at + pair.length
}

test('with `image: last` a subscription begins with the last event of its topic, once, and what comes behind it follows', async () => {
  await using server = await startInProcess({ config: config(', feeds: {a: {image: last}}') })
  const publish = (text: string) =>
    fetch(`${server.url}/a/b`, { method: 'PUT', body: JSON.stringify({ text }) })
  await publish('first')
  await publish('last')
  using client = new Client(server)
  const own = 'own'.padEnd(300)
  client.socket.write(
    Buffer.concat([
      write.subscription('a', 'b'),
      write.subscription('a', 'b'),
      write.subscription('a', 'none'),
      write.publication('a', 'b', own),
      write.publication('a', 'none', own),
      write.subscription('a', 'b', false),
      write.subscription('a', 'b', false),
      write.subscription('a', 'b'),
    ]),
  )
  const live = Buffer.concat([fromClient('b', own), fromClient('none', own)])
  // Live, of the other topic, and as the image of the last subscription.
  while (client.received.toString('latin1').split(own).length < 4) await pause(5)
  const { received } = client
  const text = '{"text":"last"}'
  const image = received.subarray(0, received.indexOf(live))
  const behind = isImage(image, 'nobody', 'localhost', 'a', 'b')
  const packet = Buffer.concat([Buffer.of(1), write.integer(1), write.integer(0), write.text(text)])
  assert.equal(image.subarray(behind).toString('latin1'), packet.toString('latin1'))
  const again = received.subarray(image.length + live.length)
  const mark = isImage(again, 'nobody', '127.0.0.1', 'a', 'b')
  assert.equal(
    again.subarray(mark).toString('latin1'),
    `\x01${fromClient('', own)
      .toString('latin1')
      .slice(-own.length - 12)}`,
  )
})

function loginAs(name: string): Buffer {
  return write.text(`Username=${name};Password=p`)
}

const packetOf = (entitlements: readonly number[], data: string) =>
  Buffer.concat([
    write.integer(entitlements.length),
    ...entitlements.map((each) => write.integer(each)),
    write.text(data),
  ])

test('an image shows only what its reader is entitled to, and its mark is that of the wire', async () => {
  const feeds = `feeds: {a: {image: last, authorize: [mary]}}, authentication: acl`
  await using server = await startInProcess({
    config: config(`, ${feeds}`).replace('{0: is-image}', '{0: content-type}'),
    acl: '{mary: {password: p, acl: {}}, sam: {password: p, acl: {}}}',
  })
  using mary = new Client(server)
  mary.socket.write(loginAs('mary'))
  const pair = Buffer.concat([write.text('a'), write.text('b')])
  mary.socket.write(
    Buffer.concat([
      Buffer.of(1),
      pair,
      write.text('text/plain'),
      write.integer(2),
      packetOf([1], 'one'),
      packetOf([2], 'two'),
    ]),
  )
  using sam = new Client(server)
  sam.socket.write(Buffer.concat([loginAs('sam'), write.subscription('a', 'b')]))
  while (mary.received.length === 0) await pause(5)
  const asked = mary.received
  assert.equal(asked[0], 6)
  mary.socket.write(
    Buffer.concat([
      Buffer.of(7),
      asked.subarray(1, 17),
      pair,
      Buffer.of(1),
      write.integer(1),
      write.integer(2),
    ]),
  )
  while (sam.received.length === 0) await pause(5)
  const rest = sam.received.subarray(isImage(sam.received, 'mary', '127.0.0.1', 'a', 'b'))
  const expected = Buffer.concat([write.text('text/plain'), write.integer(1), packetOf([2], 'two')])
  assert.equal(rest.toString('latin1'), expected.toString('latin1'))
})

test('further topics than are allowed are dropped, and the connection goes on', async () => {
  await using server = await startInProcess({ config: config(', subscriptions_per_peer: 2') })
  using client = new Client(server)
  client.socket.write(
    Buffer.concat([
      ...['1', '2', '3', '1'].map((topic) => write.subscription('a', topic)),
      ...['3', '2', '1'].map((topic) => write.publication('a', topic, topic)),
    ]),
  )
  await client.expects(fromClient('2', '2'), fromClient('1', '1'))
})

test('what is no message, too long, or HTTP, is closed without a byte, and nobody else notices', async () => {
  await using server = await startInProcess({ config: config(', max_message_size: 1KiB') })
  using subscriber = new Client(server)
  subscriber.socket.write(write.subscription('a', 'b'))
  await isReady(server, subscriber, '/a/b')
  const long = 'x'.repeat(2_000)
  for (const bytes of [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.from('050000ffff', 'hex'),
    Buffer.from('05ffffffff', 'hex'),
    Buffer.from('0500000001ff', 'hex'),
    write.publication('a', 'b', long),
    Buffer.concat([write.publication('a', 'b', 'fine'), Buffer.of(99)]),
    Buffer.from('ff', 'hex'),
  ]) {
    using client = new Client(server)
    client.socket.write(bytes)
    await client.ends()
    assert.equal(client.received.length, 0, bytes.toString('hex').slice(0, 40))
  }
  await subscriber.expects(sent('nobody', '127.0.0.1', 'a', 'b', 'fine'), stale('a', 'b'))
})

/**
 * A subscriber that does not read while 60 MB are published. `unread`: before it goes on, by the one who has published it, and has read it, too,
 * where it is `alsoReads`.
 */
async function slowReader(
  server: InProcessServer,
  alsoReads: boolean,
  unread: (quick: Client) => Promise<void>,
) {
  const slow = new Client(server)
  slow.socket.write(write.subscription('a', 'b'))
  await isReady(server, slow, '/a/b')
  slow.socket.pause()
  using quick = new Client(server)
  if (alsoReads) quick.socket.write(write.subscription('a', 'b'))
  quick.socket.write(write.subscription('a', 'end'))
  await isReady(server, quick, '/a/end')
  for (let n = 0; n < LARGE; n++) quick.socket.write(write.publication('a', 'b', largeText(n)))
  quick.socket.write(write.publication('a', 'end', 'end'))
  const end = sent('nobody', '127.0.0.1', 'a', 'end', 'end')
  while (!quick.endsWith(end)) await pause(10)
  await unread(quick)
  slow.socket.resume()
  return slow
}

/** More than the kernel takes for a peer that does not read (net.ipv4.tcp_rmem, mostly 6 to 32 MiB). */
const LARGE = 1_200

function largeText(n: number): string {
  return `${n}`.padEnd(50_000, 'x')
}

const SMALL_QUEUE = 'limits: {queue_bytes: 64KiB}\n'

test('a reader that is slow delays nobody, and then gets everything in its order, also that somebody has gone meanwhile', async () => {
  await using server = await startInProcess({ config: config('', SMALL_QUEUE) })
  using slow = await slowReader(server, true, async (quick) => {
    using other = new Client(server)
    other.socket.end(write.publication('a', 'b', 'other'))
    quick.forget()
    // `quick` has published there, too, so that nothing is stale as long as it is there.
    await quick.expects(fromClient('b', 'other'))
    quick.socket.end()
    await quick.ends()
    await fetch(`${server.url}/a/b`, { method: 'PUT', body: '{}' })
  })
  await slow.expects(
    ...Array.from({ length: LARGE }, (_, n) => fromClient('b', largeText(n))),
    fromClient('b', 'other'),
    stale('a', 'b'),
    sent('nobody', 'localhost', 'a', 'b', '{}'),
  )
})

test('a reader that is slow is closed where the log no longer has what it is to get', async () => {
  const kept = config('', SMALL_QUEUE).replace('size: 10000', 'size: 10')
  await using server = await startInProcess({ config: kept })
  using slow = await slowReader(server, false, async () => {})
  await slow.ends()
  assert.ok(slow.received.length < LARGE * 50_000)
})

/** A session on a connection that is none: what it writes goes nowhere, and is never taken. */
function sessionAlone(options: Readonly<Record<string, unknown>>) {
  const bus = new Bus(() => null)
  const rules = new FeedRules([])
  const socket = Object.assign(new Duplex({ read() {}, write() {} }), {
    setNoDelay() {},
    setKeepAlive() {},
    remoteAddress: '127.0.0.1',
    bytesWritten: 0,
  })
  const session = new Session(socket as unknown as Socket, 'is-image', {
    bus,
    rules,
    authorisation: new Authorisation(bus, rules),
    policy: new Policy({ publishers: new AddressList(['127.0.0.1']), secureTopics: [] }),
    logins: null,
    dropped() {},
    ...options,
    limits: {
      queueBytesMax: 1e6,
      messageBytesMax: 1e6,
      stallTimeoutMs: 30,
      handshakeTimeoutMs: 0,
      topicsMax: 10,
      jsonDepthMax: 10,
    },
  } as unknown as SessionOptions)
  return { session, socket }
}

test('one that is subscribed to nothing and takes no byte of its notices is closed after a while', async () => {
  const { session, socket } = sessionAlone({})
  await pause(100)
  assert.ok(!socket.destroyed, 'nothing is due to it')
  session.send(Buffer.alloc(10))
  await once(socket, 'close')
})

test('one that takes no byte of what is told beside the events is closed once that is too much', async () => {
  const log = new MemoryEventLog({ eventsMax: 10, maxAgeMs: 0, bytesMax: 1e6 })
  const limits = { queueBytesMax: 1e6, stallTimeoutMs: 1e6, topicFiltersMax: 10, conditionsMax: 10 }
  using hub = new Hub(log, limits)
  const { session, socket } = sessionAlone({ hub })
  socket.push(write.subscription('a', 'b'))
  while (hub.subscriberCount === 0) await pause(5)
  const notice = Buffer.alloc(100_000)
  // As much is queued as may be, and as much waits behind the events.
  for (let n = 0; n < 20; n++) session.send(notice)
  await pause(20)
  assert.ok(!socket.destroyed)
  for (let n = 0; n < 3; n++) session.send(notice)
  await once(socket, 'close')
})

test('what somebody has sent whose login ends meanwhile is not done any more', async () => {
  const login = new LiveLogin({ ...ANONYMOUS, name: 'tom' })
  const stored: PromiseWithResolvers<void>[] = []
  const { socket } = sessionAlone({
    logins: { asksFor: 'password', gate: { login: async () => ({ type: 'accepted', login }) } },
    hub: {
      store() {
        stored.push(Promise.withResolvers<void>())
        return stored.at(-1)!.promise
      },
    },
  })
  const publications = Array.from({ length: 1_500 }, () => write.publication('a', 'b', 'x'))
  socket.push(Buffer.concat([write.text('Username=tom;Password=p'), ...publications]))
  // So many at once; the others have come, and wait.
  while (stored.length < 1_024) await pause(5)
  login.change(ANONYMOUS)
  for (const { resolve } of stored) resolve()
  await once(socket, 'close')
  await pause(20)
  assert.equal(stored.length, 1_024)
})

test('whose login ends before it has begun is nobody', async () => {
  const login = new LiveLogin({ ...ANONYMOUS, name: 'tom' })
  login.change(ANONYMOUS)
  const { socket } = sessionAlone({
    logins: { asksFor: 'password', gate: { login: async () => ({ type: 'accepted', login }) } },
  })
  socket.push(write.text('Username=tom;Password=p'))
  await once(socket, 'close')
})

test('a stop ends all connections, those that are subscribed and those that are not', async () => {
  await using server = await startInProcess({ config: config() })
  using subscribed = new Client(server)
  subscribed.socket.write(write.subscription('a', 'b'))
  await isReady(server, subscribed, '/a/b')
  using silent = new Client(server)
  await once(silent.socket, 'connect')
  await server.stop()
  await Promise.all([subscribed.ends(), silent.ends()])
})

test('a port that is taken is told with its setting', async () => {
  await using server = await startInProcess({ config: config() })
  const { port } = new URL(server.urls.find((url) => url.startsWith('tcp:'))!)
  await assert.rejects(
    startInProcess({ config: config().replace('{0: is-image}', `{${port}: is-image}`) }),
    {
      message: new RegExp(
        `^protocols\\.jetblack\\.ports\\.${port} ${port} cannot be listened on: `,
      ),
    },
  )
})
