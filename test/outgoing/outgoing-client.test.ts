import assert from 'node:assert/strict'
import { getEventListeners, once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net'
import { test } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import {
  OutgoingClient,
  OutgoingFailedError,
  type OutgoingClientOptions,
} from '../../src/outgoing/outgoing-client.ts'
import { OutgoingPolicy, OutgoingRefusedError } from '../../src/outgoing/outgoing-policy.ts'
import { FIRST } from '../config/certificates.ts'

const TEST_MS = 10_000
const NEVER = new AbortController().signal
const BODY = Buffer.from('hello')

type Options = Omit<OutgoingClientOptions, 'policy'> & { readonly allow?: readonly string[] }

/** Allowed to ask this machine, unless told otherwise. */
function openClient({ allow = ['127.0.0.1', '::1'], ...options }: Options = {}) {
  const policy = new OutgoingPolicy({ allow, setting: 'webhooks.allow' })
  const client = new OutgoingClient({ policy, ...options })
  return {
    post: (url: URL | string, signal = NEVER) => client.post(url, {}, BODY, signal),
    client,
    [Symbol.dispose]: () => client.close(),
  }
}

interface Listening extends AsyncDisposable {
  readonly port: number
  readonly url: string
  /** Connections so far. */
  readonly sockets: Socket[]
}

async function listening(
  server: Server | ReturnType<typeof createTcpServer>,
  host = '127.0.0.1',
): Promise<Listening> {
  const sockets: Socket[] = []
  server.on('connection', (socket: Socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
  })
  server.listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}/`,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

function serve(answer: RequestListener, host?: string): Promise<Listening> {
  // Longer than any test: closing idle connections is the client's part.
  return listening(createServer({ keepAliveTimeout: 60_000 }, answer), host)
}

/** A server that speaks for itself, once something was asked. */
function serveRaw(answer: (socket: Socket) => void): Promise<Listening> {
  return listening(createTcpServer((socket) => socket.once('data', () => answer(socket))))
}

/** However it ended. */
async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
}

async function textOf(request: IncomingMessage): Promise<string> {
  return Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>)).toString()
}

function isFailed(pattern: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof OutgoingFailedError, String(error))
    assert.match(error.message, pattern)
    assert.match(error.message, /^[\x20-\x7e]{1,300}$/)
    return true
  }
}

const deadline = { timeout: TEST_MS }

test('posts that may all be sent are begun as a turn of the event loop allows, and all of them are sent', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  await using server = await serve((request, response) => {
    request.resume()
    // Later, so that no connection is used twice.
    void promise.then(() => response.end('ok'))
  })
  const counted = { begun: 0 }
  const lookup = () => {
    counted.begun++
    for (const endMs = performance.now() + 2; performance.now() < endMs;);
    return Promise.resolve(['127.0.0.1'])
  }
  using client = openClient({ lookup, connectionsMax: 100 })
  const begunInTurns: number[] = []
  const posts = Array.from({ length: 30 }, () => client.post(`http://many.test:${server.port}/`))
  const all = Promise.all(posts)
  for (let before = 0; counted.begun < 30; before = counted.begun) {
    await new Promise(setImmediate)
    begunInTurns.push(counted.begun - before)
  }
  resolve()
  assert.ok(Math.max(...begunInTurns) <= 10, begunInTurns.join())
  for (const { status } of await all) assert.equal(status, 200)
})

