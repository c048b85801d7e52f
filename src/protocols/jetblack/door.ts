import { once } from 'node:events'
import { createServer, type AddressInfo, type Server } from 'node:net'
import type { LogLevel } from '../../ops/logger.ts'
import { printable } from '../../ops/logger.ts'
import { SeldomReport } from '../../ops/seldom-report.ts'
import { StartError } from '../../ops/start-error.ts'
import type { DoorEnvironment } from '../door.ts'
import { Authorisation } from './authorisation.ts'
import { Bus } from './bus.ts'
import { FeedRules } from './feed-rules.ts'
import type { Judge } from './logins.ts'
import { Session, type SessionOptions } from './session.ts'
import type { JetblackSettings } from './settings.ts'

export interface JetblackOptions extends Pick<DoorEnvironment, 'hub' | 'policy' | 'limits'> {
  /** `null`: nobody logs in. */
  readonly judge: Judge | null
  readonly settings: JetblackSettings
  readonly logger: (level: LogLevel, message: string) => void
}

/** The door of jetblack-messagebus: docs/protocols/jetblack.md. */
export class JetblackDoor implements AsyncDisposable {
  readonly urls: string[] = []
  readonly #servers: Server[] = []
  readonly #sessions = new Set<Session>()
  readonly #rules: FeedRules
  readonly #bus: Bus
  #heartbeat: NodeJS.Timeout | undefined

  private constructor(rules: FeedRules) {
    this.#rules = rules
    this.#bus = new Bus((feed) => rules.entitlementsOf(feed))
  }

  /** @throws {StartError} it cannot listen. */
  static async open({
    settings,
    hub,
    policy,
    limits,
    judge,
    logger,
  }: JetblackOptions): Promise<JetblackDoor> {
    const door = new JetblackDoor(new FeedRules(settings.feeds))
    const report = new SeldomReport(logger, 'warn')
    const options: SessionOptions = {
      hub,
      bus: door.#bus,
      policy,
      rules: door.#rules,
      authorisation: new Authorisation(door.#bus, door.#rules),
      judge,
      limits: { ...limits, ...settings },
      dropped: (reason, details) => report.add(`jetblack: dropped ${printable(details)}`, reason),
    }
    try {
      await door.#listen(settings, options)
    } catch (error) {
      await door[Symbol.asyncDispose]()
      throw error
    }
    if (settings.heartbeatMs > 0)
      door.#heartbeat = setInterval(() => door.#bus.beat(), settings.heartbeatMs).unref()
    return door
  }

  async #listen({ bind, ports }: JetblackSettings, options: SessionOptions): Promise<void> {
    for (const [port, wire] of ports) {
      // Half-open, as what was sent before the end still takes effect.
      const server = createServer({ allowHalfOpen: true }, (socket) => {
        const session = new Session(socket, wire, options)
        this.#sessions.add(session)
        socket.on('close', () => this.#sessions.delete(session))
      })
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
      this.urls.push(`tcp://${address.includes(':') ? `[${address}]` : address}:${actual}`)
    }
  }

  /** The hub has ended the subscriptions; whoever has none is told by the end of its connection, too. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#heartbeat)
    for (const server of this.#servers) server.close()
    for (const session of this.#sessions) session.end('shutdown')
    await Promise.resolve()
  }
}
