import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { sliceWhatIsPipelined, takePipelined } from '../../src/sockets/pipelining.ts'

/** What a server saw of one connection, and what its client got. */
class Transcript {
  readonly requests: string[] = []
  readonly bodies: string[] = []
  readonly errors = new Set<unknown>()
  handedOver: string | null = null
  got = ''
}

async function startServer(isSliced: boolean, onRequest: RequestListener) {
  const server = createServer({ requireHostHeader: false }, onRequest)
  // As in `app.ts`: who has sent a FIN is still answered.
  Object.assign(server, { httpAllowHalfOpen: true })
  if (isSliced) server.on('connection', sliceWhatIsPipelined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    server,
    async open(): Promise<Socket> {
      const { port } = server.address() as AddressInfo
      const client = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true })
      client.on('error', () => {})
      await once(client, 'connect')
      return client
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Answers each request once all of it is there; hands sockets over at upgrades and CONNECT. */
async function startRecording(isSliced: boolean) {
  const transcripts = new WeakMap<Socket, Transcript>()
  const ofPort = new Map<number, Transcript>()
  const running = await startServer(isSliced, (request, response) => {
    const transcript = transcripts.get(request.socket)!
    transcript.requests.push(`${request.method} ${request.url} ${request.rawHeaders.join()}`)
    let body = ''
    request.setEncoding('latin1').on('data', (text: string) => (body += text))
    request.on('end', () => {
      transcript.bodies.push(`${body} ${JSON.stringify(request.trailers)}`)
      response.sendDate = false
      response.end(`${request.url}\n`)
    })
  })
  const handOver = (request: IncomingMessage, socket: Socket, head: Buffer) => {
    let rest = Buffer.concat([head, takePipelined(socket)]).toString('latin1')
    socket.on('data', (chunk: Buffer) => (rest += chunk.toString('latin1')))
    socket.on('error', () => {})
    socket.on('end', () => {
      transcripts.get(socket)!.handedOver = `${request.method}: ${rest}`
      socket.end()
    })
  }
  running.server.on('upgrade', handOver).on('connect', handOver)
  running.server.on('clientError', ({ code }: NodeJS.ErrnoException, socket: Socket) => {
    transcripts.get(socket)!.errors.add(code)
    // Each further part of what is broken is one more error.
    setImmediate(() => socket.writable && socket.end('broken'))
  })
  running.server.on('connection', (socket: Socket) => {
    const transcript = new Transcript()
    transcripts.set(socket, transcript)
    ofPort.set(socket.remotePort!, transcript)
  })
  return {
    ...running,
    /** Sends the parts in turns of their own, and a FIN. */
    async play(parts: readonly string[]): Promise<Transcript> {
      const client = await running.open()
      // What is refused may be closed before all of it was sent.
      const closed = new Promise((resolve) => client.once('close', resolve))
      const { localPort } = client
      while (!ofPort.has(localPort!)) await turn()
      const transcript = ofPort.get(localPort!)!
      ofPort.delete(localPort!)
      client.on('data', (chunk) => (transcript.got += chunk.toString('latin1')))
      for (const part of parts) {
        client.write(part, 'latin1')
        await turn()
        await turn()
      }
      // What is no request is told before the FIN, which else would come first or not.
      if (BROKEN.test(parts.join('')))
        while (!transcript.got.endsWith('broken') && !client.closed) await turn()
      client.end()
      await closed
      // Whether Node still answers what was asked before an upgrade depends on what one read has brought.
      if (transcript.handedOver !== null) transcript.got = ''
      return transcript
    },
  }
}

const PIECES = [
  'GET /a HTTP/1.1\r\n\r\n',
  'HEAD /b HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET /long HTTP/1.1\r\nA: b\r\nC: d\r\nE: f\r\nG: h\r\nI: j\r\nK: l\r\nM: n\r\n\r\n',
  'PUT /c HTTP/1.1\r\nContent-Length: 0\r\n\r\n',
  'PUT /d HTTP/1.1\r\nContent-Length: 12\r\n\r\none\ntwo\n\r\n\r\n',
  'PUT /e HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x=y\r\nbc\r\n0\r\nT: u\r\n\r\n',
  'PUT /f HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n\n',
  '\r\n',
]

/** Behind these comes no further request. */
const LAST_PIECES = [
  'GET /g HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nwhat follows\r\nis\nnot\nHTTP\n'.concat(
    'line\n'.repeat(20),
  ),
  'CONNECT h:1 HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n',
  'garbage\r\n\r\nGET / HTTP/1.1\r\n\r\n',
  'PUT /i HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nnone\r\n',
  'PUT /j HTTP/1.1\r\nContent-Length: 9\r\n\r\nshort',
  '',
]

const BROKEN = /garbage|none/

describe('all is as it would be without slices', () => {
  const everything = PIECES.join('')

  test('wherever the bytes are split', async () => {
    await using plain = await startRecording(false)
    await using sliced = await startRecording(true)
    for (const last of LAST_PIECES) {
      const text = everything + last
      const expected = await plain.play([text])
      for (let at = last === '' ? 0 : everything.length; at < text.length; at++)
        assert.deepEqual(
          await sliced.play([text.slice(0, at), text.slice(at)]),
          expected,
          `at ${at}, before ${JSON.stringify(text.slice(at, at + 20))}`,
        )
    }
  })

  test('whatever comes in whatever parts', async () => {
    await using plain = await startRecording(false)
    await using sliced = await startRecording(true)
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...PIECES), { maxLength: 30 }),
        fc.constantFrom(...LAST_PIECES),
        fc.array(fc.nat(2_000), { maxLength: 4 }),
        async (pieces, last, places) => {
          const text = pieces.join('') + last
          const at = [0, ...places.toSorted((a, b) => a - b), text.length]
          const parts = at.slice(1).map((end, i) => text.slice(at[i], end))
          assert.deepEqual(await sliced.play(parts), await plain.play(parts))
        },
      ),
      { numRuns: 30 },
    )
  })
})

