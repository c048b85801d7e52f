import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { discardBody, isLongBody } from '../../src/sockets/discard-body.ts'
import { sliceWhatIsPipelined } from '../../src/sockets/pipelining.ts'
import { RawClient } from '../http/raw-client.ts'
import { chunkedBody, put, request } from '../http/requests.ts'

const MIB = 1_048_576

/** Refuses whatever comes, and discards its body; a request of `/later` is answered by hand. */
async function startRefusing(endMs?: number) {
  const late = Promise.withResolvers<() => void>()
  const server: Server = createServer((incoming, response) => {
    const refuse = () => {
      response.writeHead(400, { 'Content-Length': 2 }).end('no')
      discardBody(response, endMs)
    }
    if (incoming.url === '/later') late.resolve(() => response.end('late'))
    else refuse()
  })
  server.on('connection', sliceWhatIsPipelined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    late: late.promise,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

for (const [framing, bytes] of [
  ['with its length', put('/', 'x'.repeat(MIB / 2))],
  [
    'in chunks',
    put('/', chunkedBody('x'.repeat(MIB / 4), 'x'.repeat(MIB / 4)), ['Transfer-Encoding: chunked']),
  ],
] as const)
  test(`a connection goes on behind a body of half a MiB ${framing}`, async () => {
    await using server = await startRefusing()
    await using client = await RawClient.open(server.port)
    for (let i = 0; i < 3; i++) assert.equal((await client.ask(bytes)).status, 400)
  })

test('many refused requests of one packet leave no more behind than one', async () => {
  await using server = await startRefusing()
  const warnings: Error[] = []
  const onWarning = (warning: Error) => void warnings.push(warning)
  process.on('warning', onWarning)
  try {
    await using client = await RawClient.open(server.port)
    client.send(Buffer.concat(Array.from({ length: 400 }, () => Buffer.from(put('/', 'x')))))
    for (let n = 0; n < 400; n++) assert.equal((await client.answer()).status, 400)
    assert.deepEqual(warnings, [], 'such as MaxListenersExceededWarning')
  } finally {
    process.off('warning', onWarning)
  }
})

for (const [what, body] of [
  ['more than a MiB', 'x'.repeat(2 * MIB)],
  ['many small chunks', '1\r\nx\r\n'.repeat(5_000)],
] as const)
  test(`behind ${what} it is closed after the answer`, async () => {
    await using server = await startRefusing()
    await using client = await RawClient.open(server.port)
    const frame =
      what === 'more than a MiB' ? 'Content-Length: 9999999' : 'Transfer-Encoding: chunked'
    client.send(request('PUT', '/', { headers: [frame], body }))
    assert.equal((await client.answer()).status, 400)
    await client.closed()
  })

test('the answers to earlier requests go out before it is closed', async () => {
  await using server = await startRefusing()
  await using client = await RawClient.open(server.port)
  client.send(request('GET', '/later'))
  client.send(request('PUT', '/', { headers: ['Content-Length: 9999999'] }))
  await client.sent(Buffer.alloc(2 * MIB))
  const answerLate = await server.late
  answerLate()
  assert.match(await client.rest(), /^HTTP\/1\.1 200 [^]*late[^]*HTTP\/1\.1 400 [^]*no$/)
})

test('a body that is still coming when its time is over is not waited for', async () => {
  await using server = await startRefusing(200)
  await using client = await RawClient.open(server.port)
  client.send(request('PUT', '/', { headers: ['Content-Length: 1000'] }))
  assert.equal((await client.answer()).status, 400)
  const drip = setInterval(() => client.send('x'), 20)
  try {
    await client.closed()
  } finally {
    clearInterval(drip)
  }
})

test('a body is long when its length says so', () => {
  assert.equal(isLongBody({ 'content-length': String(MIB) }), false)
  assert.equal(isLongBody({ 'content-length': String(MIB + 1) }), true)
  assert.equal(isLongBody({ 'transfer-encoding': 'chunked' }), false)
})
