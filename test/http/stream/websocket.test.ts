import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { WebSocket as WsClient } from 'ws'
import { FIRST } from '../../config/certificates.ts'
import type { RunningServer } from '../../running-server.ts'
import { RawClient } from '../raw-client.ts'
import {
  clientFrame,
  closeOf,
  handshake,
  serverClose,
  serverFrame,
  upgrade,
  type ServerFrame,
} from '../raw-websocket.ts'
import {
  basic,
  get,
  publish,
  put,
  request,
  sharedPubsub,
  startPubsub,
  streamsLeft,
} from '../requests.ts'
import { tlsSection } from '../tls-section.ts'

const USERS = { alice: { password: 'wonderland', acl: { fruit: ['fruits'] } } }

const server = sharedPubsub(
  {
    server: { backlog: { size: 1_000 }, tls: tlsSection() },
    clients: { bad_credentials: 'reject' },
  },
  USERS,
)

async function open(target: string, on: RunningServer = server()): Promise<RawClient> {
  const client = await RawClient.open(on.port)
  await upgrade(client, target)
  return client
}

/** The next text message, as JSON. */
async function message(client: RawClient) {
  for (;;) {
    const { opcode, payload } = await serverFrame(client)
    if (opcode === 1) return JSON.parse(payload.toString())
    assert.equal(opcode, 9)
  }
}

/** The next message that is an event. */
async function event(client: RawClient) {
  for (;;) {
    const told = await message(client)
    if ('pubsub_topics' in told) return told
  }
}

async function nextOf(client: RawClient, opcode: number): Promise<ServerFrame> {
  for (;;) {
    const frame = await serverFrame(client)
    if (frame.opcode === opcode) return frame
    assert.ok(frame.opcode === 1 || frame.opcode === 9, `opcode ${frame.opcode}`)
  }
}

describe('a WebSocket', () => {
  test('answers a ping with its payload', async () => {
    await using client = await open('/a')
    client.send(clientFrame(9, 'are you there?'))
    assert.equal((await nextOf(client, 10)).payload.toString(), 'are you there?')
  })

  test('answers the newest of many pings at the latest, and is none the worse for answers it did not ask for', async () => {
    await using client = await open('/a')
    const pings = Array.from({ length: 2_000 }, (_, i) => clientFrame(9, String(i)))
    client.send(Buffer.concat([clientFrame(10, 'unasked'), ...pings]))
    for (;;) if ((await nextOf(client, 10)).payload.toString() === '1999') break
  })

  test('answers a close with its code, and closes the connection', async () => {
    await using client = await open('/a')
    client.send(closeOf(3000, 'enough'))
    assert.deepEqual(await serverClose(client), { code: 3000, reason: '' })
    await client.closed()
    await using codeless = await open('/a')
    codeless.send(clientFrame(8))
    assert.deepEqual(await serverClose(codeless), { code: 1005, reason: '' })
    await codeless.closed()
  })

  test('that has said goodbye gets no event any more, and leaves the count', async () => {
    await using own = await startPubsub()
    await using client = await RawClient.open(own.port)
    await upgrade(client, '/a')
    client.send(closeOf(1000))
    await serverClose(client)
    await streamsLeft(own, 0)
    await publish(own, '/a', {})
    await client.closed()
  })

  test('whose client goes without a word leaves the count', async () => {
    await using own = await startPubsub()
    await using halfClosing = await RawClient.open(own.port)
    await upgrade(halfClosing, '/a')
    await using vanishing = await RawClient.open(own.port)
    await upgrade(vanishing, '/a')
    halfClosing.finishSending()
    vanishing.reset()
    await streamsLeft(own, 0)
  })

  test('is closed with the reason of a time that is over, whether or not an event came', async () => {
    await using client = await open('/wait?timeout=100ms')
    assert.ok('opened' in (await message(client)))
    let told = await message(client)
    while (!('closing' in told)) told = await message(client)
    assert.equal(told.closing.reason, 'timeout')
    assert.deepEqual(await serverClose(client), { code: 1000, reason: 'timeout' })
    client.send(closeOf(1000))
    await client.closed()
  })

  test('with a closed range is closed when it has had that', async () => {
    await publish(server(), '/range', { n: 1 })
    await using client = await open('/range?since=all&until=0s')
    assert.deepEqual(await serverClose(client), { code: 1000, reason: 'finished' })
  })

  test('is told that the server goes, and waits for no client that says nothing', async () => {
    await using own = await startPubsub()
    await using client = await RawClient.open(own.port)
    await upgrade(client, '/a')
    await using mute = await RawClient.open(own.port)
    await upgrade(mute, '/a')
    const stopped = own.stop()
    assert.deepEqual(await serverClose(client), { code: 1001, reason: 'shutdown' })
    client.send(closeOf(1001))
    assert.equal((await stopped).code, 0)
  })

  test('whose rights are withdrawn is closed as such', async () => {
    await using own = await startPubsub({}, USERS)
    await using alice = await RawClient.open(own.port)
    await upgrade(alice, '/private/fruits', basic('alice', 'wonderland'))
    await message(alice)
    writeFileSync(join(own.directory, 'pubsub_acl.yaml'), '{}')
    own.process.kill('SIGHUP')
    assert.deepEqual(await serverClose(alice), { code: 1008, reason: 'revoked' })
  })

  test('that is too slow is told so when it reads again', async () => {
    await using own = await startPubsub({
      server: { max_payload_size: 1_000_000 },
      limits: { queue_bytes: '64KiB' },
    })
    await using client = await RawClient.open(own.port)
    await upgrade(client, '/a')
    await message(client)
    client.socket.pause()
    const text = 'x'.repeat(900_000)
    for (let n = 0; n < 20; n++) await publish(own, '/a', { text })
    client.socket.resume()
    assert.deepEqual(await serverClose(client), { code: 1013, reason: 'slow' })
  })

  test('sends messages of every length that has a form of its own', async () => {
    await using client = await open('/lengths')
    const { length: around } = JSON.stringify({ t: '' })
    for (const bytes of [0, 100, 60_000, 70_000]) {
      const t = 'é'.repeat(bytes / 2 - around > 0 ? bytes / 2 - around : 0)
      await publish(server(), '/lengths', { t })
      assert.equal((await event(client)).t, t)
    }
  })
})

