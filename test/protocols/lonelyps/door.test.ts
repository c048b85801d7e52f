import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { DEADLINE_MS } from '../../deadline.ts'
import { ByteWriter } from '../../../src/protocols/lonelyps/byte-writer.ts'
import { strongEtag } from '../../../src/protocols/lonelyps/etag.ts'
import { startInProcess } from '../../in-process-server.ts'
import { startServer } from '../../running-server.ts'
import { shared } from '../../shared.ts'
import { SocketClient } from './socket-client.ts'
import { ask, countOf, notifyBody, Receiver, subscribeBody, unsubscribeBody } from './receiver.ts'

const CONFIG = `
server: {bind: 127.0.0.1, port: 0, backlog: {size: 1000, storage: log}}
clients: {payloaders: [127.0.0.1]}
protocols: {lonelyps: {webhooks: {allow: [127.0.0.1]}, max_message_size: 1MiB}}
`

/** Where to ask. */
interface Reached {
  readonly url: string
}

async function published(server: Reached, path: string, body: string): Promise<void> {
  const { status } = await fetch(server.url + path, { method: 'PUT', body })
  assert.equal(status, 202)
}

async function lineOf(server: Reached, path: string): Promise<Record<string, unknown>> {
  const response = await fetch(`${server.url}${path}?since=all&count=1&timeout=10`, {
    headers: { Accept: 'application/x-ndjson' },
  })
  const lines = (await response.text()).trim().split('\n')
  return JSON.parse(lines.find((line) => line.includes('pubsub_topics'))!)
}

test('what is published over HTTP is received as the text that was published, and the other way round', async () => {
  await using server = await startInProcess({ config: CONFIG })
  await using receiver = await Receiver.start()
  const { status, body } = await ask(
    server.url,
    '/v1/subscribe/exact',
    subscribeBody(receiver.url, 'fruits/apples'),
  )
  assert.equal(status, 200)
  assert.equal(body.toString('hex'), '000300000000')
  await published(server, '/fruits/apples', '{"n": 1.0}')
  await published(server, '/fruits', '{"n": 2}')
  await published(server, '/apples/fruits', '{"n": 3}')
  const answer = await ask(server.url, '/v1/notify', notifyBody('fruits/apples', 'hello'))
  assert.equal(answer.status, 200)
  assert.equal(countOf(answer.body), 1)
  assert.deepEqual(receiver.messages, ['{"n": 1.0}', 'hello'])
  const line = await lineOf(server, '/apples')
  assert.equal(line['n'], 1)
  const [received] = receiver.received
  assert.match(String(received!.headers['repr-digest']), /^sha-512=[A-Za-z0-9+/]{86}==$/)
})

test('a notification is an event of its topics, whose payload is the object itself, or data', async () => {
  await using server = await startInProcess({ config: CONFIG })
  for (const [topic, message, path, member, value] of [
    ['a/1', '{"x": 1}', '/a/1', 'x', 1],
    ['a/2', 'text', '/a/2', 'data', 'text'],
    ['a/3', Buffer.of(0xff, 0), '/a/3', 'data_base64', '/wA='],
    ['a/4', '[1]', '/a/4', 'data', '[1]'],
  ] as const) {
    assert.equal((await ask(server.url, '/v1/notify', notifyBody(topic, message))).status, 200)
    const line = await lineOf(server, path)
    assert.equal(line['pubsub_path'], path)
    assert.deepEqual(line['pubsub_topics'], path.slice(1).split('/'))
    assert.equal(line[member], value)
  }
})