test('a post arrives with its body and headers, and its answer comes back', deadline, async () => {
  const seen: { request: IncomingMessage; text: string }[] = []
  await using server = await serve((request, response) => {
    void textOf(request).then((text) => {
      seen.push({ request, text })
      return response.writeHead(201).end('thanks')
    })
  })
  using client = openClient()
  const parts = [Buffer.from('he'), new Uint8Array(), Buffer.from('llo')]
  const headers = {
    'content-type': 'text/plain',
    Authorization: 'x',
    Host: 'y',
    'Content-Length': '9',
  }
  const answer = await client.client.post(new URL(`${server.url}a?b=%20#c`), headers, parts, NEVER)
  assert.deepEqual(answer, { status: 201, body: Buffer.from('thanks') })
  const [{ request, text } = assert.fail()] = seen
  assert.equal(request.method, 'POST')
  assert.equal(request.url, '/a?b=%20')
  assert.equal(text, 'hello')
  assert.deepEqual(request.headers, {
    host: `127.0.0.1:${server.port}`,
    authorization: 'x',
    'content-type': 'text/plain',
    'content-length': '5',
    'accept-encoding': 'identity',
    connection: 'keep-alive',
  })
})

test('an empty body has a length too', deadline, async () => {
  await using server = await serve((request, response) =>
    response.end(String(request.headers['content-length'])),
  )
  using client = openClient()
  for (const body of [[], new Uint8Array()])
    assert.equal((await client.client.post(server.url, {}, body, NEVER)).body.toString(), '0')
})

test('Host is the host of the url', deadline, async () => {
  await using server = await serve((request, response) => response.end(request.headers.host), '::1')
  using client = openClient({ lookup: async () => ['::1'] })
  const hostOf = async (url: string) => (await client.post(url)).body.toString()
  assert.equal(await hostOf(server.url), `[::1]:${server.port}`)
  assert.equal(await hostOf(`http://A.example:${server.port}/`), `a.example:${server.port}`)
})

test('an answer may end with its connection', deadline, async () => {
  await using server = await serveRaw((socket) =>
    socket.end(`HTTP/1.0 200 OK\r\n\r\n${'x'.repeat(60_000)}`),
  )
  using client = openClient()
  assert.equal((await client.post(server.url)).body.length, 60_000)
})

test('a redirect is an answer like any other', deadline, async () => {
  let requests = 0
  await using server = await serve((_, response) => {
    requests++
    response.writeHead(307, { location: '/elsewhere', 'set-cookie': 'a=b' }).end()
  })
  using client = openClient()
  assert.equal((await client.post(server.url)).status, 307)
  assert.equal(requests, 1)
})