function runFor(ms: number): void {
  for (const endMs = performance.now() + ms; performance.now() < endMs;);
}

describe('in one turn', () => {
  test('a few of the requests of one read are handled, and others are served before the last', async () => {
    let now = 0
    const turns: number[] = []
    let behind: number | null = null
    await using running = await startServer(true, ({ url }, response) => {
      if (url === '/other') behind = turns.length
      else {
        turns.push(now)
        runFor(1)
      }
      response.end()
    })
    const count = () => {
      now++
      counting = setImmediate(count)
    }
    let counting = setImmediate(count)
    const flooding = await running.open()
    const other = await running.open()
    flooding.write('GET / HTTP/1.1\r\n\r\n'.repeat(300))
    await once(flooding, 'data')
    other.write('GET /other HTTP/1.1\r\n\r\n')
    await once(other, 'data')
    flooding.resume().end()
    await once(flooding, 'close')
    clearImmediate(counting)
    other.destroy()
    assert.equal(turns.length, 300)
    assert.ok(behind! < 300, `${behind} before`)
    const perTurn = Map.groupBy(turns, (each) => each)
    assert.ok(Math.max(...perTurn.values().map(({ length }) => length)) <= 16)
  })

  test('a body that nobody reads stops the reading of its connection', async () => {
    const held = Promise.withResolvers<IncomingMessage>()
    await using running = await startServer(true, (request, response) => {
      if (request.method === 'GET') response.end()
      else held.resolve(request)
    })
    const client = await running.open()
    client.resume()
    client.write('GET / HTTP/1.1\r\n\r\n'.repeat(20))
    client.write('PUT / HTTP/1.1\r\nContent-Length: 10000000\r\n\r\n')
    client.write('\n'.repeat(8_000_000))
    const request = await held.promise
    for (let i = 0; i < 200; i++) await turn()
    const kept = request.readableLength + request.socket.readableLength
    assert.ok(kept < 500_000, `${kept} bytes`)
    client.destroy()
  })
})

test('a client that waits for its answers is read by the parser itself, as ever', async () => {
  const consumed: unknown[] = []
  await using running = await startServer(true, ({ socket }, response) => {
    consumed.push((socket as Socket & { parser?: { _consumed?: unknown } }).parser?._consumed)
    response.end()
  })
  const client = await running.open()
  for (let i = 0; i < 3; i++) {
    client.write('PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}')
    await once(client, 'data')
  }
  assert.deepEqual(consumed, [true, true, true])
  client.destroy()
})

test('a connection whose answers are not taken stays as it is until they are, whoever has it read on', async () => {
  const answer = 'x'.repeat(10_000)
  let requests = 0
  await using running = await startServer(true, ({ socket }, response) => {
    requests++
    response.end(answer)
    // As where a request had to wait for the one before it.
    socket.resume()
    setImmediate(() => socket.resume())
  })
  const client = await running.open()
  client.end('GET / HTTP/1.1\r\n\r\n'.repeat(2_000))
  for (let before = -1; before !== requests;) {
    before = requests
    for (let turns = 0; turns < 100; turns++) await turn()
  }
  assert.ok(requests < 2_000, 'some have to wait')
  let bytes = 0
  client.on('data', (chunk: Buffer) => (bytes += chunk.length))
  await once(client, 'close')
  assert.equal(requests, 2_000)
  assert.ok(bytes > 2_000 * answer.length)
})
