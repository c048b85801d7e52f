import assert from 'node:assert/strict'
import { DEADLINE_MS } from '../deadline.ts'
import { startServer, type RunningServer } from '../running-server.ts'
import { shared } from '../shared.ts'
import { RawClient, type Answer, type Head } from './raw-client.ts'

type Section = Readonly<Record<string, unknown>>

/** Where requests go. */
export interface Reached {
  readonly port: number
  readonly isTls?: boolean
}

/** A server on a free port of 127.0.0.1 where this machine may publish. JSON is YAML, too. */
export async function startPubsub(
  config: { server?: Section; clients?: Section; limits?: Section; protocols?: Section } = {},
  acl?: Section,
): Promise<RunningServer> {
  const { server, clients, limits = {}, protocols = {} } = config
  const running = await startServer({
    config: JSON.stringify({
      server: { bind: '127.0.0.1', port: 0, ...server },
      clients: { payloaders: ['127.0.0.1'], ...clients },
      limits,
      protocols,
    }),
    ...(acl === undefined ? {} : { acl: JSON.stringify(acl) }),
  })
  if (server?.['tls'] === undefined) return running
  const [, tlsPort] = await running.printed(/listening on https:\/\/\S+:(\d+)/)
  return { ...running, tlsPort: Number(tlsPort) }
}

/** Limits for tests that log in wrongly again and again, and need not wait for it. */
export const LOGINS_AT_ONCE = { login_delay: 0, login_refusal: 0 }

/** One such server for all tests of a file. */
export function sharedPubsub(...config: Parameters<typeof startPubsub>): () => RunningServer {
  return shared(() => startPubsub(...config))
}

/** The bytes of a request. A body brings its Content-Length, unless the headers frame it themselves. */
export function request(
  method: string,
  target: string,
  { headers = [], body }: { headers?: readonly string[]; body?: string | Uint8Array } = {},
): Buffer {
  const host = headers.some((line) => /^host:/i.test(line)) ? [] : ['Host: pubsub.test']
  const lines = [`${method} ${target} HTTP/1.1`, ...host, ...headers]
  const bytes = Buffer.from(body ?? '')
  const isFramed = headers.some((line) => /^(content-length|transfer-encoding):/i.test(line))
  if (body !== undefined && !isFramed) lines.push(`Content-Length: ${bytes.length}`)
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), bytes])
}

export const RECEIVED = 'Payload received, thank you very much!\n'
export const NOT_UNDERSTOOD =
  'I could not understand your request, sorry! Please see https://pubsub.apache.org/api.html for usage documentation.\n'
export const NOT_ALLOWED = 'You are not authorized to deliver payloads!\n'
export const NOT_AN_OBJECT = 'Bad payload type. Payloads must be JSON dictionary objects, {..}!\n'
export const TOO_LARGE = 'Payload is too large for me to serve, please make it shorter.\n'

export function put(target: string, body: string | Uint8Array, headers?: readonly string[]) {
  return request('PUT', target, { body, ...(headers ? { headers } : {}) })
}

export function get(target: string, ...headers: readonly string[]): Buffer {
  return request('GET', target, { headers })
}

/** A body in chunks of these texts, the last chunk included. */
export function chunkedBody(...texts: readonly string[]): string {
  const chunks = texts.map((text) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
  return `${chunks.join('')}0\r\n\r\n`
}

export function basic(name: string, password: string, encoding: BufferEncoding = 'utf8'): string {
  const bytes = Buffer.from(`${name}:${password}`, encoding)
  return `Authorization: Basic ${bytes.toString('base64')}`
}

/** Publishes on a connection of its own, and is accepted. */
export async function publish(
  { port, isTls: tls = false }: Reached,
  target: string,
  payload: object,
  ...headers: readonly string[]
): Promise<Answer> {
  await using publisher = await RawClient.open(port, { tls })
  const answer = await publisher.ask(put(target, JSON.stringify(payload), headers))
  assert.equal(answer.status, 202, answer.body)
  return answer
}

/** A stream that has had its first keep-alive. */
export async function listen(
  server: Reached,
  target = '/',
  ...headers: readonly string[]
): Promise<RawClient & { readonly streamHead: Head }> {
  const client = await RawClient.open(server.port)
  client.send(get(target, ...headers))
  const streamHead = await client.head()
  assert.equal(streamHead.status, 200)
  const { json } = await client.line()
  assert.deepEqual(Object.keys(json), ['stillalive'])
  return Object.assign(client, { streamHead })
}

/** Resolves once the server counts no more than so many streams. */
export async function streamsLeft(
  { port, isTls: tls = false }: Reached,
  count: number,
  withinMs = DEADLINE_MS,
): Promise<void> {
  await using client = await RawClient.open(port, { tls })
  const deadlineMs = performance.now() + withinMs
  for (;;) {
    const { headers } = await client.ask(request('HEAD', '/'))
    if (Number(headers['x-subscribers']) <= count) return
    assert.ok(performance.now() < deadlineMs, `${headers['x-subscribers']} streams are left`)
  }
}

let markers = 0

/** Everything these streams get before a marker that is published now: nothing else proves that something did not come. */
export async function eventsUpToNow(server: RunningServer, ...streams: readonly RawClient[]) {
  const marker = `marker ${++markers}`
  await publish(server, '/marker', { marker })
  return Promise.all(
    streams.map(async (stream) => {
      const events = []
      for (;;) {
        const { json } = await stream.event()
        if (json.marker === marker) return events
        events.push(json)
      }
    }),
  )
}

/** Whether a stream with these headers shows a private event on `fruits`. */
export async function seesPrivate(server: RunningServer, ...headers: readonly string[]) {
  await using stream = await listen(server, '/', ...headers)
  await publish(server, '/private/fruits', { n: 1 })
  const [events] = await eventsUpToNow(server, stream)
  return events?.length === 1
}
