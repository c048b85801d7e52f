import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'
import { TLSSocket } from 'node:tls'
import { PlainAgent, plainRequest } from '../ops/node-http.ts'
import { RefusedError } from './client-error.ts'

export interface HttpRequest {
  readonly url: URL
  readonly method: 'GET' | 'PUT'
  readonly headers: OutgoingHttpHeaders
  readonly body?: Buffer
  /** Time for the head of the answer to come, in ms. */
  readonly headMs: number
  /** Ends it, the answer included. */
  readonly signal: AbortSignal
}

/** Asks servers over HTTP and keeps their connections. */
export class HttpExchange implements Disposable {
  readonly #plain = new PlainAgent({ keepAlive: true })
  readonly #secure = new SecureAgent({ keepAlive: true })

  /**
   * Resolves once the head of the answer is there.
   * @throws {RefusedError} its certificate does not prove that it is the server of that URL.
   * @throws {Error} of the network, or `no answer within …`.
   */
  send({ url, method, headers, body, headMs, signal }: HttpRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const isSecure = url.protocol === 'https:'
      const options = { method, headers, signal, agent: isSecure ? this.#secure : this.#plain }
      const request: ClientRequest = (isSecure ? secureRequest : plainRequest)(
        withoutCredentials(url),
        options,
      )
      const late = () => request.destroy(new Error(`no answer within ${headMs / 1_000} s`))
      const timer = setTimeout(late, headMs)
      request.on('error', (error) => {
        clearTimeout(timer)
        reject(trueReason(request, url, error))
      })
      request.on('response', (response) => {
        clearTimeout(timer)
        resolve(response)
      })
      request.end(body)
    })
  }

  [Symbol.dispose](): void {
    this.#plain.destroy()
    this.#secure.destroy()
  }
}

function trueReason(request: ClientRequest, url: URL, error: NodeJS.ErrnoException): Error {
  if (isAboutCertificate(request)) return certificateRefused(url, error)
  // What a server says that does not speak TLS makes no sense to OpenSSL.
  if (error.code === 'EPROTO' || NO_TLS.test(error.code ?? ''))
    return new RefusedError(
      `${url.host} does not speak TLS on that port: is it http://${url.host}${url.pathname}?`,
      null,
    )
  const isCutAtOnce = error.code === 'ECONNRESET' && (request.socket?.bytesRead ?? 0) === 0
  return isCutAtOnce && url.protocol === 'http:'
    ? Object.assign(error, {
        message: `${error.message}, before an answer: if that port speaks TLS, it is https://${url.host}${url.pathname}`,
      })
    : error
}

const NO_TLS =
  /^ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|HTTPS_PROXY_REQUEST)$/

/** Asked of the socket, as OpenSSL has some thirty codes for it. */
function isAboutCertificate({ socket }: ClientRequest): boolean {
  return socket instanceof TLSSocket && Boolean(socket.authorizationError)
}

/** Nobody mends that while we wait, and who waits without a word believes to be listening. */
function certificateRefused({ host }: URL, error: Error): RefusedError {
  return new RefusedError(
    `the certificate of ${host} is not accepted: ${error.message}; NODE_EXTRA_CA_CERTS=FILE names one to trust`,
    null,
  )
}

/** Node would send them, too, beside ours. */
function withoutCredentials(url: URL): URL {
  const plain = new URL(url)
  plain.username = ''
  plain.password = ''
  plain.hash = ''
  return plain
}

/**
 * The beginning of a body, for a message; the rest is thrown away. Where it breaks off or stalls, what has come must do: the
 * head has said already what became of the request.
 */
export async function shortText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  const timer = setTimeout(() => response.destroy(), BODY_MS)
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      if (bytes < TEXT_BYTES_MAX) chunks.push(chunk)
      bytes += chunk.length
      if (bytes > DISCARDED_BYTES_MAX) break
    }
  } catch {
    // As said above.
  } finally {
    clearTimeout(timer)
  }
  return Buffer.concat(chunks).subarray(0, TEXT_BYTES_MAX).toString()
}

/** For a body that is a sentence or two, in ms. */
const BODY_MS = 5_000

const TEXT_BYTES_MAX = 16 * 1024

/** A longer answer costs its connection. */
const DISCARDED_BYTES_MAX = 1024 * 1024

/** What a refusal says: its own words where it has some, of problem+json (RFC 9457) the detail. */
export function refusalIn(
  response: IncomingMessage,
  text: string,
): { readonly sentence: string; readonly code: string | null } {
  const status = `${response.statusCode} ${response.statusMessage}`
  const { location } = response.headers
  if (response.statusCode! >= 300 && response.statusCode! < 400 && location !== undefined)
    return { sentence: `${status}: the server is now at ${location}; use that URL`, code: null }
  const type = response.headers['content-type'] ?? ''
  if (type.startsWith('application/problem+json')) {
    try {
      const { detail, code } = JSON.parse(text) as { detail?: unknown; code?: unknown }
      if (typeof detail === 'string')
        return {
          sentence: `${status}: ${detail}`,
          code: typeof code === 'string' ? code : null,
        }
    } catch {
      // A proxy may have cut it: its text is told as it is.
    }
  }
  const isMarkup = /html|xml/.test(type)
  const [line = ''] = text.trim().split('\n', 1)
  return {
    sentence: isMarkup || line === '' ? status : `${status}: ${line.slice(0, LINE_MAX)}`,
    code: null,
  }
}

/** Longest line of an answer that a message repeats, in characters. */
const LINE_MAX = 500

/** `Retry-After` in ms: seconds or a date (RFC 9110, section 10.2.3); 0 without one. */
export function retryAfterMs(response: IncomingMessage): number {
  const header = response.headers['retry-after']
  if (header === undefined) return 0
  if (/^\d+$/.test(header)) return Number(header) * 1_000
  const ms = Date.parse(header) - Date.now()
  return ms > 0 ? ms : 0
}

/** Whether the same request may do better later. */
export function isPassing(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500
}

/** A network error in a few words: Node's own for several addresses is empty. */
export function describeError(error: unknown): string {
  if (error instanceof AggregateError && error.message === '')
    return error.errors.map((each) => describeError(each)).join('; ')
  return error instanceof Error ? error.message || error.name : String(error)
}
