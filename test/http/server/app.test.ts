import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { RawClient } from '../raw-client.ts'
import {
  chunkedBody,
  eventsUpToNow,
  get,
  listen,
  NOT_UNDERSTOOD,
  publish,
  put,
  RECEIVED,
  request,
  sharedPubsub,
  startPubsub,
  streamsLeft,
} from '../requests.ts'
import { tlsSection } from '../tls-section.ts'

const server = sharedPubsub({ server: { tls: tlsSection() } })

describe('pipelining', () => {
  test('publications are answered and published in the order in which they were sent', async () => {
    await using stream = await listen(server())
    await using client = await RawClient.open(server().port)
    // Unpacking the first one takes longer than everything that the others need.
    const noise = Array.from({ length: 90_000 }, () => String.fromCharCode(97 + Math.random() * 26))
    const packed = gzipSync(JSON.stringify({ n: 1, noise: noise.join('') }))
    client.send(
      Buffer.concat([
        put('/a', packed, ['Content-Encoding: gzip']),
        put('/b', 'no JSON'),
        put('/c', '{"n": 2}'),
        request('POST', '/d', { headers: ['Transfer-Encoding: chunked'] }),
        Buffer.from(chunkedBody('{"n"', ': 3}')),
      ]),
    )
    const statuses = []
    for (let i = 0; i < 4; i++) statuses.push((await client.answer()).status)
    assert.deepEqual(statuses, [202, 400, 202, 202])
    const [events] = await eventsUpToNow(server(), stream)
    assert.deepEqual(
      events?.map(({ n }) => n),
      [1, 2, 3],
    )
  })

  test('a batch, which is read bit by bit, is not overtaken by what was sent behind it', async () => {
    await using stream = await listen(server())
    await using client = await RawClient.open(server().port)
    const lines = Array.from({ length: 2_000 }, () => `{"n": 1, "noise": "${'a'.repeat(1_000)}"}`)
    client.send(
      Buffer.concat([
        put('/a', lines.join('\n'), ['Content-Type: application/x-ndjson']),
        put('/b', '{"n": 2}'),
      ]),
    )
    for (let i = 0; i < 2; i++) assert.equal((await client.answer()).status, 202)
    const [events] = await eventsUpToNow(server(), stream)
    assert.deepEqual(
      events?.map(({ n }) => n),
      [...lines.map(() => 1), 2],
    )
  })

  test('a stream behind a publication begins once that is answered', async () => {
    await using client = await RawClient.open(server().port)
    const { body } = await client.ask(Buffer.concat([put('/a', '{"n": 1}'), get('/')]))
    assert.equal(body, RECEIVED)
    assert.equal((await client.head()).status, 200)
    assert.deepEqual(Object.keys((await client.line()).json), ['stillalive'])
    assert.deepEqual(await eventsUpToNow(server(), client), [[]])
  })

  for (const when of ['in the same packet', 'later'])
    test(`requests behind a stream, ${when}, are neither carried out nor answered`, async () => {
      await using witness = await listen(server())
      await using client = await RawClient.open(server().port)
      const behind = Buffer.concat([put('/a', '{"n": 1}'), get('/'), put('/a', '{"n": 2}')])
      client.send(when === 'later' ? get('/') : Buffer.concat([get('/'), behind]))
      const { headers } = await client.head()
      assert.ok((await client.line()).isControl)
      if (when === 'later') client.send(behind)
      await publish(server(), '/b', { n: 3 })
      const [seen, streamed] = await eventsUpToNow(server(), witness, client)
      assert.deepEqual(
        [seen, streamed].map((events) => events?.map(({ n }) => n)),
        [[3], [3]],
      )
      const count = (await publish(server(), '/', {})).headers['x-requests']
      assert.equal(Number(count), Number(headers['x-requests']) + 3, 'they are not counted either')
    })

  for (const when of ['in the same packet', 'later'])
    test(`garbage behind a stream, ${when}, changes nothing`, async () => {
      await using client = await RawClient.open(server().port)
      const garbage = Buffer.from('\0\xffgarbage\r\n\r\n\r\n'.repeat(1_000), 'latin1')
      client.send(when === 'later' ? get('/') : Buffer.concat([get('/'), garbage]))
      assert.equal((await client.head()).status, 200)
      assert.ok((await client.line()).isControl)
      if (when === 'later') client.send(garbage)
      await publish(server(), '/a', { n: 1 })
      const [events] = await eventsUpToNow(server(), client)
      assert.deepEqual(
        events?.map(({ n }) => n),
        [1],
      )
    })

  test('garbage behind a publication is refused after its answer, and closes the connection', async () => {
    await using client = await RawClient.open(server().port)
    client.send(Buffer.concat([put('/a', '{}'), Buffer.from('garbage\r\n\r\n'), put('/a', '{}')]))
    assert.equal((await client.answer()).body, RECEIVED)
    const { status, body, headers } = await client.answer()
    assert.deepEqual([status, body, headers['connection']], [400, NOT_UNDERSTOOD, 'close'])
    await client.closed()
  })

  test('garbage behind a refused stream closes the connection after the refusal', async () => {
    await using client = await RawClient.open(server().port)
    client.send(Buffer.concat([get('/-/nothing'), Buffer.from('garbage\r\n\r\n')]))
    assert.equal((await client.answer()).status, 404)
    await client.closed()
  })

  test('a thousand publications in one packet are all published', async () => {
    await using stream = await listen(server(), '/many')
    await using client = await RawClient.open(server().port)
    client.send(Buffer.concat(Array.from({ length: 1_000 }, (_, n) => put('/many', `{"n": ${n}}`))))
    for (let n = 0; n < 1_000; n++) assert.equal((await client.answer()).status, 202)
    for (let n = 0; n < 1_000; n++) assert.equal((await stream.event()).json.n, n)
  })
})

