import type { ConfigName } from './configs.ts'

/** A conversation with the server, sent byte for byte to the original (record.ts) and to ours. */
export interface Case {
  /** A sentence; also the key in transcripts.json. */
  readonly name: string
  readonly config: ConfigName
  /** Needs a server nobody used before: the case reads counts or a backlog. */
  readonly freshServer?: true
  readonly steps: readonly Step[]
}

/**
 * `send` is written as Latin-1: one character, one byte. `{{cursor 2}}`, `{{CURSOR 2}}` and `{{timestamp 2}}` stand for
 * those of the second event that this case saw. A connection opens when it is first named; what it saw is its transcript,
 * save for `publisher`, to whom every answer has to be 202.
 */
export type Step =
  | { readonly on: string; readonly send: string }
  | { readonly on: string; readonly finishSending: true }
  /** One whole answer, or the head of a stream up to its first keep-alive. */
  | { readonly on: string; readonly awaits: 'answer' }
  /** Stream lines up to one that contains the text. */
  | { readonly on: string; readonly awaits: 'line'; readonly containing: string }
  /** Stream lines up to the next keep-alive. */
  | { readonly on: string; readonly awaits: 'keep-alive' }
  /** The server closes the connection. */
  | { readonly on: string; readonly awaits: 'end' }
  /** The ACL file gets this text and the server a SIGUSR2. */
  | { readonly reloadAcl: string }

/** The bytes of a request; a body brings its Content-Length unless the headers frame it themselves. */
export function request(
  method: string,
  target: string,
  options: { headers?: readonly string[]; body?: string } = {},
): string {
  const { headers = [], body } = options
  const lines = [`${method} ${target} HTTP/1.1`, 'Host: pubsub.test', ...headers]
  const isFramed = headers.some((line) => /^(content-length|transfer-encoding):/i.test(line))
  if (body !== undefined && !isFramed) lines.push(`Content-Length: ${body.length}`)
  return `${lines.join('\r\n')}\r\n\r\n${body ?? ''}`
}

/** Text as the UTF-8 bytes that `send` takes. */
export function utf8(text: string): string {
  return Buffer.from(text).toString('latin1')
}

export function exchange(on: string, bytes: string): readonly Step[] {
  return [
    { on, send: bytes },
    { on, awaits: 'answer' },
  ]
}

export function publish(target: string, body: string, headers: readonly string[] = []) {
  return exchange('publisher', request('PUT', target, { headers, body }))
}

export function listen(on: string, target: string, headers: readonly string[] = []) {
  return exchange(on, request('GET', target, { headers }))
}

export function until(on: string, text: string): Step {
  return { on, awaits: 'line', containing: text }
}

/** Steps under the eyes of a stream that sees every public event, and then one marker: what else was published shows. */
export function watched(...steps: readonly Step[]): readonly Step[] {
  return [
    ...listen('watcher', '/'),
    ...steps,
    ...publish('/marker', '{"marker": "end"}'),
    until('watcher', '"end"'),
  ]
}

export function basic(credentials: string): string {
  return `Authorization: Basic ${Buffer.from(credentials).toString('base64')}`
}
