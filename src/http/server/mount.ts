import type { FastifyInstance, RouteHandlerMethod } from 'fastify'
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { PubSubError } from '../../publication/errors.ts'
import { whenTurnAllows } from '../../ops/turn-budget.ts'
import { behindAnswers, connectionOf } from '../../sockets/connection.ts'
import { isAnswerable } from '../../sockets/lingering-close.ts'
import { takePipelined } from '../../sockets/pipelining.ts'
import type { MountedDoor } from '../../sockets/mounted-door.ts'
import type { HttpDoor } from './door.ts'
import { noSuchPage, originNotAllowed } from './errors.ts'
import { sendContinue } from './expectation.ts'
import { isTls, peerAddress } from './peer.ts'
import { carryOutInTurn } from './pending-stream.ts'
import { refuseSocket } from './answer.ts'
import { originForm } from './topic-path.ts'

interface Mounted {
  readonly door: MountedDoor
  readonly path: string
}

/** The other protocol that a request is for, `null` if it is for us. No escapes: its clients need none. */
function mountedAt(written: string, { mounts }: HttpDoor): Mounted | null {
  if (mounts.size === 0) return null
  const target = originForm(written)
  if (!target.startsWith('/-/')) return null
  const path = target.slice(3).split(/[?#]/, 1)[0]!
  const name = path.split('/', 1)[0]!
  const door = mounts.get(name)
  return door === undefined ? null : { door, path: path.slice(name.length) }
}

/** Routes below `/-/` for the doors of other protocols, which answer by themselves. */
export async function mountedDoors(
  app: FastifyInstance,
  { door: http }: { door: HttpDoor },
): Promise<void> {
  const answer: RouteHandlerMethod = async ({ raw, originalUrl }, reply) => {
    const mounted = mountedAt(originalUrl, http)
    if (mounted === null) throw noSuchPage()
    refuseForeignPage(http, raw)
    reply.hijack()
    const headers = http.counters.headers()
    for (let i = 0; i < headers.length; i += 2) reply.raw.setHeader(headers[i]!, headers[i + 1]!)
    sendContinue(reply.raw)
    await mounted.door.request(raw, reply.raw, {
      path: mounted.path,
      address: peerAddress(raw, http.options.trustedProxies),
    })
  }
  for (const name of http.mounts.keys())
    for (const url of [`/${name}`, `/${name}/*`]) app.all(url, { schema: { hide: true } }, answer)
}

/** Only handshakes for other protocols leave Node's HTTP layer this way; ours are answered like any request. */
export function mountUpgrades(http: HttpDoor, server: Server): void {
  server.on('upgrade', (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    const rest = Buffer.concat([head, takePipelined(incoming.socket)])
    carryOutInTurn(incoming.socket, () => {
      const connection = connectionOf(incoming.socket)
      if (connection.inputIgnored) {
        connection.hasAnswer = true
        socket.resume() // Node has left this socket to us
        return
      }
      http.counters.requests++
      const mounted = mountedAt(incoming.url!, http)!
      connection.inputIgnored = true
      // What was asked for before is answered before: behind the handshake its answers would be read as frames.
      behindAnswers(connection, () =>
        whenTurnAllows(() => {
          if (isAnswerable(incoming.socket)) openMounted(http, mounted, { incoming, socket, rest })
        }),
      )
    })
  })
}

function openMounted(
  http: HttpDoor,
  { door, path }: Mounted,
  { incoming, socket, rest }: { incoming: IncomingMessage; socket: Duplex; rest: Buffer },
): void {
  try {
    if (connectionOf(incoming.socket).isBeyondLimit) throw http.connectionLimit.refusal()
    refuseForeignPage(http, incoming)
  } catch (error) {
    if (!(error instanceof PubSubError)) throw error
    return refuseSocket(incoming.socket, http.counters, error, incoming.headers)
  }
  const address = peerAddress(incoming, http.options.trustedProxies)
  door.upgrade(incoming, socket, { path, address, head: rest })
}

/** For Node's `shouldUpgradeCallback`. */
export function isMountedUpgrade(http: HttpDoor, { url, headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket' && mountedAt(url!, http) !== null
}

function refuseForeignPage(http: HttpDoor, incoming: IncomingMessage): void {
  const { origin, host, 'sec-fetch-site': secFetchSite } = incoming.headers
  const page = { origin, secFetchSite, host, isTls: isTls(incoming) }
  if (!http.webPages.mayPublish(page)) throw originNotAllowed()
}
