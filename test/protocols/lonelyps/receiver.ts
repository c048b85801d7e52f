import { hash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { DEADLINE_MS } from '../../deadline.ts'
import { ByteReader } from '../../../src/protocols/lonelyps/byte-reader.ts'
import { ByteWriter } from '../../../src/protocols/lonelyps/byte-writer.ts'
import {
  authorizationOf,
  Verifier,
  type Secrets,
} from '../../../src/protocols/lonelyps/authorization.ts'
import { signed } from '../../../src/protocols/lonelyps/signed-bytes.ts'

const NOBODY: Secrets = {
  name: null,
  toBroadcaster: { type: 'none' },
  toSubscriber: { type: 'none' },
}

/** What came to a receiver. */
export interface Received {
  readonly path: string
  readonly topic: string
  /** `null`: it is told that it has missed something. */
  readonly message: string | null
  readonly headers: IncomingMessage['headers']
}

/** How it answers: as the reference's client does, or otherwise. */
export type Manner = 'confirm' | 'unsubscribe' | 'fail' | 'hang'

/** A subscriber of the stateless mode: a server that takes webhooks, and refuses those that are not signed for it. */
export class Receiver implements AsyncDisposable {
  manner: Manner = 'confirm'
  readonly received: Received[] = []
  onReceived: ((received: Received) => void) | null = null
  readonly #server = createServer((request, response) => void this.#take(request, response))
  readonly #secrets: Secrets
  readonly #verifier: Verifier

  private constructor(secrets: Secrets) {
    this.#secrets = secrets
    this.#verifier = new Verifier([{ ...secrets, toBroadcaster: secrets.toSubscriber }])
  }

  static async start(port = 0, secrets: Secrets = NOBODY): Promise<Receiver> {
    const receiver = new Receiver(secrets)
    receiver.#server.listen(port, '127.0.0.1')
    await once(receiver.#server, 'listening')
    return receiver
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/v1/receive`
  }

  get recovery(): string {
    return `http://127.0.0.1:${this.port}/v1/recover`
  }

  get messages(): (string | null)[] {
    return this.received.map(({ message }) => message)
  }

  /** Resolves once so much has come. */
  async has(count: number, deadlineMs = DEADLINE_MS): Promise<readonly Received[]> {
    const untilMs = performance.now() + deadlineMs
    while (this.received.length < count) {
      if (performance.now() > untilMs)
        throw new Error(
          `only ${this.received.length} of ${count}: ${JSON.stringify(this.messages)}`,
        )
      await sleep(10)
    }
    return this.received
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const reader = new ByteReader(await buffer(request))
    const tracing = reader.b16()
    const topicBytes = reader.b16()
    const topic = topicBytes.toString('utf8')
    const path = request.url!
    const isEvent = path.startsWith('/v1/receive')
    const identifier = isEvent ? reader.b8() : Buffer.alloc(0)
    if (isEvent) reader.u64()
    const messageBytes = reader.rest()
    const message = isEvent ? messageBytes.toString('utf8') : null
    const sha512 = hash('sha512', messageBytes, 'buffer')
    const about = isEvent
      ? signed.receive(this.url, topicBytes, identifier, sha512)
      : signed.missed(this.recovery, topicBytes)
    const verdict = this.#verifier.verify(request.headers.authorization ?? null, about, tracing)
    if (verdict.type !== 'ok') return void response.writeHead(403).end(Buffer.of(0, 10))
    const received = { path, topic, message, headers: request.headers }
    this.received.push(received)
    this.onReceived?.(received)
    if (this.manner === 'hang') return
    if (this.manner === 'fail') return void response.writeHead(500).end()
    if (this.manner === 'unsubscribe') return void response.writeHead(403).end(Buffer.of(0, 10))
    const answer = new ByteWriter()
      .u16(isEvent ? 8 : 9)
      .str16(this.#confirmation(isEvent, identifier, topicBytes) ?? '')
      .b16(new Uint8Array())
    if (isEvent) answer.b8(identifier).u32(1)
    response.end(answer.bytes())
  }

  #confirmation(isEvent: boolean, identifier: Uint8Array, topic: Uint8Array): string | null {
    const about = isEvent
      ? signed.confirmReceive(identifier, 1, this.url)
      : signed.confirmMissed(topic, this.recovery)
    return authorizationOf(this.#secrets.toBroadcaster, about, new Uint8Array())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** A request of the stateless mode without authorization. */
export async function ask(
  serverUrl: string,
  path: string,
  body: Uint8Array,
  headers: Record<string, string> = {},
): Promise<{ readonly status: number; readonly body: Buffer; readonly text: string }> {
  const response = await fetch(`${serverUrl}/-/lonelyps${path}`, { method: 'POST', body, headers })
  const bytes = Buffer.from(await response.arrayBuffer())
  return { status: response.status, body: bytes, text: bytes.toString('utf8') }
}

export function subscribeBody(url: string, topic: string, recovery: string | null = null): Buffer {
  const to = new ByteWriter().str16(url).str16(topic)
  return to
    .str16(recovery ?? '')
    .b16(new Uint8Array())
    .bytes()
}

export function unsubscribeBody(url: string, topic: string): Buffer {
  return new ByteWriter().str16(url).str16(topic).b16(new Uint8Array()).bytes()
}

export function notifyBody(topic: string | Uint8Array, message: string | Uint8Array): Buffer {
  const bytes = Buffer.from(message as string)
  return new ByteWriter()
    .b16(Buffer.from(topic as string))
    .raw(hash('sha512', bytes, 'buffer'))
    .b16(new Uint8Array())
    .b8(Buffer.from('abcd'))
    .u64(BigInt(bytes.length))
    .raw(bytes)
    .bytes()
}

/** How many were notified, of the answer to a notification. */
export function countOf(answer: Buffer): number {
  const reader = new ByteReader(answer)
  reader.u16()
  reader.str16()
  reader.b16()
  return reader.u32()
}
