import type { Server } from 'node:http'
import { Server as TlsServer } from 'node:https'
import type { Server as AnyServer, Socket } from 'node:net'
import { OverloadedError } from '../../hub/errors.ts'
import type { SeldomReport } from '../../ops/seldom-report.ts'
import { connectionOf } from '../../sockets/connection.ts'
import { refusalBytes, refuseSocket } from './answer.ts'
import type { ConnectionJudge, RequestCounters } from './door.ts'

export interface ConnectionLimitOptions {
  /** Connections of all ports together. */
  readonly connectionsMax: number
  /** Those beyond it that may be open at the same time until they are answered, each for a second or two. */
  readonly refusedMax: number
  readonly report: SeldomReport
}

/**
 * Node can only drop connections beyond a limit, and where no descriptor is left the system's library drops them, both
 * without a word. So those beyond it are accepted, out of a reserve of descriptors, and told: behind their request, as any
 * other refusal, as long as the reserve is not used up; and beyond that at once, before anything of them is read.
 */
export class ConnectionLimit implements ConnectionJudge {
  readonly #options: ConnectionLimitOptions
  readonly #counters: RequestCounters
  readonly #servers: AnyServer[] = []

  constructor(options: ConnectionLimitOptions, counters: RequestCounters) {
    this.#options = options
    this.#counters = counters
  }

  watch(server: Server | TlsServer): void {
    this.#servers.push(server)
    const isTls = server instanceof TlsServer
    server.on('connection', (socket: Socket) => this.#judge(socket, isTls))
    if (isTls) server.on('secureConnection', inherit)
  }

  /** Its connections count, and it sends those away that are too many. */
  count(server: AnyServer): void {
    this.#servers.push(server)
  }

  /** There are too many with the one that has just come. Told, if so. */
  get isExceeded(): boolean {
    const { connectionsMax, report } = this.#options
    if (this.#openConnections <= connectionsMax) return false
    report.add(
      `${connectionsMax} connections are open, which is the limit (limits.connections, or what ulimit -n and LimitNOFILE ` +
        'leave of it): further ones are refused, over HTTP with 503',
    )
    return true
  }

  /** How many more may be opened, one that asks for a stream counted as if it were not there yet. */
  get left(): number {
    return this.#options.connectionsMax - this.#openConnections + 1
  }

  refusal(): OverloadedError {
    return new OverloadedError(
      `${this.#options.connectionsMax} connections are open, which is the limit (limits.connections)`,
    )
  }

  #judge(socket: Socket, isTls: boolean): void {
    if (!this.isExceeded) return
    const { connectionsMax, refusedMax } = this.#options
    if (this.#openConnections > connectionsMax + refusedMax) {
      // Over TLS nothing can be said so soon.
      if (!isTls) socket.write(refusalBytes(this.#counters, this.refusal(), {}, []))
      socket.destroy()
      return
    }
    connectionOf(socket).isBeyondLimit = true
    const timer = setTimeout(() => this.#refuseSilent(socket, isTls), SILENT_MS)
    socket.on('close', () => clearTimeout(timer))
  }

  /** No request has come, or none that was answered. */
  #refuseSilent(socket: Socket, isTls: boolean): void {
    if (socket.destroyed || connectionOf(socket).isLingering) return
    if (isTls || connectionOf(socket).lastResponse !== null) socket.destroy()
    else refuseSocket(socket, this.#counters, this.refusal(), {})
  }

  /** Node's own count, which is right at any moment and needs no listener for each connection. */
  get #openConnections(): number {
    let count = 0
    for (const server of this.#servers) count += (server as Counting)._connections ?? 0
    return count
  }
}

/** What `server.getConnections` tells, but only later. */
type Counting = AnyServer & { readonly _connections?: number }

/** Over TLS, what is known of the connection below. */
function inherit(socket: Socket & { readonly _parent?: Socket | null }): void {
  const { _parent: parent } = socket
  if (parent && connectionOf(parent).isBeyondLimit) connectionOf(socket).isBeyondLimit = true
}

/** How long one beyond the limit may take to send a request, or to take its answer, in ms. */
const SILENT_MS = 1_000