test('topics that are no path keep their bytes, and have a form for HTTP', async () => {
  await using server = await startInProcess({ config: CONFIG })
  await using receiver = await Receiver.start()
  const odd = [Buffer.of(0x61, 0x2f, 0xff), Buffer.from('a//b'), Buffer.from(''), Buffer.from('/a')]
  for (const topic of [...odd, Buffer.from('-/lonelyps/topic/YQ')]) {
    const body = new ByteWriter().str16(receiver.url).b16(topic).str16('').str16('').bytes()
    assert.equal((await ask(server.url, '/v1/subscribe/exact', body)).status, 200)
    const answer = await ask(server.url, '/v1/notify', notifyBody(topic, topic))
    assert.equal(countOf(answer.body), 1, topic.toString('hex'))
  }
  const line = await lineOf(server, '/a')
  assert.deepEqual(line['pubsub_topics'], ['a', '\ufffd'])
  assert.equal(line['pubsub_path'], '/-/lonelyps/topic/YS__')
})

test('a glob is asked once for all that it matches, each subscription gets its own copy', async () => {
  await using server = await startInProcess({ config: CONFIG })
  await using receiver = await Receiver.start()
  const subscribe = (type: string, about: string) =>
    ask(server.url, `/v1/subscribe/${type}`, subscribeBody(receiver.url, about))
  await subscribe('glob', 'fruits/*')
  await subscribe('exact', 'fruits/apples')
  const answer = await ask(server.url, '/v1/notify', notifyBody('fruits/apples', 'x'))
  assert.equal(countOf(answer.body), 2)
  const other = await ask(server.url, '/v1/notify', notifyBody('fruits/pears/ripe', 'y'))
  assert.equal(countOf(other.body), 1)
  assert.deepEqual(receiver.messages, ['x', 'x', 'y'])
})

test('receivers that confirm at the same time are all counted', async () => {
  await using server = await startInProcess({ config: CONFIG })
  await using receivers = new AsyncDisposableStack()
  const started = await Promise.all(Array.from({ length: 5 }, () => Receiver.start()))
  for (const receiver of started) {
    receivers.use(receiver)
    const body = subscribeBody(receiver.url, 'a')
    assert.equal((await ask(server.url, '/v1/subscribe/exact', body)).status, 200)
  }
  const answer = await ask(server.url, '/v1/notify', notifyBody('a', 'x'))
  assert.equal(countOf(answer.body), started.length)
})

test('subscribing twice and unsubscribing twice are conflicts', async () => {
  await using server = await startInProcess({ config: CONFIG })
  const url = 'http://127.0.0.1:1/v1/receive'
  for (const [verb, body, status] of [
    ['subscribe', subscribeBody(url, 'a'), 200],
    ['subscribe', subscribeBody(url, 'a', 'http://127.0.0.1:1/v1/recover'), 409],
    ['unsubscribe', unsubscribeBody(url, 'a'), 200],
    ['unsubscribe', unsubscribeBody(url, 'a'), 409],
  ] as const)
    assert.equal((await ask(server.url, `/v1/${verb}/exact`, body)).status, status)
})

test('a list is what the url has from then on, and its etag is what a check answers', async () => {
  await using server = await startInProcess({ config: CONFIG })
  await using receiver = await Receiver.start()
  const set = async (names: readonly string[], recovery: string | null) => {
    const topics = names.map((name) => ({ topic: Buffer.from(name), recovery }))
    const globs = [{ glob: 'g*', recovery }]
    const etag = strongEtag(receiver.url, { topics, globs })
    const body = new ByteWriter().str16('').str16(receiver.url).u8(0).raw(etag).u32(topics.length)
    for (const { topic } of topics) body.b16(topic).str16(recovery ?? '')
    body
      .u32(1)
      .str16('g*')
      .str16(recovery ?? '')
    const { status } = await ask(server.url, '/v1/set_subscriptions', body.bytes())
    assert.equal(status, 200)
    const check = new ByteWriter().str16('').str16(receiver.url).bytes()
    const answer = await ask(server.url, '/v1/check_subscriptions', check)
    assert.equal(answer.body.toString('hex'), `00050000000000${etag.toString('hex')}`)
  }
  const many = Array.from({ length: 40 }, (_, i) => `t${String(i).padStart(2, '0')}`)
  await set(many, null)
  await set(many.slice(10), receiver.recovery)
  await set([], null)
  const counts = []
  for (const topic of ['t05', 't20', 'glob'])
    counts.push(countOf((await ask(server.url, '/v1/notify', notifyBody(topic, topic))).body))
  assert.deepEqual(counts, [0, 0, 1])
})

