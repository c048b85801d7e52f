import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { TemporaryFiles } from '../../config/temporary-files.ts'
import { startInProcess } from '../../in-process-server.ts'
import { notifyBody } from '../../protocols/lonelyps/receiver.ts'
import { shared } from '../../shared.ts'
import { RawClient } from '../raw-client.ts'
import { basic, chunkedBody, get, publish, put, request, streamsLeft } from '../requests.ts'
import { tlsSection } from '../tls-section.ts'

const EVENTS = 2_000

const files = new TemporaryFiles()
after(() => files[Symbol.dispose]())

const server = shared(async () => {
  const started = await startInProcess({
    config: JSON.stringify({
      server: {
        bind: '127.0.0.1',
        port: 0,
        max_payload_size: 1_000,
        tls: tlsSection(),
        backlog: { size: 100_000, storage: join(files.directory, 'events') },
      },
      clients: { payloaders: ['127.0.0.1'], bad_credentials: 'reject' },
      limits: { login_delay: 0, login_refusal: 0, stall_timeout: '2s' },
      protocols: { lonelyps: {} },
    }),
    acl: JSON.stringify({ alice: { password: 'wonderland', acl: { fruit: ['fruits'] } } }),
  })
  const batch = Array.from({ length: EVENTS }, (_, n) => `${JSON.stringify({ n })}\n`).join('')
  await using client = await RawClient.open(started.port)
  const type = 'Content-Type: application/x-ndjson'
  assert.equal((await client.ask(put('/past', batch, [type]))).status, 202)
  return started
})

const ALICE = basic('alice', 'wonderland')
const http10 = (bytes: Buffer) =>
  Buffer.from(bytes.toString('latin1').replace(/HTTP\/1.1/g, 'HTTP/1.0'), 'latin1')

/** Requests, and the statuses that they are answered with. */
const REQUESTS: Readonly<Record<string, readonly [bytes: Buffer, ...statuses: number[]]>> = {
  'a publication': [put('/a', '{}'), 202],
  'a publication in chunks': [
    request('PUT', '/a', {
      headers: ['Transfer-Encoding: chunked'],
      body: chunkedBody('{"a":', '1', '}'),
    }),
    202,
  ],
  'a publication that is packed': [put('/a', gzipSync('{}'), ['Content-Encoding: gzip']), 202],
  'a publication that asks for 100 Continue': [put('/a', '{}', ['Expect: 100-continue']), 100, 202],
  'a batch': [put('/a', '{}\n{}\n', ['Content-Type: application/x-ndjson']), 202],
  'a publication with a key': [put('/a', '{}', [`Idempotency-Key: ${'0'.repeat(32)}`]), 202],
  'a publication behind a log-in': [put('/a', '{}', [ALICE]), 202],
  'a publication with a wrong password': [put('/a', '{}', [basic('alice', 'x')]), 401],
  'a publication in HTTP/1.0': [http10(put('/a', '{}')), 202],
  'a publication that is no object': [put('/a', '[]'), 400],
  'a publication that is too large': [put('/a', `{"a": "${'x'.repeat(30_000)}"}`), 400],
  'a publication in chunks that is too large': [
    request('PUT', '/a', {
      headers: ['Transfer-Encoding: chunked'],
      body: chunkedBody(...Array.from({ length: 300 }, () => 'x'.repeat(100))),
    }),
    400,
  ],
  'the counts': [request('HEAD', '/'), 204],
  'the counts in HTTP/1.0': [http10(request('HEAD', '/')), 204],
  'no method that means something': [request('DELETE', '/a'), 400],
  'no request': [Buffer.from('what\r\n\r\n'), 400],
  'half of a body': [request('PUT', '/a', { headers: ['Content-Length: 9'], body: '{}' }), 400],
  'the page': [get('/-/', 'Accept: text/html'), 200],
  'a page': [get('/-/openapi.json'), 200],
  'a page in HTTP/1.0': [http10(get('/-/openapi.json')), 200],
  'a page that is not there': [get('/-/nothing'), 404],
  'a page of another protocol': [get('/-/lonelyps/v1/nothing'), 404],
  'a message of another protocol': [
    request('POST', '/-/lonelyps/v1/notify', { body: notifyBody('a', 'message') }),
    200,
  ],
  'a stream with a wrong query': [get('/a?count=x'), 400],
  'a stream with a wrong password': [get('/a', basic('alice', 'x')), 401],
  'many of all kinds': [
    Buffer.concat([
      put('/a', '{}', [ALICE]),
      get('/a?count=x'),
      put('/a', '{}'),
      get('/-/openapi.json'),
      request('HEAD', '/'),
      get('/a', basic('alice', 'x')),
      put('/a', '{}\n{}\n', ['Content-Type: application/x-ndjson']),
    ]),
    202,
    400,
    202,
    200,
    204,
    401,
    202,
  ],
}

