import type { WebPages } from '../auth/web-pages.ts'

/**
 * What browsers are told of the pages that may use this server (https://fetch.spec.whatwg.org/#http-cors-protocol). Off
 * unless `server.cors.origins` names some: then nothing is said at all, as in PyPubSub. The header of Private Network
 * Access is left out: no browser came to demand it, and what took its place (Local Network Access) asks the visitor.
 */
export class Cors {
  readonly #pages: WebPages

  constructor(pages: WebPages) {
    this.#pages = pages
  }

  get isOff(): boolean {
    return !this.#pages.knowsOthers
  }

  /** Names and values in turn, for every answer to a request of that origin, refusals too: a page may read why. */
  headersFor(origin: string | undefined): readonly string[] {
    if (this.isOff) return NOTHING
    if (origin === undefined) return VARY
    const access = this.#pages.accessOf(origin)
    if (access === 'nothing') return VARY
    return access === 'everything'
      ? [...VARY, ALLOW_ORIGIN, origin, ...WITH_CREDENTIALS, ...EXPOSED]
      : [...VARY, ALLOW_ORIGIN, '*', ...EXPOSED]
  }

  /** What a page may send, beside `headersFor`. `null`: it may not use this server. */
  permissionsFor(origin: string): readonly string[] | null {
    const access = this.#pages.accessOf(origin)
    if (access === 'nothing') return null
    return access === 'everything' ? EVERYTHING : PUBLIC_STREAMS
  }
}

const NOTHING: readonly string[] = []
const VARY = ['Vary', 'Origin']
const ALLOW_ORIGIN = 'Access-Control-Allow-Origin'
const WITH_CREDENTIALS = ['Access-Control-Allow-Credentials', 'true']
const EXPOSED = [
  'Access-Control-Expose-Headers',
  'X-Pubsub-Cursor, X-Subscribers, X-Requests, Retry-After',
]

/** Seconds a browser may keep a permission: a page that is taken off the list asks again soon. */
const MAX_AGE = ['Access-Control-Max-Age', '600']

const RESUMING = 'Last-Event-ID, X-Fetch-Since, X-Fetch-Since-Cursor'

/** No `Authorization`: a password that any page may send is one that any page may try. */
const PUBLIC_STREAMS = [
  'Access-Control-Allow-Methods',
  'GET, HEAD',
  'Access-Control-Allow-Headers',
  RESUMING,
  ...MAX_AGE,
]

const EVERYTHING = [
  'Access-Control-Allow-Methods',
  'GET, HEAD, PUT, POST',
  'Access-Control-Allow-Headers',
  `${RESUMING}, Authorization, Content-Type, Idempotency-Key`,
  ...MAX_AGE,
]