test('a receiver that does not want a subscription has it no more, the others go on', async () => {
  await using server = await startInProcess({ config: CONFIG })
  await using receiver = await Receiver.start()
  for (const topic of ['a', 'b'])
    await ask(server.url, '/v1/subscribe/exact', subscribeBody(receiver.url, topic))
  receiver.manner = 'unsubscribe'
  assert.equal(countOf((await ask(server.url, '/v1/notify', notifyBody('a', '1'))).body), 0)
  receiver.manner = 'confirm'
  assert.equal(countOf((await ask(server.url, '/v1/notify', notifyBody('a', '2'))).body), 0)
  assert.equal(countOf((await ask(server.url, '/v1/notify', notifyBody('b', '3'))).body), 1)
  assert.deepEqual(receiver.messages, ['1', '3'])
})

test('a receiver that failed is told what it has missed, again and again until it confirms', async () => {
  await using server = await startInProcess({ config: CONFIG, times: { missedSecondMs: 20 } })
  await using receiver = await Receiver.start()
  await using other = await Receiver.start()
  await ask(server.url, '/v1/subscribe/exact', subscribeBody(receiver.url, 'a', receiver.recovery))
  receiver.manner = 'fail'
  assert.equal(countOf((await ask(server.url, '/v1/notify', notifyBody('a', '1'))).body), 0)
  await receiver.has(2)
  receiver.manner = 'confirm'
  await receiver.has(3)
  assert.deepEqual(
    receiver.received.map(({ path }) => path),
    ['/v1/receive', '/v1/recover', '/v1/recover'],
  )
  // It is still subscribed, and told no more while another is told three times.
  assert.equal(countOf((await ask(server.url, '/v1/notify', notifyBody('a', '2'))).body), 1)
  await ask(server.url, '/v1/subscribe/exact', subscribeBody(other.url, 'b', other.recovery))
  other.manner = 'fail'
  await ask(server.url, '/v1/notify', notifyBody('b', '3'))
  await other.has(4)
  assert.deepEqual(receiver.messages, ['1', null, null, '2'])
})

test('subscriptions and what is to be told survive a kill, and nothing is sent twice that was confirmed', async () => {
  await using server = await startServer({ config: CONFIG })
  await using receiver = await Receiver.start()
  const { port } = receiver
  await ask(server.url, '/v1/subscribe/exact', subscribeBody(receiver.url, 'a', receiver.recovery))
  await published(server, '/a', '{"n": 1}')
  await receiver.has(1)
  await receiver[Symbol.asyncDispose]()
  await published(server, '/a', '{"n": 2}')
  await server.stop('SIGKILL')
  await using again = await startInProcess({
    config: CONFIG,
    directory: server.directory,
    times: { missedSecondMs: 20 },
  })
  await using back = await Receiver.start(port)
  await back.has(1)
  await published(again, '/a', '{"n": 3}')
  await back.has(2)
  // Which of both comes first is chance; without a word of its failure the second one is sent again.
  const missed = back.messages.find((message) => message !== '{"n": 3}')
  assert.ok(missed === null || missed === '{"n": 2}', String(missed))
  assert.ok(back.messages.includes('{"n": 3}'))
})

test('one receiver that hangs delays nobody else', async () => {
  await using server = await startInProcess({ config: CONFIG })
  await using slow = await Receiver.start()
  await using healthy = await Receiver.start()
  slow.manner = 'hang'
  for (const { url } of [slow, healthy])
    await ask(server.url, '/v1/subscribe/exact', subscribeBody(url, 'a'))
  for (let i = 0; i < 50; i++) await published(server, '/a', `{"n": ${i}}`)
  await healthy.has(50)
  assert.deepEqual(
    healthy.messages,
    Array.from({ length: 50 }, (_, i) => `{"n": ${i}}`),
  )
  assert.equal(slow.received.length, 1)
})