/** How the bytes and the end come. */
const SENDINGS: Readonly<Record<string, (client: RawClient, bytes: Buffer) => Promise<void>>> = {
  'in one packet': async (client, bytes) => void client.socket.end(bytes),
  'byte by byte': async (client, bytes) => {
    for (let at = 0; at < Math.min(bytes.length, 300); at++) {
      client.send(bytes.subarray(at, at + 1))
      await turn()
    }
    client.send(bytes.subarray(300))
    client.finishSending()
  },
  'the end a turn later': async (client, bytes) => {
    client.send(bytes)
    await turn()
    client.finishSending()
  },
}

for (const isTls of [false, true]) {
  const connect = () => RawClient.open((isTls ? server().tlsPort : server().port)!, { tls: isTls })
  const through = isTls ? ', through TLS' : ''

  describe(`a peer that has closed its end behind a request gets its answer${through}`, () => {
    for (const [name, [bytes, ...statuses]] of Object.entries(REQUESTS))
      test(name, async () => {
        for (const [how, send] of Object.entries(SENDINGS)) {
          const answers = await Promise.all(
            Array.from({ length: 10 }, async () => {
              await using client = await connect()
              await send(client, bytes)
              return await client.rest()
            }),
          )
          for (const answer of answers)
            assert.deepEqual(
              [...answer.matchAll(/^HTTP\/1\.[01] (\d+) /gm)].map(([, status]) => Number(status)),
              statuses,
              `${how}: ${answer}`,
            )
        }
      })

    test('with other things before and behind, wherever the packets are cut', async () => {
      const bytes = Buffer.concat([put('/a', '{"n": 1}'), request('HEAD', '/'), put('/a', '{}')])
      await Promise.all(
        Array.from({ length: bytes.length }, async (_, cut) => {
          await using client = await connect()
          client.send(bytes.subarray(0, cut))
          await turn()
          client.socket.end(bytes.subarray(cut))
          assert.equal((await client.rest()).split('HTTP/1.1 20').length - 1, 3, `at ${cut}`)
        }),
      )
    })
  })

  describe(`a peer that has closed its end behind a request for the past gets all of it${through}`, () => {
    const forms = { plain: '*/*', NDJSON: 'application/x-ndjson', SSE: 'text/event-stream' }
    for (const query of [
      'since=all&until=0s',
      `count=${EVENTS}&since=all`,
      `count=${EVENTS}&since=all&timeout=1h`,
      `count=${EVENTS * 2}&since=all&until=0s`,
      // What is to come is not waited for.
      `count=${EVENTS * 2}&since=all`,
      `since=all&timeout=1h`,
      'since=all&until=2100-01-01T00:00:00Z',
    ])
      for (const [form, accept] of Object.entries(forms))
        test(`?${query}, ${form}`, async () => {
          for (const [how, send] of Object.entries(SENDINGS))
            for (const headers of [[], [ALICE]]) {
              await using client = await connect()
              await send(client, get(`/past?${query}`, `Accept: ${accept}`, ...headers))
              const answer = await client.rest()
              assert.match(answer, /^HTTP\/1.1 200 /)
              assert.equal(answer.split('"n": ').length - 1, 0, how)
              assert.equal(answer.split('"n":').length - 1, EVENTS, how)
              assert.ok(answer.endsWith('\r\n0\r\n\r\n'), answer.slice(-200))
            }
        })

    test('in HTTP/1.0', async () => {
      await using client = await connect()
      client.socket.end(http10(get('/past?since=all&until=0s')))
      assert.equal((await client.rest()).split('"n":').length - 1, EVENTS)
    })

    test('and nothing of what is asked for behind it', async () => {
      await using client = await connect()
      client.socket.end(Buffer.concat([get('/past?since=all&until=0s'), put('/a', '{}')]))
      const answer = await client.rest()
      assert.equal(answer.split('"n":').length - 1, EVENTS)
      assert.equal(answer.split('HTTP/1.1 ').length - 1, 1)
    })

    test('what was published the moment before included', async () => {
      for (let n = 0; n < 50; n++) {
        const topic = `/now/${isTls}/${n}`
        await publish(server(), topic, { n })
        await using client = await connect()
        client.socket.end(get(`${topic}?count=1&since=all`))
        assert.match(await client.rest(), /"n":/)
      }
    })

    test('where there is nothing, that there is nothing', async () => {
      const statuses = { 'until=0s': 200, 'since=all&until=0s': 200, 'count=1&timeout=1h': 504 }
      for (const [query, status] of Object.entries(statuses)) {
        await using client = await connect()
        client.socket.end(get(`/nothing?${query}`, 'Accept: application/x-ndjson'))
        assert.match(await client.rest(), new RegExp(`^HTTP/1.1 ${status} `), query)
      }
    })
  })

  describe(`a peer that has closed its end does not hold anything for ever${through}`, () => {
    for (const target of [
      '/a',
      '/a?count=1',
      '/a?timeout=1h',
      '/a?since=all&until=2100-01-01T00:00:00Z',
    ])
      test(`behind ${target}`, async () => {
        await using early = await connect()
        early.socket.end(get(target))
        await using late = await connect()
        late.send(get(target))
        await turn()
        late.finishSending()
        await Promise.all([early.rest(), late.rest()])
        await streamsLeft(server(), 0)
      })
  })
}
