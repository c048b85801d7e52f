import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, Server as TlsServer } from 'node:tls'
import { printable } from '../../ops/logger.ts'
import { SeldomReport } from '../../ops/seldom-report.ts'
import { StartError } from '../../ops/start-error.ts'
import type { Door, DoorEnvironment } from '../door.ts'
import { Authorisation } from './authorisation.ts'
import { Bus } from './bus.ts'
import { FeedRules } from './feed-rules.ts'
import { openLogins, type Logins } from './logins.ts'
import { Session, type SessionOptions } from './session.ts'
import type { JetblackSettings, Wire } from './settings.ts'

/** The door of jetblack-messagebus: docs/protocols/jetblack.md. */
export class JetblackDoor implements Door {
  readonly name = 'jetblack'
  readonly mounted = null
  readonly urls: string[] = []
  readonly #servers: Server[] = []
  readonly #sessions = new Set<Session>()
  /** Connections below TLS: on some it is not spoken yet. */
  readonly #connections = new Set<Socket>()
  readonly #rules: FeedRules
  readonly #bus: Bus
  readonly #logins: Logins | null
  #heartbeat: NodeJS.Timeout | undefined

  private constructor(rules: FeedRules, logins: Logins | null) {
    this.#rules = rules
    this.#bus = new Bus((feed) => rules.entitlementsOf(feed))
    this.#logins = logins
  }

  /** @throws {StartError} it cannot listen. {OptionError} its settings cannot work. */
  static async open(
    settings: JetblackSettings,
    environment: DoorEnvironment,
  ): Promise<JetblackDoor> {
    const { hub, policy, limits, connections, logger } = environment
    const logins = await openLogins(settings, environment)
    const door = new JetblackDoor(new FeedRules(settings.feeds), logins)
    const report = new SeldomReport(logger, 'warn')
    const options: SessionOptions = {
      hub,
      bus: door.#bus,
      policy,
      rules: door.#rules,
      authorisation: new Authorisation(door.#bus, door.#rules),
      logins,
      limits: { ...limits, ...settings },
      dropped: (reason, details) => report.add(`jetblack: dropped ${printable(details)}`, reason),
    }
    try {
      for (const [port, wire] of settings.ports)
        await door.#listen(door.#serverOf(wire, settings, options, connections), port, settings)
    } catch (error) {
      await door[Symbol.asyncDispose]()
      throw error
    }
    if (settings.heartbeatMs > 0)
      door.#heartbeat = setInterval(() => door.#bus.beat(), settings.heartbeatMs).unref()
    return door
  }

  /** @throws {OptionError} nothing has changed. */
  prepare(settings: JetblackSettings): () => void {
    const change = this.#logins?.prepare(settings)
    return () => {
      change?.()
      // Connections that are open keep what they have agreed on.
      if (settings.tls !== null)
        for (const server of this.#servers)
          if (server instanceof TlsServer) server.setSecureContext(pemOf(settings.tls))
    }
  }

  #serverOf(
    wire: Wire,
    { tls, handshakeTimeoutMs }: JetblackSettings,
    options: SessionOptions,
    connections: DoorEnvironment['connections'],
  ): Server {
    const enter = (socket: Socket) => {
      if (socket.destroyed) return
      const session = new Session(socket, wire, options)
      this.#sessions.add(session)
      socket.on('close', () => this.#sessions.delete(session))
    }
    // Half-open, as what was sent before the end still takes effect.
    const server =
      tls === null
        ? createServer({ allowHalfOpen: true })
        : createTlsServer({
            ...pemOf(tls),
            allowHalfOpen: true,
            handshakeTimeout: handshakeTimeoutMs || NEVER_MS,
          })
    // What beyond the limit is sent away has no message to be told by.
    server.on('connection', (socket: Socket) => {
      if (connections.isExceeded) socket.destroy()
      else if (tls === null) enter(socket)
      else {
        this.#connections.add(socket)
        socket.on('close', () => this.#connections.delete(socket))
      }
    })
    server.on('secureConnection', enter)
    server.on('tlsClientError', (error: Error, socket: Socket) => {
      const host = socket.remoteAddress ?? 'unknown'
      options.dropped('no TLS', `a connection of ${host} that speaks no TLS: ${error.message}`)
      socket.destroy()
    })
    connections.count(server)
    return server
  }

  async #listen(server: Server, port: number, { bind }: JetblackSettings): Promise<void> {
    this.#servers.push(server)
    try {
      server.listen({ host: bind, port, ipv6Only: true })
      await once(server, 'listening')
    } catch (error) {
      const [hostPath, portPath] = [
        ['protocols', 'jetblack', 'bind'],
        ['protocols', 'jetblack', 'ports', String(port)],
      ]
      throw StartError.listening(error, { host: bind, hostPath, port, portPath })
    }
    const { address, port: actual } = server.address() as AddressInfo
    const scheme = server instanceof TlsServer ? 'tls' : 'tcp'
    this.urls.push(`${scheme}://${address.includes(':') ? `[${address}]` : address}:${actual}`)
  }

  /** The hub has ended the subscriptions; whoever has none is told by the end of its connection, too. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#heartbeat)
    for (const server of this.#servers) server.close()
    for (const session of this.#sessions) session.end('shutdown')
    for (const socket of this.#connections) setTimeout(() => socket.destroy(), FAREWELL_MS).unref()
    await this.#logins?.[Symbol.asyncDispose]()
  }
}

function pemOf({ certPem: cert, keyPem: key }: NonNullable<JetblackSettings['tls']>) {
  return { cert, key }
}

/** How long the last bytes of TLS may take at a stop. */
const FAREWELL_MS = 1_000

/** The longest time of a timer. */
const NEVER_MS = 2_147_483_647