test('an event whose path is longer than a topic can be is no event of lonelyps, and those behind it arrive', async () => {
  const config = `${CONFIG}limits: {head_bytes: 256KiB}\n`
  await using server = await startInProcess({ config })
  await using receiver = await Receiver.start()
  await ask(server.url, '/v1/subscribe/glob', subscribeBody(receiver.url, '*', receiver.url))
  using client = await SocketClient.configured(server.url)
  await client.subscribeGlob('*')
  for (const path of ['/a', `/${'a'.repeat(65_536)}`, `/b/${'é'.repeat(30_000)}`, '/c'])
    await published(server, encodeURI(path), `{"n": ${path.length}}`)
  await receiver.has(3)
  await client.has('RECEIVE_STREAM', 3)
  assert.deepEqual(receiver.messages, ['{"n": 2}', '{"n": 30003}', '{"n": 2}'])
})

test('a receiver gets more than its queue holds, in order', async () => {
  await using server = await startInProcess({ config: CONFIG.replace('size: 1000', 'size: 10000') })
  await using receiver = await Receiver.start()
  await ask(server.url, '/v1/subscribe/glob', subscribeBody(receiver.url, 'many/*'))
  const lines = Array.from({ length: 1_200 }, (_, i) => `{"n": ${i}}`)
  const { status } = await fetch(`${server.url}/many/x`, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/x-ndjson' },
    body: lines.join('\n'),
  })
  assert.equal(status, 202)
  await receiver.has(1_200)
  assert.deepEqual(receiver.messages, lines)
})

test('subscriptions that one address has made leave room for those of others', async () => {
  const config = CONFIG.replace('lonelyps: {', 'lonelyps: {subscriptions_per_address: 2, ').replace(
    'clients: {',
    'clients: {trust_proxy: [127.0.0.1], ',
  )
  await using server = await startInProcess({ config })
  const subscribe = (address: string, topic: string) =>
    ask(server.url, '/v1/subscribe/exact', subscribeBody(URL_OF_NOBODY, topic), {
      'X-Forwarded-For': address,
    })
  assert.equal((await subscribe('192.0.2.1', 'a')).status, 200)
  assert.equal((await subscribe('192.0.2.1', 'b')).status, 200)
  const refused = await subscribe('192.0.2.1', 'c')
  assert.equal(refused.status, 403)
  assert.match(refused.text, /2 stored subscriptions.*lonelyps\.subscriptions_per_address/)
  assert.equal((await subscribe('192.0.2.1', 'a')).status, 409)
  assert.equal((await subscribe('192.0.2.2', 'c')).status, 200)
  assert.equal((await subscribe('2001:db8::1', 'd')).status, 200)
  assert.equal((await subscribe('2001:db8::2', 'e')).status, 200)
  assert.equal((await subscribe('2001:db8::3', 'f')).status, 403)
})

const URL_OF_NOBODY = 'http://127.0.0.1:1/v1/receive'

const refusing = shared(() => startInProcess({ config: CONFIG }))

for (const [what, path, body, status, reason] of [
  ['half a body', '/v1/notify', notifyBody('a', 'b').subarray(0, 20), 400, /ends before/],
  [
    'a message that is too short',
    '/v1/notify',
    notifyBody('a', 'bc').subarray(0, -1),
    400,
    /1 bytes instead of 2/,
  ],
  [
    'a message that is too long',
    '/v1/notify',
    Buffer.concat([notifyBody('a', 'b'), Buffer.of(1)]),
    400,
    /2 bytes instead of 1/,
  ],
  [
    'a message beyond the limit',
    '/v1/notify',
    notifyBody('a', Buffer.alloc(1_048_577)),
    413,
    /limit is 1048576/,
  ],
  [
    'another message than its hash',
    '/v1/notify',
    Buffer.concat([notifyBody('a', 'b').subarray(0, -1), Buffer.of(1)]),
    400,
    /sha-512/,
  ],
  [
    'a url that may not be asked',
    '/v1/subscribe/exact',
    subscribeBody('http://10.1.2.3/v1/receive', 'a'),
    403,
    /webhooks.allow/,
  ],
  [
    'a recovery url that may not be asked',
    '/v1/subscribe/exact',
    subscribeBody('http://127.0.0.1:1/', 'a', 'http://[::1]/'),
    403,
    /webhooks.allow/,
  ],
  [
    'what is no url',
    '/v1/subscribe/exact',
    subscribeBody('file:///etc/passwd', 'a'),
    403,
    /may not be asked/,
  ],
  [
    'a glob that is too long',
    '/v1/subscribe/glob',
    subscribeBody('http://127.0.0.1:1/', '*'.repeat(300)),
    400,
    /limit is 256/,
  ],
  ['a path that is not there', '/v1/notify/', notifyBody('a', 'b'), 404, /nothing at/],
] as const)
  test(`${what} is refused with ${status}, and says why`, async () => {
    const answer = await ask(refusing().url, path, body)
    assert.equal(answer.status, status)
    assert.match(answer.text, reason)
  })

