import { isIP } from 'node:net'
import { OptionError } from './option-error.ts'

export interface WebPagesOptions {
  /** Names under which browsers reach this server (`server.hostnames`). */
  readonly hostnames: readonly string[]
  /** Origins whose pages may do what their visitors may (`server.cors.origins`). `*`: all others may read what is public. */
  readonly corsOrigins: readonly string[]
}

/** What pages of another origin may do. */
export type PageAccess = 'everything' | 'public-streams' | 'nothing'

/** What a browser says about the page that sends a request. `undefined`: no such header. */
export interface PageHeaders {
  readonly origin: string | undefined
  readonly secFetchSite: string | undefined
  readonly host: string | undefined
  /** Whether the browser spoke TLS. */
  readonly isTls: boolean
}

/**
 * Keeps foreign web pages from publishing through the browser of somebody whose address may: a form or a `fetch` of
 * `text/plain` needs nobody's permission. Clients that are no browsers send none of these headers.
 */
export class WebPages {
  readonly #hostnames: ReadonlySet<string>
  readonly #origins: ReadonlySet<string>
  readonly #isAnyReader: boolean

  /** @throws {OptionError} a hostname or an origin is none. */
  constructor({ hostnames, corsOrigins }: WebPagesOptions) {
    this.#hostnames = new Set(['localhost', ...hostnames.map(canonicalHostname)])
    const origins = corsOrigins.filter((origin) => origin !== '*')
    this.#origins = new Set(origins.map(canonicalListed))
    this.#isAnyReader = corsOrigins.includes('*')
  }

  /** Whether pages of any other origin may do anything. */
  get knowsOthers(): boolean {
    return this.#isAnyReader || this.#origins.size > 0
  }

  accessOf(origin: string): PageAccess {
    if (this.#origins.has(canonicalOrigin(origin) ?? '')) return 'everything'
    return this.#isAnyReader ? 'public-streams' : 'nothing'
  }

  mayPublish({ origin, secFetchSite, host, isTls }: PageHeaders): boolean {
    if (origin === undefined) return !/\bcross-site\b/i.test(secFetchSite ?? '')
    return this.accessFrom(origin, host, isTls) === 'everything'
  }

  /**
   * What the page of an origin, perhaps our own, may do where its browser leaves the decision to us, as it does with
   * WebSockets: https://websockets.spec.whatwg.org knows no CORS.
   */
  accessFrom(origin: string, host: string | undefined, isTls: boolean): PageAccess {
    const canonical = canonicalOrigin(origin)
    const isOwn = canonical !== null && canonical === this.#ownOrigin(host ?? '', isTls)
    return isOwn ? 'everything' : this.accessOf(origin)
  }

  /**
   * `null` where the Host is a name we do not know: a page of that name came from somewhere else first, and its owner has
   * pointed the name at us since (DNS rebinding).
   */
  #ownOrigin(host: string, isTls: boolean): string | null {
    const origin = canonicalOrigin(`${isTls ? 'https' : 'http'}://${host}`)
    if (origin === null) return null
    const { hostname } = new URL(origin)
    const isAddress = isIP(hostname.replace(/^\[(.*)\]$/, '$1')) !== 0
    return isAddress || this.#hostnames.has(hostname) ? origin : null
  }
}

/** Lower case, without a default port. `null`: not one web origin (`null`, a list, an extension's page). */
function canonicalOrigin(text: string): string | null {
  if (!/^https?:\/\/(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i.test(text)) return null
  return URL.parse(text)?.origin ?? null
}

function canonicalListed(text: string): string {
  const { origin = 'null', pathname, search, hash } = URL.parse(text) ?? {}
  if (origin === 'null' || `${pathname}${search}${hash}` !== '/')
    throw new OptionError(`${JSON.stringify(text)} is no web origin such as https://example.org`)
  return origin
}

function canonicalHostname(text: string): string {
  if (isIP(text) !== 0) return text
  const { hostname = '' } = URL.parse(`http://${text}`) ?? {}
  if (hostname === '' || /[/@?#]/.test(text))
    throw new OptionError(`${JSON.stringify(text)} is no host name`)
  return hostname
}
