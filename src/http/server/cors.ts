import type { WebPages } from '../../auth/web-pages.ts'

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

  /**
   * What a page may send, beside `headersFor`. `null`: it may not use this server.
   * `asked`: the names of headers it asks for, with commas between them.
   */
  permissionsFor(origin: string, asked = ''): readonly string[] | null {
    const access = this.#pages.accessOf(origin)
    if (access === 'nothing') return null
    if (access !== 'everything') return PUBLIC_STREAMS
    const headers = [PUBLISHING, ...attributesIn(asked)].join(', ')
    return [...EVERYTHING, 'Access-Control-Allow-Headers', headers, ...MAX_AGE]
  }
}

/**
 * The headers of a CloudEvent among them. Anybody may invent attributes, so no list knows them all; and with credentials a
 * browser takes no asterisk for one.
 */
function attributesIn(asked: string): string[] {
  const names = asked.split(',').map((name) => name.trim())
  return names.filter((name) => CLOUD_EVENT_ATTRIBUTE.test(name)).slice(0, ATTRIBUTES_MAX)
}

/** Attributes have names of these characters alone, and should have no more than 20 of them (CloudEvents 1.0). */
const CLOUD_EVENT_ATTRIBUTE = /^ce-[a-z\d]{1,64}$/i
/** The specification and its extensions know some twenty. */
const ATTRIBUTES_MAX = 64

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

const EVERYTHING = ['Access-Control-Allow-Methods', 'GET, HEAD, PUT, POST']
const PUBLISHING = `${RESUMING}, Authorization, Content-Type, Idempotency-Key`