test('a notification may come byte by byte', async () => {
  await using server = await startInProcess({ config: CONFIG })
  const body = notifyBody('slow', '{"n": 1}')
  const head = `POST /-/lonelyps/v1/notify HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`
  const socket = connect(server.port, '127.0.0.1').setNoDelay()
  socket.write(head)
  for (const byte of body) {
    socket.write(Buffer.of(byte))
    await sleep(1)
  }
  const [answer] = (await once(socket, 'data')) as [Buffer]
  assert.match(answer.toString('latin1'), /^HTTP\/1.1 200 OK/)
  socket.destroy()
  assert.equal((await lineOf(server, '/slow'))['n'], 1)
})

test('who may not publish over HTTP may not notify, and foreign pages may not either', async () => {
  const config = CONFIG.replace('payloaders: [127.0.0.1]', 'payloaders: [192.0.2.1]')
  await using server = await startInProcess({ config })
  const refused = await ask(server.url, '/v1/notify', notifyBody('a', 'b'))
  assert.equal(refused.status, 403)
  assert.match(refused.text, /clients.payloaders/)
  // Its client tries again without the message, which would be waited for in vain.
  const head = notifyBody('a', 'b').subarray(0, -1)
  const socket = connect(server.port, '127.0.0.1')
  socket.write('POST /-/lonelyps/v1/notify HTTP/1.1\r\nHost: a\r\n')
  socket.write(`Content-Length: ${head.length + 1}\r\n\r\n`)
  socket.write(head)
  const [answer] = await once(socket, 'data', { signal: AbortSignal.timeout(DEADLINE_MS) })
  assert.match(String(answer), /^HTTP\/1.1 403 /)
  socket.destroy()
  const page = await ask(server.url, '/v1/notify', notifyBody('a', 'b'), {
    Origin: 'https://evil.example',
  })
  assert.equal(page.status, 403)
})

test('without the section nothing is there', async () => {
  const config = CONFIG.replace(/^protocols.*$/m, '')
  await using server = await startInProcess({ config })
  assert.equal((await ask(server.url, '/v1/notify', notifyBody('a', 'b'))).status, 400)
})

for (const about of ['private/a', '/private/a', 'private', 'private/*'])
  test(`who asks for ${about} and is nobody is told why nothing would come, and how to change it`, async () => {
    await using server = await startInProcess({ config: CONFIG })
    const type = about.includes('*') ? 'glob' : 'exact'
    const body = subscribeBody('http://127.0.0.1:1/', about)
    const { status, text } = await ask(server.url, `/v1/subscribe/${type}`, body)
    assert.equal(status, 403)
    assert.match(text, /private events are shown to users .*protocols\.lonelyps\.users/)
  })

test('topics that only begin like private ones are like all others', async () => {
  await using server = await startInProcess({ config: CONFIG })
  for (const topic of ['private-a', 'a/private', 'privateer/a']) {
    const body = subscribeBody('http://127.0.0.1:1/', topic)
    assert.equal((await ask(server.url, '/v1/subscribe/exact', body)).status, 200, topic)
  }
})
