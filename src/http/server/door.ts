import type { Server } from 'node:http'
import type { AddressList } from '../../auth/address-list.ts'
import type { LoginGate } from '../../auth/login-gate.ts'
import type { Policy } from '../../auth/policy.ts'
import type { WebPages } from '../../auth/web-pages.ts'
import type { Hub } from '../../hub/hub.ts'
import type { BugReport } from '../../ops/bug-report.ts'
import type { PageFile } from '../pages/page-file.ts'
import type { WhereExpressions } from '../../where/where.ts'
import type { PubSubError } from '../../publication/errors.ts'
import type { MountedDoor } from '../../sockets/mounted-door.ts'
import type { Cors } from './cors.ts'

/** Whose the hub's subscriptions of HTTP are, WebSockets included. */
export const HTTP = 'http'

export interface HttpLimits {
  readonly payloadBytesMax: number
  /** Body of one batch. */
  readonly batchBytesMax: number
  /** Events in one batch. */
  readonly batchEventsMax: number
  /** Nesting of a published object. */
  readonly jsonDepthMax: number
  /** Topics in one path. */
  readonly topicsMax: number
  /** Comma groups in one subscription. */
  readonly topicFiltersMax: number
  /** Events that a stream may be told to end after. */
  readonly countMax: number
  /** Time that a stream may be told to end after. */
  readonly timeoutMsMax: number
  /** Request line and headers together. */
  readonly headBytesMax: number
  readonly headTimeoutMs: number
  readonly requestTimeoutMs: number
  /** A peer that takes no byte of its answers for this long is closed. */
  readonly stallTimeoutMs: number
}

interface HttpOptions {
  readonly limits: HttpLimits
  /** Proxies whose X-Forwarded-For counts. */
  readonly trustedProxies: AddressList
  /** Substrings of the User-Agent of clients that expect a NUL after every newline. */
  readonly oldschoolers: readonly string[]
  /** 401 instead of taking the peer for anonymous. */
  readonly rejectBadCredentials: boolean
}

/** Knows which connections are too many: they are marked (`Connection.isBeyondLimit`), and this is what they are told. */
export interface ConnectionJudge {
  watch(server: Server): void
  refusal(): PubSubError
}

/** What every handler of the HTTP door needs. */
export interface HttpDoor {
  readonly hub: Hub
  readonly logins: LoginGate
  readonly policy: Policy
  readonly webPages: WebPages
  readonly cors: Cors
  /** The expressions of all open streams. */
  readonly where: WhereExpressions
  /** This server's version. */
  readonly version: string
  /** The files of the page, by their names below `/-/`. */
  readonly page: ReadonlyMap<string, PageFile>
  /** Doors of other protocols below `/-/`, by name. */
  readonly mounts: ReadonlyMap<string, MountedDoor>
  readonly options: HttpOptions
  readonly connectionLimit: ConnectionJudge
  /** What went wrong while answering, by the place in our sources. */
  readonly bugs: BugReport
  readonly counters: RequestCounters
}

/** What the server tells of itself in every answer, over all ports. */
export class RequestCounters {
  /** Requests so far, the present one included. */
  requests = 0
  readonly #hub: Hub
  readonly #server: string
  readonly #serverLines: string

  constructor(hub: Hub, version: string) {
    this.#hub = hub
    this.#server = `PyPubSub/0.7.4 (pubsubd ${version})`
    this.#serverLines = `Server: ${this.#server}\r\nX-Subscribers: `
  }

  /** Names and values in turn, as `writeHead` takes them. */
  headers(): string[] {
    const subscribers = String(this.#hub.subscribersOf(HTTP))
    return [
      'Server',
      this.#server,
      'X-Subscribers',
      subscribers,
      'X-Requests',
      String(this.requests),
    ]
  }

  /** The same as lines of a head. */
  headerLines(): string {
    const subscribers = this.#hub.subscribersOf(HTTP)
    return `${this.#serverLines}${subscribers}\r\nX-Requests: ${this.requests}\r\n`
  }

  cursorOfHead(): string {
    return this.#hub.cursorOf(this.#hub.head)
  }
}
