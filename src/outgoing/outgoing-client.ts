import type { Agent } from 'node:http'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'
import { isIP, type LookupFunction, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { callbackify } from 'node:util'
import { PlainAgent, plainRequest } from '../ops/node-http.ts'
import { inLaterTurn, isTurnSpent } from '../ops/turn-budget.ts'
import { OutgoingDns } from './outgoing-dns.ts'
import { hostOf, OutgoingRefusedError, portOf, type OutgoingPolicy } from './outgoing-policy.ts'
import { OutgoingSlots } from './outgoing-slots.ts'

export interface OutgoingClientOptions {
  readonly policy: OutgoingPolicy
  /** For a whole POST, from when it may connect to the end of the answer, in ms. 30,000 unless told. */
  readonly timeoutMs?: number
  /** For a connection, its DNS and TLS included, in ms. 5,000 unless told. */
  readonly connectTimeoutMs?: number
  /** Longest body of an answer. 64 KiB unless told. */
  readonly answerBytesMax?: number
  /** Connections at once, idle ones included; those to one host and port leave some to the others. 128 unless told. */
  readonly connectionsMax?: number
  /** Absent: 4 s. */
  readonly idleMs?: number
  /** All addresses of a host name. DNS unless told; the policy judges what comes of it. */
  readonly lookup?: (host: string) => Promise<readonly string[]>
}

export interface OutgoingAnswer {
  readonly status: number
  readonly body: Buffer
}

/** A POST that got no whole answer; it may have been processed. The message is printable ASCII, without path and query. */
export class OutgoingFailedError extends Error {
  override get name(): string {
    return this.constructor.name
  }
}

/**
 * Asks urls that peers handed in, as far as the policy allows: straight (no proxies), once (no redirects, no second try), and
 * within limits whatever the other side does.
 */
export class OutgoingClient {
  readonly #policy: OutgoingPolicy
  readonly #timeoutMs: number
  readonly #connectTimeoutMs: number
  readonly #answerBytesMax: number
  readonly #connectionsMax: number
  readonly #lookup: (host: string, port: number) => Promise<readonly string[]>
  readonly #dns: OutgoingDns
  readonly #slots: OutgoingSlots
  readonly #plain: Agent
  readonly #secure: SecureAgent
  readonly #running = new Set<AbortController>()
  /** Connections, idle ones and those that are being opened included. */
  #open = 0
  /** Since when connections are idle. */
  readonly #idleSinceMs = new WeakMap<Duplex, number>()
  #isClosed = false

  constructor(options: OutgoingClientOptions) {
    this.#policy = options.policy
    this.#timeoutMs = options.timeoutMs ?? 30_000
    this.#connectTimeoutMs = options.connectTimeoutMs ?? 5_000
    this.#answerBytesMax = options.answerBytesMax ?? 64 * 1024
    this.#connectionsMax = options.connectionsMax ?? 128
    this.#dns = new OutgoingDns(options.policy)
    this.#lookup = options.lookup ?? ((host, port) => this.#dns.addresses(host, port))
    this.#slots = new OutgoingSlots(this.#connectionsMax)
    const agentOptions = {
      keepAlive: true,
      maxFreeSockets: this.#connectionsMax,
      timeout: options.idleMs ?? IDLE_MS, // of idle sockets only, as nobody listens to 'timeout' of a request
      agentKeepAliveTimeoutBuffer: KEEP_ALIVE_MARGIN_MS,
      autoSelectFamily: true, // lookups are asked for all addresses
    }
    this.#plain = new PlainAgent(agentOptions)
    this.#secure = new SecureAgent(agentOptions)
    for (const agent of [this.#plain, this.#secure]) {
      const keep = agent.keepSocketAlive.bind(agent)
      agent.keepSocketAlive = (socket) => {
        this.#idleSinceMs.set(socket, performance.now())
        return keep(socket)
      }
    }
  }

  /**
   * The headers `Host`, `Content-Length` and `Accept-Encoding` are this client's own. Posts beyond the connections that may be
   * open wait, however long; how many wait is the caller's to limit.
   * @throws {OutgoingRefusedError} nothing was sent.
   * @throws {OutgoingFailedError}
   * @throws the signal's reason.
   */
  async post(
    url: URL | string,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array | readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<OutgoingAnswer> {
    const target = this.#policy.check(String(url))
    signal.throwIfAborted()
    if (this.#isClosed) throw failure(target, CLOSED)
    const ending = new AbortController()
    const passOn = () => ending.abort(signal.reason)
    signal.addEventListener('abort', passOn)
    this.#running.add(ending)
    const name = `${hostOf(target)}:${portOf(target)}`
    try {
      await this.#slots.take(name, ending.signal)
      // Each takes some 0.3 ms, and as many as there are slots may come, or fail, at once.
      if (isTurnSpent()) await new Promise<void>((resolve) => inLaterTurn(resolve))
      const late = () =>
        ending.abort(failure(target, `no whole answer within ${this.#timeoutMs / 1_000} s`))
      const timer = setTimeout(late, this.#timeoutMs)
      try {
        ending.signal.throwIfAborted()
        this.#endTooOld(target)
        this.#makeRoomFor(target)
        return await this.#exchange(target, headers, [body].flat(), ending.signal)
      } finally {
        clearTimeout(timer)
        this.#slots.release(name)
      }
    } finally {
      this.#running.delete(ending)
      signal.removeEventListener('abort', passOn)
    }
  }

  /** Ends what is under way. */
  close(): void {
    this.#isClosed = true
    for (const ending of this.#running) ending.abort(new OutgoingFailedError(CLOSED))
    this.#dns.close()
    this.#plain.destroy()
    this.#secure.destroy()
  }

  /**
   * On a busy machine the timers of idle connections are late, and a peer may be closing them: whoever posts on one of them then
   * cannot know whether it arrived.
   */
  #endTooOld(url: URL): void {
    const nowMs = performance.now()
    for (const [name, sockets = []] of Object.entries(this.#agentFor(url).freeSockets)) {
      if (!name.startsWith(agentName(url))) continue
      for (const socket of sockets) {
        const ageMs = nowMs - (this.#idleSinceMs.get(socket) ?? nowMs)
        if (ageMs >= (socket.timeout ?? Infinity)) socket.destroy()
      }
    }
  }

  /** Idle connections, the oldest first, make room for one that the next post is about to open. */
  #makeRoomFor(url: URL): void {
    // Most posts find room without a look at each connection: these are at least as many as there are, or will be.
    if (this.#open + this.#slots.taken <= this.#connectionsMax) return
    const idle = [this.#plain, this.#secure].flatMap((agent) => idleConnections(agent))
    const surplus = this.#slots.taken + idle.length - this.#connectionsMax
    if (surplus <= 0) return
    const isReused = idleConnections(this.#agentFor(url)).some(({ name }) =>
      name.startsWith(agentName(url)),
    )
    if (!isReused) for (const { socket } of idle.slice(0, surplus)) socket.destroy()
  }

  #agentFor(url: URL): Agent {
    return url.protocol === 'https:' ? this.#secure : this.#plain
  }

  async #exchange(
    url: URL,
    headers: Readonly<Record<string, string>>,
    body: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<OutgoingAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<OutgoingAnswer>()
    const isSecure = url.protocol === 'https:'
    const host = hostOf(url)
    const bodyBytes = body.reduce((bytes, part) => bytes + part.length, 0)
    const request = (isSecure ? secureRequest : plainRequest)({
      agent: this.#agentFor(url),
      method: 'POST',
      host,
      port: portOf(url),
      path: url.pathname + url.search,
      headers: {
        ...headers,
        host: url.host,
        'content-length': bodyBytes,
        'accept-encoding': 'identity',
      },
      maxHeaderSize: HEAD_BYTES_MAX,
      insecureHTTPParser: false,
      // Each connection is made to what this very lookup answered: a second one could answer something else.
      lookup: this.#lookupFor(url),
      rejectUnauthorized: true, // whatever NODE_TLS_REJECT_UNAUTHORIZED says
      servername: isIP(host) === 0 ? host.replace(/\.$/, '') : '',
    })
    const fail = (reason: unknown) => {
      reject(reason)
      request.destroy()
    }
    const stop = () => fail(signal.reason)
    signal.addEventListener('abort', stop)

    let connectTimer: NodeJS.Timeout | undefined
    request.on('socket', (socket) => {
      if (request.reusedSocket) return
      this.#open++
      socket.once('close', () => this.#open--)
      const late = () =>
        fail(failure(url, `no connection within ${this.#connectTimeoutMs / 1_000} s`))
      connectTimer = setTimeout(late, this.#connectTimeoutMs)
      socket.once(isSecure ? 'secureConnect' : 'connect', () => clearTimeout(connectTimer))
    })
    request.on('error', (error) => fail(networkFailure(url, error)))
    let hasHead = false
    request.on('close', () => {
      // An answer whose end is the end of its connection is read to the end after this.
      if (!hasHead) fail(failure(url, 'the connection was closed'))
    })
    request.on('response', (response) => {
      hasHead = true
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes <= this.#answerBytesMax) chunks.push(chunk)
        else fail(failure(url, `the answer is longer than ${this.#answerBytesMax} bytes`))
      })
      response.on('error', (error) => fail(networkFailure(url, error)))
      // After 'end' as well: Node would wait, as long as it takes, for a peer that answered first to read the rest of the body.
      response.on('close', () => fail(failure(url, 'the answer broke off')))
      response.on('end', () =>
        resolve({ status: response.statusCode!, body: Buffer.concat(chunks) }),
      )
    })
    for (const part of body) request.write(part)
    request.end()

    try {
      return await promise
    } finally {
      clearTimeout(connectTimer)
      signal.removeEventListener('abort', stop)
    }
  }

  #lookupFor(url: URL): LookupFunction {
    const port = portOf(url)
    const lookup = callbackify(async (host: string) => {
      const addresses = await this.#lookup(host, port)
      if (addresses.length === 0) throw failure(url, 'the host has no address')
      return this.#policy
        .allowedAddresses(host, port, addresses)
        .map((address) => ({ address, family: isIP(address) }))
    })
    return (host, _options, callback) =>
      lookup(host, (error, addresses) => callback(error, addresses ?? []))
  }
}

/** As agents begin the names of connections to it. */
function agentName(url: URL): string {
  return `${hostOf(url)}:${portOf(url)}:`
}

function idleConnections(agent: Agent): { readonly name: string; readonly socket: Socket }[] {
  return Object.entries(agent.freeSockets).flatMap(([name, sockets = []]) =>
    sockets.filter((socket) => !socket.destroyed).map((socket) => ({ name, socket })),
  )
}

/**
 * Connections stay open for a burst of posts, in ms. A server closes idle ones at a time of its own, 5 s with many, and a post
 * that meets the closing fails: it cannot be known to be unprocessed, so it is not repeated.
 */
const IDLE_MS = 4_000

/** How much earlier than a server's `Keep-Alive: timeout` says, in ms. */
const KEEP_ALIVE_MARGIN_MS = 1_000

/** Longest head of an answer; Node's own limit, but not changed by its flags. */
const HEAD_BYTES_MAX = 16 * 1024

const CLOSED = 'the server is shutting down'

/** Only the host, which URL made printable ASCII: paths and queries hold secrets. */
function failure(url: URL, reason: string): OutgoingFailedError {
  return new OutgoingFailedError(`${url.host}: ${reason}`)
}

/** Node's code for what happened. Its messages, and the error as a cause, hold text of the other side. */
function networkFailure(url: URL, error: NodeJS.ErrnoException): Error {
  if (error instanceof OutgoingRefusedError || error instanceof OutgoingFailedError) return error
  return failure(url, error.code ?? error.name)
}