test('what an answer says about its encoding is not acted on', deadline, async () => {
  await using server = await serve((_, response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end('no gzip'),
  )
  using client = openClient()
  assert.equal((await client.post(server.url)).body.toString(), 'no gzip')
})

test('an address that is not allowed gets no connection', deadline, async () => {
  await using server = await serve((_, response) => response.end())
  using client = openClient({ allow: [], lookup: async () => ['127.0.0.1', '::1', '10.0.0.1'] })
  await assert.rejects(client.post(server.url), OutgoingRefusedError)
  await assert.rejects(client.post(`http://a.example:${server.port}/?secret`), {
    name: 'OutgoingRefusedError',
    message:
      'a.example has the address 127.0.0.1, which is not public, and webhooks.allow does not name it',
  })
  assert.equal(server.sockets.length, 0)
})

test('localhost is not asked unless it is named', deadline, async () => {
  await using server = await serve((_, response) => response.end())
  using strict = openClient({ allow: [] })
  for (const host of ['localhost', 'LOCALHOST.', 'a.localhost'])
    await assert.rejects(strict.post(`http://${host}:${server.port}/`), OutgoingRefusedError)
  assert.equal(server.sockets.length, 0)
  using byName = openClient({ allow: [`localhost:${server.port}`] })
  assert.equal((await byName.post(`http://localhost:${server.port}/`)).status, 200)
  using byAddress = openClient({ allow: ['127.0.0.1'] })
  assert.equal((await byAddress.post(`http://localhost:${server.port}/`)).status, 200)
})

test('of the addresses of a host only the allowed ones are tried', deadline, async () => {
  await using refused = await serve((_, response) => response.end('refused'), '127.0.0.2')
  const allowedServer = createServer((_, response) => response.end('allowed'))
  allowedServer.listen(refused.port, '127.0.0.1')
  await once(allowedServer, 'listening')
  try {
    using client = openClient({
      allow: ['127.0.0.1'],
      lookup: async () => ['127.0.0.2', '::1', '127.0.0.1', '127.0.0.3'],
    })
    const answer = await client.post(`http://a.example:${refused.port}/`)
    assert.equal(answer.body.toString(), 'allowed')
    assert.equal(refused.sockets.length, 0)
  } finally {
    allowedServer.closeAllConnections()
    allowedServer.close()
  }
})

test(
  'the address that was checked is the one connected to, whatever DNS says next',
  deadline,
  async () => {
    await using inside = await serve((_, response) => response.end('inside'), '127.0.0.2')
    const outside = createServer((_, response) => {
      response.setHeader('connection', 'close').end('outside')
    })
    outside.listen(inside.port, '127.0.0.1')
    await once(outside, 'listening')
    try {
      let lookups = 0
      const lookup = async () => (lookups++ === 0 ? ['127.0.0.1'] : ['127.0.0.2'])
      using client = openClient({ allow: ['127.0.0.1'], lookup })
      const url = `http://a.example:${inside.port}/`
      assert.equal((await client.post(url)).body.toString(), 'outside')
      assert.equal(lookups, 1)
      await assert.rejects(client.post(url), OutgoingRefusedError)
      assert.equal(lookups, 2)
      assert.equal(inside.sockets.length, 0)
    } finally {
      outside.closeAllConnections()
      outside.close()
    }
  },
)

test('a host without an address is told by its name alone', deadline, async () => {
  const unknown = Object.assign(new Error('secret\n'), { code: 'ENOTFOUND' })
  using client = openClient({ lookup: () => Promise.reject(unknown) })
  await assert.rejects(client.post('http://a.example/?secret'), isFailed(/^a\.example: ENOTFOUND$/))
  using empty = openClient({ lookup: async () => [] })
  await assert.rejects(empty.post('http://a.example/'), isFailed(/the host has no address/))
})

test('a port where nobody listens is a failure', deadline, async () => {
  const server = await serve(() => {})
  await server[Symbol.asyncDispose]()
  using client = openClient({ lookup: async () => ['127.0.0.1', '::1'] })
  await assert.rejects(client.post(server.url), isFailed(/: ECONNREFUSED$/))
  await assert.rejects(client.post(`http://a.example:${server.port}/`), isFailed(/: ECONNREFUSED$/))
})

test('a name server that never answers costs the time for a connection', deadline, async () => {
  using client = openClient({ lookup: () => new Promise(() => {}), connectTimeoutMs: 50 })
  await assert.rejects(client.post('http://a.example/'), isFailed(/no connection within 0.05 s/))
})

test('a server that never speaks TLS costs the time for a connection', deadline, async () => {
  await using server = await listening(createTcpServer(() => {}))
  using client = openClient({ connectTimeoutMs: 50 })
  await assert.rejects(
    client.post(`https://127.0.0.1:${server.port}/`),
    isFailed(/no connection within 0.05 s/),
  )
})

test('the time for a connection is not the time for an answer', deadline, async () => {
  await using server = await serve((_, response) => void setTimeout(() => response.end(), 150))
  using client = openClient({ connectTimeoutMs: 100 })
  for (let round = 0; round < 2; round++) await client.post(server.url)
  assert.equal(server.sockets.length, 1)
})

test('a server that never answers costs the time for a post', deadline, async () => {
  await using server = await serve(() => {})
  using client = openClient({ timeoutMs: 100, connectTimeoutMs: 50 })
  await assert.rejects(client.post(server.url), isFailed(/no whole answer within 0.1 s/))
})

for (const [what, head, drop] of [
  ['head', 'HTTP/1.1 200 OK\r\nX: ', 'x'],
  ['body', 'HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n', 'x'],
  ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', '1\r\nx\r\n'],
  ['interim answers', '', 'HTTP/1.1 100 Continue\r\n\r\n'],
] as const)
  test(`a server that drips its ${what} costs the time for a post`, deadline, async () => {
    let drops = 0
    await using server = await serveRaw((socket) => {
      socket.write(head)
      const timer = setInterval(() => socket.write(drop, () => drops++), 5)
      socket.once('close', () => clearInterval(timer))
    })
    using client = openClient({ timeoutMs: 300 })
    await assert.rejects(client.post(server.url), isFailed(/no whole answer within 0.3 s/))
    assert.ok(drops > 5)
    await closed(server.sockets[0]!)
  })

test('an answer may be as long as the limit and no longer', deadline, async () => {
  await using server = await serve((request, response) =>
    response.end('x'.repeat(Number(request.url!.slice(1)))),
  )
  using client = openClient({ answerBytesMax: 100_000 })
  assert.equal((await client.post(`${server.url}100000`)).body.length, 100_000)
  await assert.rejects(
    client.post(`${server.url}100001`),
    isFailed(/the answer is longer than 100000 bytes/),
  )
})

test('an endless answer ends at the limit', deadline, async () => {
  await using server = await serve((_, response) => {
    const more = () => {
      while (response.write('x'.repeat(16_384)));
    }
    response.on('drain', more)
    more()
  })
  using client = openClient()
  await assert.rejects(client.post(server.url), isFailed(/longer than 65536 bytes/))
  await closed(server.sockets[0]!)
})

for (const [what, answer, pattern] of [
  [
    'endless head',
    `HTTP/1.1 200 OK\r\n${'X: yyyyyyyyyyyyyyyy\r\n'.repeat(2_000)}`,
    /HPE_HEADER_OVERFLOW/,
  ],
  ['answer that is no HTTP', 'SSH-2.0-\x1b[31m\r\n', /: HPE_\w+$/],
  ['control character in a head', 'HTTP/1.1 200 OK\r\nX: \x01\r\n\r\n', /: HPE_\w+$/],
  [
    'answer with two lengths',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    /: HPE_\w+$/,
  ],
  ['answer that breaks off in its head', 'HTTP/1.1 200 OK\r\nX:', /: ECONNRESET|HPE_\w+$/],
  [
    'answer that breaks off in its body',
    'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc',
    /: ECONNRESET$/,
  ],
  ['connection that is closed unanswered', '', /: ECONNRESET$/],
  [
    'switch to another protocol',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
    /./,
  ],
] as const)
  test(
    `an ${what} is a failure`.replace('an c', 'a c').replace('an s', 'a s'),
    deadline,
    async () => {
      await using server = await serveRaw((socket) => socket.end(answer))
      using client = openClient()
      await assert.rejects(client.post(server.url), isFailed(pattern))
      assert.equal(server.sockets.length, 1)
    },
  )

test(
  'a caller ends its post, waiting or under way, and gets its own reason',
  deadline,
  async () => {
    await using server = await serve(() => {})
    using client = openClient({ connectionsMax: 1 })
    const caller = new AbortController()
    const posts = [client.post(server.url, caller.signal), client.post(server.url, caller.signal)]
    const reason = new Error('changed my mind')
    const ended = posts.map((post) => assert.rejects(post, (error) => error === reason))
    while (server.sockets.length === 0) await new Promise(setImmediate)
    caller.abort(reason)
    await Promise.all(ended)
    await assert.rejects(client.post(server.url, caller.signal), (error) => error === reason)
    await closed(server.sockets[0]!)
    assert.equal(server.sockets.length, 1)
  },
)

test(
  'closing ends posts and idle connections, and nothing is posted after it',
  deadline,
  async () => {
    await using server = await serve((request, response) => {
      if (request.url === '/') response.end()
    })
    using client = openClient()
    await client.post(server.url)
    const under = assert.rejects(client.post(`${server.url}never`), isFailed(/shutting down/))
    client.client.close()
    await under
    await assert.rejects(client.post(server.url), isFailed(/shutting down/))
    await Promise.all(server.sockets.map(closed))
  },
)

test(
  'an idle connection that is too old is not used, even if its timer is late',
  deadline,
  async () => {
    await using server = await serve((_, response) => response.end())
    using client = openClient({ idleMs: 50 })
    await client.post(server.url)
    await new Promise(setImmediate)
    for (const endMs = performance.now() + 100; performance.now() < endMs;);
    await client.post(server.url)
    assert.equal(server.sockets.length, 2)
  },
)

test('posts one after another share a connection', deadline, async () => {
  await using server = await serve((_, response) => response.end('x'))
  using client = openClient()
  for (let round = 0; round < 3; round++) await client.post(server.url)
  assert.equal(server.sockets.length, 1)
})

test('a signal that outlives many posts keeps nothing of them', deadline, async () => {
  await using server = await serve((_, response) => response.end('x'))
  using client = openClient()
  const { signal } = new AbortController()
  await client.post(server.url, signal)
  await assert.rejects(client.client.post(server.url, { x: '\n' }, BODY, signal))
  assert.equal(getEventListeners(signal, 'abort').length, 0)
})

test(
  'a connection of which the server says that it will not last is not used again',
  deadline,
  async () => {
    await using server = await serve((_, response) =>
      response.setHeader('keep-alive', 'timeout=1').end('x'),
    )
    using client = openClient()
    for (let round = 0; round < 3; round++) await client.post(server.url)
    assert.equal(server.sockets.length, 3)
  },
)

test('a post that meets the closing of its connection is not repeated', deadline, async () => {
  let requests = 0
  await using server = await serve((request, response) => {
    if (++requests === 1) response.end()
    else request.socket.resetAndDestroy()
  })
  using client = openClient()
  await client.post(server.url)
  await assert.rejects(client.post(server.url), isFailed(/: ECONNRESET$/))
  assert.equal(requests, 2)
  assert.equal(server.sockets.length, 1)
})

test('a slow host leaves connections to the others', deadline, async () => {
  const waiting: (() => void)[] = []
  await using slow = await serve((_, response) => void waiting.push(() => response.end()))
  await using quick = await serve((_, response) => response.end(), '127.0.0.2')
  using client = openClient({
    allow: ['127.0.0.0/8'],
    connectionsMax: 4,
  })
  const slowPosts = Array.from({ length: 5 }, () => client.post(slow.url))
  for (let round = 0; round < 10; round++) await client.post(quick.url)
  assert.equal(slow.sockets.length, 2)
  for (let answered = 0; answered < 5; answered++) {
    while (waiting.length === 0) await new Promise(setImmediate)
    waiting.shift()!()
  }
  await Promise.all(slowPosts)
  assert.equal(slow.sockets.length, 2)
})

test(
  'the time of a post counts from when it may connect, however long others hang',
  deadline,
  async () => {
    let posts = 0
    await using server = await serve((_, response) => {
      if (++posts > 2) response.end()
    })
    using client = openClient({ connectionsMax: 1, timeoutMs: 200 })
    const hanging = [client.post(server.url), client.post(server.url)].map((post) =>
      assert.rejects(post, isFailed(/no whole answer within 0.2 s/)),
    )
    await client.post(server.url)
    await Promise.all(hanging)
  },
)

test(
  'receivers that hang at one port of a host leave those at another alone',
  deadline,
  async () => {
    await using slow = await serve(() => {})
    await using quick = await serve((_, response) => response.end())
    using client = openClient({ connectionsMax: 4 })
    const caller = new AbortController()
    const hanging = Array.from({ length: 10 }, () =>
      assert.rejects(client.post(slow.url, caller.signal)),
    )
    for (let round = 0; round < 10; round++) await client.post(quick.url)
    caller.abort(new Error('enough'))
    await Promise.all(hanging)
  },
)

test('idle connections make room for others at the limit, the oldest first', deadline, async () => {
  await using servers = new AsyncDisposableStack()
  const hosts: Listening[] = []
  for (let host = 1; host <= 5; host++)
    hosts.push(servers.use(await serve((_, response) => response.end(), `127.0.0.${host}`)))
  using client = openClient({ allow: ['127.0.0.0/8'], connectionsMax: 3 })
  for (const host of hosts) await client.post(host.url)
  const [first, second, ...others] = hosts.map((host) => host.sockets[0]!)
  await Promise.all([closed(first!), closed(second!)])
  for (const host of hosts.slice(2)) await client.post(host.url)
  assert.ok(others.every((socket) => !socket.destroyed))
  assert.deepEqual(
    hosts.map((host) => host.sockets.length),
    [1, 1, 1, 1, 1],
  )
})

test(
  'an idle connection is closed after a while, and one that waits for its answer is not',
  deadline,
  async () => {
    let answerLate!: () => void
    await using server = await serve((request, response) => {
      if (request.url === '/') response.end()
      else answerLate = () => response.end('late')
    })
    using client = openClient({ idleMs: 200 })
    const late = client.post(`${server.url}late`)
    await client.post(server.url)
    await Promise.race(server.sockets.map(closed))
    answerLate()
    assert.equal((await late).body.toString(), 'late')
  },
)

test('a peer that answers before it read the body keeps no connection', deadline, async () => {
  await using server = await listening(
    createTcpServer((socket) => {
      socket.once('data', () => {
        socket.pause()
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        // What was sent has to be read before its end can be seen.
        setTimeout(() => socket.resume(), 200)
      })
    }),
  )
  using client = openClient()
  const body = Buffer.alloc(64 * 1024 * 1024)
  const answer = await client.client.post(server.url, {}, body, NEVER)
  assert.equal(answer.body.toString(), 'ok')
  await closed(server.sockets[0]!)
  assert.ok(server.sockets[0]!.bytesRead < body.length)
})

test(
  'a certificate that nobody vouches for is refused, and the name asked for is told',
  deadline,
  async () => {
    const names: string[] = []
    let requests = 0
    const tls = { cert: FIRST.certPem, key: FIRST.keyPem }
    const server = createSecureServer(
      {
        ...tls,
        SNICallback: (name, done) => {
          names.push(name)
          done(null)
        },
      },
      (request, response) => {
        requests++
        response.end(request.headers.host)
      },
    )
    await using secure = await listening(server)
    using client = openClient({ lookup: async () => ['127.0.0.1'] })
    const url = (host: string) => `https://${host}:${secure.port}/`
    await assert.rejects(client.post(url('a.example')), isFailed(/: DEPTH_ZERO_SELF_SIGNED_CERT$/))
    await assert.rejects(client.post(url('127.0.0.1')), isFailed(/: DEPTH_ZERO_SELF_SIGNED_CERT$/))
    assert.deepEqual(names, ['a.example'])
    assert.equal(requests, 0)

    const before = getCACertificates('default')
    setDefaultCACertificates([...before, FIRST.certPem])
    try {
      using trusting = openClient({ lookup: async () => ['127.0.0.1'] })
      await assert.rejects(
        trusting.post(url('b.example')),
        isFailed(/: ERR_TLS_CERT_ALTNAME_INVALID$/),
      )
      assert.equal(requests, 0)
      for (const host of ['localhost', 'localhost.', '127.0.0.1'])
        assert.equal((await trusting.post(url(host))).body.toString(), `${host}:${secure.port}`)
      assert.deepEqual(names, ['a.example', 'b.example', 'localhost', 'localhost'])
    } finally {
      setDefaultCACertificates(before)
    }
  },
)

test('a header that would end its line early is not sent', deadline, async () => {
  await using server = await serve((_, response) => response.end())
  using client = openClient({ connectionsMax: 1 })
  await assert.rejects(client.client.post(server.url, { x: 'a\r\nb: c' }, BODY, NEVER), {
    code: 'ERR_INVALID_CHAR',
  })
  assert.equal((await client.post(server.url)).status, 200)
})