describe('what is no request', () => {
  const broken: Readonly<Record<string, string>> = {
    garbage: 'garbage\r\n\r\n',
    'a byte above 127 in the target': 'PUT /caf\xe9 HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}',
    'UTF-8 in the target': 'GET /caf\xc3\xa9 HTTP/1.1\r\n\r\n',
    'a NUL in the target': 'GET /a\0b HTTP/1.1\r\n\r\n',
    'a space before the colon': 'PUT / HTTP/1.1\r\nContent-Length : 2\r\n\r\n{}',
    'a header line without a colon': 'GET / HTTP/1.1\r\nHost\r\n\r\n',
    'a bare carriage return in a header': 'GET / HTTP/1.1\r\nX-A: a\rX-B: b\r\n\r\n',
    'HTTP/0.9': 'GET /\r\n\r\n',
    'HTTP/1.2': 'GET / HTTP/1.2\r\n\r\n',
    'HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'a TLS hello': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'an unknown method': 'BREW / HTTP/1.1\r\n\r\n',
    'two lengths': 'PUT / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}',
    'a length that is no number': 'PUT / HTTP/1.1\r\nContent-Length: two\r\n\r\n{}',
    'a negative length': 'PUT / HTTP/1.1\r\nContent-Length: -2\r\n\r\n{}',
    'a length beside chunks':
      'PUT / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
    'a transfer coding that is not chunked': 'PUT / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n{}',
    'a chunk without a size': 'PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{}\r\n0\r\n\r\n',
    'a chunk longer than its size':
      'PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n',
  }
  for (const [what, bytes] of Object.entries(broken))
    test(`${what}: 400 with the usage text, nothing is published, the connection closed`, async () => {
      await using stream = await listen(server())
      await using client = await RawClient.open(server().port)
      const { status, headers, body } = await client.ask(bytes)
      assert.deepEqual([status, body, headers['connection']], [400, NOT_UNDERSTOOD, 'close'])
      assert.equal(headers['content-type'], 'text/plain; charset=utf-8')
      await client.closed()
      assert.deepEqual(await eventsUpToNow(server(), stream), [[]])
    })

  test('CONNECT is refused with the usage text', async () => {
    await using client = await RawClient.open(server().port)
    const { status, body } = await client.ask('CONNECT a.example:80 HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.deepEqual([status, body], [400, NOT_UNDERSTOOD])
    await client.closed()
  })

  for (const method of ['OPTIONS', 'DELETE', 'PATCH', 'PROPFIND', 'TRACE'])
    test(`${method} is refused with the usage text, and the connection stays usable`, async () => {
      await using client = await RawClient.open(server().port)
      const { status, body } = await client.ask(request(method, '/a'))
      assert.deepEqual([status, body], [400, NOT_UNDERSTOOD])
      const withBody = await client.ask(request(method, '/a', { body: '{}' }))
      assert.equal(withBody.body, NOT_UNDERSTOOD)
      assert.equal((await client.ask(put('/a', '{}'))).body, RECEIVED)
    })
})

describe('odd requests that are carried out', () => {
  const odd: Readonly<Record<string, string>> = {
    'without a Host': 'PUT /odd HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}',
    'with an Upgrade':
      'PUT /odd HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\n{}',
    'with a Content-Type that is none':
      'PUT /odd HTTP/1.1\r\nHost: a\r\nContent-Type: ;;\r\nContent-Length: 2\r\n\r\n{}',
    'with an expectation nobody knows':
      'PUT /odd HTTP/1.1\r\nHost: a\r\nExpect: the-unexpected\r\nContent-Length: 2\r\n\r\n{}',
    'with an absolute target':
      'PUT http://a.example/odd HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}',
    'with a query': 'PUT /odd?a=/b#c HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}',
    'with empty lines before it': '\r\n\r\nPUT /odd HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}',
    'in HTTP/1.0': 'PUT /odd HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}',
  }
  for (const [how, bytes] of Object.entries(odd))
    test(`a publication ${how}`, async () => {
      await using stream = await listen(server())
      await using client = await RawClient.open(server().port)
      assert.equal((await client.ask(bytes)).body, RECEIVED)
      const [events] = await eventsUpToNow(server(), stream)
      assert.deepEqual(
        events?.map((event) => [event.pubsub_topics, event.pubsub_path]),
        [[['odd'], '/odd']],
      )
    })

  test('a stream asked for with an Upgrade to what nobody knows is an ordinary stream', async () => {
    await using stream = await listen(server(), '/', 'Connection: Upgrade', 'Upgrade: h2c, irc/6')
    assert.deepEqual(await eventsUpToNow(server(), stream), [[]])
  })

  test('a stream asked for with a body is an ordinary stream', async () => {
    await using client = await RawClient.open(server().port)
    client.send(request('GET', '/', { body: 'PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}' }))
    assert.equal((await client.head()).status, 200)
    assert.deepEqual(await eventsUpToNow(server(), client), [[]])
  })

  test('a path with escapes that spell no UTF-8 is taken as it is written', async () => {
    await using stream = await listen(server(), '/%zz/%ff')
    await publish(server(), '/%zz/%ff', {})
    assert.equal((await stream.event()).json.pubsub_path, '/%zz/%ff')
  })
})

describe('a client that has said that it sends no more', () => {
  for (const count of [1, 2, 20, 300])
    test(`gets all of its ${count} answers`, async () => {
      for (const bytes of [request('HEAD', '/'), put('/half-closed', '{}')]) {
        await using client = await RawClient.open(server().port)
        client.send(Buffer.concat(Array.from({ length: count }, () => bytes)))
        client.finishSending()
        const answers = await client.rest()
        assert.equal(answers.split('HTTP/1.1 20').length - 1, count)
      }
    })

  test('is taken to have gone where it asks for a stream without an end', async () => {
    await using client = await RawClient.open(server().port)
    client.send(get('/half-closed'))
    client.finishSending()
    await client.rest()
  })
})

test('a handshake of another protocol is answered behind all that was asked for before it', async () => {
  await using door = await startPubsub({ protocols: { lonelyps: {} } })
  for (const before of [put('/a', '{}'), request('HEAD', '/'), get('/a?count=x')]) {
    await using client = await RawClient.open(door.port)
    const handshake = get(
      '/-/lonelyps/v1/websocket',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    )
    client.send(Buffer.concat([...Array.from({ length: 30 }, () => before), handshake]))
    for (let n = 0; n < 30; n++) assert.notEqual((await client.answer()).status, 101)
    assert.equal((await client.head()).status, 101)
  }
})

describe('limits of a request', () => {
  const strict = sharedPubsub({
    server: { tls: tlsSection() },
    limits: { head_bytes: 4096, head_timeout: '1s', request_timeout: 1.5 },
    clients: { payloaders: ['127.0.0.1', '10.0.0.1'], trust_proxy: ['127.0.0.1'] },
  })
  const generous = sharedPubsub({
    limits: { head_bytes: '256KiB', connections: 3 },
    clients: { trust_proxy: ['127.0.0.1'] },
  })

  test('a head beyond limits.head_bytes is refused with 431 that names the limit', async () => {
    await using stream = await listen(strict())
    const floods = [
      get(`/${'a'.repeat(5_000)}`),
      get('/', `X-Long: ${'a'.repeat(5_000)}`),
      get('/', ...Array.from({ length: 1_000 }, (_, i) => `X-${i}: a`)),
    ]
    for (const flood of floods) {
      await using client = await RawClient.open(strict().port)
      const { status, body } = await client.ask(flood)
      assert.equal(status, 431)
      assert.match(body, /limit of 4096 bytes \(limits\.head_bytes\)/)
      await client.closed()
    }
    assert.deepEqual(await eventsUpToNow(strict(), stream), [[]])
  })

  test('a flood of header bytes without end is refused, and others are served meanwhile', async () => {
    await using stream = await listen(strict())
    await using client = await RawClient.open(strict().port)
    client.send('GET / HTTP/1.1\r\n')
    for (let i = 0; i < 1_000; i++) client.send(`X-Flood-${i}: ${'a'.repeat(1_000)}\r\n`)
    assert.equal((await client.answer()).status, 431)
    await client.rest()
    assert.deepEqual(await eventsUpToNow(strict(), stream), [[]])
  })

  test('of three thousand headers within the limit the last one counts, too', async () => {
    await using client = await RawClient.open(generous().port)
    const many = Array.from({ length: 3_000 }, (_, i) => `X-${i}: a`)
    const first = await client.ask(put('/a', '{}', many))
    assert.equal(first.body, RECEIVED)
    const last = await client.ask(put('/a', '{}', [...many, 'X-Forwarded-For: 192.0.2.1']))
    assert.equal(last.status, 403, 'from where the proxy says, not from the proxy')
  })

  test('a hundred thousand topics in a path are refused, and the limit is named', async () => {
    await using client = await RawClient.open(generous().port)
    for (const bytes of [put('/a'.repeat(100_000), '{}'), get('/a,b/b'.repeat(40_000))]) {
      const { status, body } = await client.ask(bytes)
      assert.equal(status, 400)
      assert.match(body, /^the path has \d+ topic.*, the limit is 4096 \(limits\.topic/)
    }
    await using other = await RawClient.open(server().port)
    assert.equal((await other.ask(put('/a'.repeat(100_000), '{}'))).status, 431)
  })

  test('ten thousand comma groups are refused, and the limit is named', async () => {
    await using client = await RawClient.open(server().port)
    const { status, body } = await client.ask(get(`/${'a,'.repeat(9_999)}`))
    assert.equal(status, 400)
    assert.equal(
      body,
      'the path has 10000 topic filters, the limit is 4096 (limits.topic_filters); send or ask for less, or have the limit raised\n',
    )
    assert.equal((await client.ask(put('/a', '{}'))).body, RECEIVED)
  })

  test('connections beyond limits.connections are refused with 503, until others have gone', async () => {
    await using first = await RawClient.open(generous().port)
    await using second = await RawClient.open(generous().port)
    {
      await using third = await RawClient.open(generous().port)
      await using fourth = await RawClient.open(generous().port)
      const { status, body } = await fourth.ask(put('/a', '{}'))
      assert.equal(status, 503)
      assert.match(body, /^3 connections are open, .*limits\.connections/)
      await fourth.closed()
      for (const client of [first, second, third])
        assert.equal((await client.ask(put('/a', '{}'))).status, 202)
    }
    for (;;) {
      await using again = await RawClient.open(generous().port)
      const answer = await again.ask(put('/a', '{}')).catch(() => null) // the third may still be there
      if (answer?.status === 202) break
    }
  })

  describe('time', { concurrency: true }, () => {
    const unfinished: Readonly<Record<string, string>> = {
      'a connection that sends nothing': '',
      'a half-sent request line': 'PUT /a',
      'a half-sent head': 'PUT /a HTTP/1.1\r\nHost: a\r\n',
      'a body that does not come': 'PUT /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n',
      'a half-sent body': 'PUT /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{',
      'a chunked body without its end':
        'PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n',
      'a second request that does not end':
        'PUT /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}PUT /a HTTP/1.1\r\n',
    }
    for (const [what, bytes] of Object.entries(unfinished))
      test(`${what}: 408, and the connection is closed`, async () => {
        await using client = await RawClient.open(strict().port)
        client.send(bytes)
        let answer = await client.answer()
        if (answer.status === 202) answer = await client.answer()
        assert.equal(answer.status, 408)
        assert.match(answer.body, /limits\.head_timeout, limits\.request_timeout/)
        await client.closed()
      })

    test('a head that comes byte by byte gets no more time', async () => {
      await using client = await RawClient.open(strict().port)
      client.send('GET / HTTP/1.1\r\nX-Slow: ')
      const drip = setInterval(() => client.send('a'), 100)
      try {
        assert.equal((await client.answer()).status, 408)
      } finally {
        clearInterval(drip)
      }
    })

    test('a connection to the TLS port that sends nothing is closed', async () => {
      await using client = await RawClient.open(strict().tlsPort!)
      await client.rest()
    })

    test('a stream is not hurried', async () => {
      await using stream = await listen(strict(), '/marker')
      await using slow = await RawClient.open(strict().port)
      assert.equal((await slow.answer()).status, 408) // so much time has passed
      assert.deepEqual(await eventsUpToNow(strict(), stream), [[]])
    })
  })

  test('a connection between two publications may be idle for more than a minute', async () => {
    await using client = await RawClient.open(server().port)
    const { headers } = await client.ask(put('/a', '{}'))
    assert.ok(Number(/^timeout=(\d+)$/.exec(headers['keep-alive'] ?? '')?.[1]) > 75)
  })

  test('streams beyond limits.topic_filters_total are refused with 503 until others have gone', async () => {
    await using tight = await startPubsub({ limits: { topic_filters_total: 3 } })
    await using client = await RawClient.open(tight.port)
    {
      await using _stream = await listen(tight, '/a,b,c')
      const { status, headers, body } = await client.ask(get('/d'))
      assert.equal(status, 503)
      assert.match(headers['retry-after'] ?? '', /^\d+$/)
      assert.match(body, /limits\.topic_filters_total/)
      await using _same = await listen(tight, '/c,b,a') // shares theirs
    }
    await streamsLeft(tight, 0)
    await using _other = await listen(tight, '/d')
  })
})

describe('the TLS port', () => {
  test('it serves publishers and streams as the plain one does, and the counts cover both', async () => {
    const { port, tlsPort } = server()
    await using stream = await RawClient.open(tlsPort!, { tls: true })
    stream.send(get('/tls'))
    const before = await stream.head()
    assert.equal(before.statusLine, 'HTTP/1.1 200 OK')
    assert.ok((await stream.line()).isControl)
    await using publisher = await RawClient.open(tlsPort!, { tls: true })
    const { status, body, headers } = await publisher.ask(put('/tls', '{"n": 1}'))
    assert.deepEqual([status, body], [202, RECEIVED])
    assert.equal(Number(headers['x-subscribers']), Number(before.headers['x-subscribers']) + 1)
    assert.equal(Number(headers['x-requests']), Number(before.headers['x-requests']) + 1)
    await using plain = await RawClient.open(port)
    const over = await plain.ask(put('/tls', '{"n": 2}'))
    assert.equal(over.headers['x-subscribers'], headers['x-subscribers'])
    assert.equal(Number(over.headers['x-requests']), Number(headers['x-requests']) + 1)
    assert.deepEqual([(await stream.event()).json.n, (await stream.event()).json.n], [1, 2])
  })

  test('a request in clear text there is closed, and nobody else is disturbed', async () => {
    await using stream = await RawClient.open(server().tlsPort!, { tls: true })
    stream.send(get('/'))
    await stream.head()
    for (const bytes of [get('/'), Buffer.from('\0'.repeat(1_000))]) {
      await using client = await RawClient.open(server().tlsPort!)
      client.send(bytes)
      assert.doesNotMatch(await client.rest(), /HTTP/)
    }
    assert.deepEqual(await eventsUpToNow(server(), stream), [[]])
  })

  test('behind a stream over TLS nothing is carried out', async () => {
    await using client = await RawClient.open(server().tlsPort!, { tls: true })
    client.send(Buffer.concat([get('/'), put('/a', '{}')]))
    await client.head()
    client.send(Buffer.concat([put('/a', '{}'), Buffer.from('garbage\r\n\r\n')]))
    assert.deepEqual(await eventsUpToNow(server(), client), [[]])
  })
})