describe('what a client sends on a WebSocket', () => {
  const WRONG: Readonly<Record<string, readonly [Buffer, number, RegExp]>> = {
    'a publication': [clientFrame(1, '{"n": 1}'), 1003, /PUT or POST to the same URL/],
    'a binary message': [clientFrame(2, 'x'), 1003, /PUT or POST/],
    'a frame without a mask': [clientFrame(9, 'x', { isMasked: false }), 1002, /mask/],
    'a compressed message': [clientFrame(1, 'x', { reserved: 4 }), 1002, /reserved bits/],
    'a fragmented ping': [clientFrame(9, 'x', { isFinal: false }), 1002, /fragments/],
    'a great ping': [clientFrame(9, 'x'.repeat(126)), 1002, /125 bytes/],
    'a reason that is no text': [clientFrame(8, Buffer.of(3, 232, 255)), 1007, /UTF-8/],
    'an HTTP request': [put('/a', '{}'), 1002, /reserved bits/],
  }
  for (const [what, [bytes, code, reason]] of Object.entries(WRONG))
    test(`${what} ends it with ${code} and a reason, byte by byte, too`, async () => {
      for (const pieces of [[bytes], Array.from(bytes, (byte) => Buffer.of(byte))]) {
        await using client = await open('/a')
        for (const piece of pieces) {
          client.send(piece)
          if (pieces.length > 1) await new Promise(setImmediate)
        }
        const close = await serverClose(client)
        assert.equal(close.code, code)
        assert.match(close.reason, reason)
        // What is still sent is read away, so that no reset swallows the reason.
        client.send(Buffer.alloc(100_000))
        await client.closed()
      }
    })

  test('before the answer is nobody’s business: no request behind it is carried out', async () => {
    await using client = await RawClient.open(server().port)
    const { bytes } = handshake('/early')
    client.send(Buffer.concat([bytes, put('/early', '{"n": 1}'), clientFrame(9, 'early')]))
    assert.equal((await client.head()).status, 101)
    await publish(server(), '/early', { n: 2 })
    assert.equal((await event(client)).n, 2)
  })
})

describe('a request for a WebSocket', () => {
  const upgradeLines = ['Connection: keep-alive, Upgrade', 'Upgrade: WebSocket']
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
  const version = 'Sec-WebSocket-Version: 13'

  test('with the words of others in its headers is one; the accept is that of RFC 6455', async () => {
    await using client = await RawClient.open(server().port)
    client.send(get('/a', ...upgradeLines, key, version))
    const { status, headers } = await client.head()
    assert.deepEqual(
      [status, headers['sec-websocket-accept']],
      [101, 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='],
    )
  })

  const REFUSED: Readonly<Record<string, readonly [Buffer, number, RegExp]>> = {
    'without a key': [
      get('/a', ...upgradeLines, version),
      400,
      /Sec-WebSocket-Key must be 16 bytes/,
    ],
    'with half a key': [
      get('/a', ...upgradeLines, version, 'Sec-WebSocket-Key: c2hvcnQ='),
      400,
      /16 bytes in base64/,
    ],
    'of another version': [
      get('/a', ...upgradeLines, key, 'Sec-WebSocket-Version: 8'),
      426,
      /Sec-WebSocket-Version must be 13/,
    ],
    'whose Upgrade a proxy took off': [get('/a', key, version), 426, /proxy_http_version 1\.1/],
    'to publish': [
      request('PUT', '/a', { body: '{}', headers: [...upgradeLines, key, version] }),
      400,
      /opened with GET.*PUT or POST/,
    ],
    'for a page of the server': [handshake('/-/nothing').bytes, 404, /no such page/],
    'with a wrong query': [handshake('/a?count=0').bytes, 400, /count must be/],
    'with a wrong expression': [handshake('/a?where=a%20%3D%3D').bytes, 400, /at column/],
    'with a cursor that must lead somewhere': [
      handshake('/a?on_gap=fail&cursor=00000000-0000-4000-8000-000000000000').bytes,
      410,
      /not of this log/,
    ],
    'with a wrong password': [
      handshake('/a', basic('alice', 'wrong')).bytes,
      401,
      /user name or password is wrong/,
    ],
  }
  for (const [what, [bytes, status, text]] of Object.entries(REFUSED))
    test(`${what} is refused with ${status}, and the connection stays usable`, async () => {
      await using client = await RawClient.open(server().port)
      const answer = await client.ask(bytes)
      assert.equal(answer.status, status)
      assert.match(answer.body, text)
      if (status === 401) assert.match(answer.headers['www-authenticate']!, /^Basic realm=/)
      if (status === 426)
        assert.deepEqual(
          ['upgrade', 'connection', 'sec-websocket-version'].map((name) => answer.headers[name]),
          ['websocket', 'Upgrade', '13'],
        )
      assert.equal((await client.ask(put('/a', '{}'))).status, 202)
    })

  test('behind a publication on the same connection is answered behind it', async () => {
    await using client = await RawClient.open(server().port)
    const { bytes, accept } = handshake('/behind?since=all')
    client.send(Buffer.concat([put('/behind', '{"n": 1}'), bytes]))
    assert.equal((await client.answer()).status, 202)
    const { status, headers } = await client.head()
    assert.deepEqual([status, headers['sec-websocket-accept']], [101, accept])
    assert.equal((await event(client)).n, 1)
    client.send(clientFrame(9, 'heard?'))
    assert.equal((await nextOf(client, 10)).payload.toString(), 'heard?')
  })

  test('in HTTP/1.0 is refused', async () => {
    const bytes = Buffer.from(handshake('/a').bytes.toString().replace('HTTP/1.1', 'HTTP/1.0'))
    await using client = await RawClient.open(server().port)
    const { status, headers } = await client.ask(bytes)
    assert.deepEqual([status, headers['upgrade']], [426, 'websocket'])
  })

  test('is refused as a problem where that is asked for', async () => {
    await using client = await RawClient.open(server().port)
    const accept = 'Accept: application/problem+json'
    const { status, body } = await client.ask(get('/a', ...upgradeLines, key, accept))
    assert.deepEqual([status, JSON.parse(body).code], [426, 'UPGRADE_REQUIRED'])
  })

  test('beyond the streams of an address is refused', async () => {
    await using own = await startPubsub({ limits: { streams_per_address: 1 } })
    await using first = await open('/a', own)
    assert.ok('opened' in (await message(first)))
    await using second = await RawClient.open(own.port)
    const { status, headers } = await second.ask(handshake('/a').bytes)
    assert.equal(status, 429)
    assert.match(headers['retry-after'] ?? '', /^([5-9]|10)$/)
  })
})

async function statusFor(on: RunningServer, origin: string): Promise<number> {
  await using client = await RawClient.open(on.port)
  client.send(handshake('/a', `Origin: ${origin}`).bytes)
  return (await client.head()).status
}

describe('pages that open a WebSocket', () => {
  const DASH = 'https://dash.example'
  const EVIL = 'https://evil.example'
  const off = sharedPubsub({}, USERS)
  const listed = sharedPubsub({ server: { cors: { origins: [DASH] } } }, USERS)
  const any = sharedPubsub({ server: { cors: { origins: 'any' } } }, USERS)
  const alice = basic('alice', 'wonderland')

  test('may if the rules for pages of other origins let them read', async () => {
    assert.equal(await statusFor(off(), DASH), 403)
    assert.equal(await statusFor(off(), 'null'), 403)
    assert.equal(await statusFor(listed(), DASH), 101)
    assert.equal(await statusFor(listed(), EVIL), 403)
    assert.equal(await statusFor(any(), EVIL), 101)
  })

  test('of our own may, under a name that is ours', async () => {
    for (const [name, status] of [
      ['127.0.0.1', 101],
      ['localhost', 101],
      ['rebound.example', 403],
    ] as const) {
      const host = `${name}:${off().port}`
      await using client = await RawClient.open(off().port)
      client.send(handshake('/a', `Host: ${host}`, `Origin: http://${host}`).bytes)
      assert.equal((await client.head()).status, status)
    }
  })

  test('see what is private only if they are listed, whatever they send', async () => {
    for (const [on, origin, sees] of [
      [listed(), DASH, [1, 2]],
      [any(), EVIL, [2]],
    ] as const) {
      await using client = await RawClient.open(on.port)
      await upgrade(client, '/fruits', `Origin: ${origin}`, alice)
      await publish(on, '/private/fruits', { n: 1 })
      await publish(on, '/fruits', { n: 2 })
      for (const n of sees) assert.equal((await event(client)).n, n)
    }
  })
})

describe('a client of WebSockets: ws', () => {
  test('reads, over TLS too, and hears why it was closed', async () => {
    for (const url of [
      `ws://127.0.0.1:${server().port}/ws?since=all&count=2`,
      `wss://127.0.0.1:${server().tlsPort}/ws?since=all&count=2`,
    ]) {
      const client = new WsClient(url, {
        ca: FIRST.certPem,
      })
      const messages: string[] = []
      client.on('message', (bytes: Buffer) => messages.push(bytes.toString()))
      const closed = once(client, 'close')
      await once(client, 'open')
      assert.equal(client.extensions, '')
      await publish(server(), '/ws', { text: 'é' })
      await publish(server(), '/ws', { text: 'é' })
      const [code, reason] = await closed
      assert.deepEqual([code, String(reason)], [1000, 'finished'])
      const events = messages.filter((text) => text.includes('pubsub_topics'))
      assert.deepEqual(
        events.map((text) => JSON.parse(text).text),
        ['é', 'é'],
      )
    }
  })

  test('is told how to publish, and learns a refusal by its status', async () => {
    const client = new WsClient(`ws://127.0.0.1:${server().port}/a`)
    await once(client, 'open')
    client.send('{"n": 1}')
    const [code, reason] = await once(client, 'close')
    assert.equal(code, 1003)
    assert.match(String(reason), /PUT or POST/)
    const refused = new WsClient(`ws://127.0.0.1:${server().port}/a?count=0`)
    const [error] = await once(refused, 'error')
    assert.match((error as Error).message, /400/)
  })
})

describe("a client of WebSockets: Node's own", () => {
  test('reads, and its close is clean on either side', async () => {
    const url = `ws://127.0.0.1:${server().port}/node`
    const client = new WebSocket(`${url}?since=all&count=1`)
    const closed = once(client, 'close')
    await once(client, 'open')
    await publish(server(), '/node', { n: 1 })
    const [over] = (await closed) as [CloseEvent]
    assert.deepEqual([over.code, over.reason, over.wasClean], [1000, 'finished', true])
    const leaving = new WebSocket(url)
    await once(leaving, 'open')
    leaving.close(3000, 'enough')
    const [left] = (await once(leaving, 'close')) as [CloseEvent]
    assert.deepEqual([left.code, left.wasClean], [3000, true])
  })
})
