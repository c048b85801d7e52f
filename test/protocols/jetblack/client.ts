import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { DEADLINE_MS } from '../../deadline.ts'
import type { InProcessServer } from '../../in-process-server.ts'
import { write } from './wire.ts'

export function sent(
  user: string,
  host: string,
  feed: string,
  topic: string,
  text: string,
): Buffer {
  const mark = Buffer.of(0)
  const packet = [write.integer(1), write.integer(0), write.text(text)]
  return Buffer.concat([
    Buffer.of(8),
    ...[user, host, feed, topic].map((each) => write.text(each)),
    mark,
    ...packet,
  ])
}

/** What somebody here has published on the feed `a`. */
export function fromClient(topic: string, text: string): Buffer {
  return sent('nobody', '127.0.0.1', 'a', topic, text)
}

export function stale(feed: string, topic: string): Buffer {
  return Buffer.concat([
    Buffer.of(8),
    ...['', '', feed, topic].map((each) => write.text(each)),
    Buffer.of(1),
    write.integer(0),
  ])
}

export class Client implements Disposable {
  readonly socket: Socket
  #received: Buffer[] = []
  #length = 0
  hasEnded = false

  /** `isPlain`: without TLS, whatever the port speaks. */
  constructor({ urls }: Pick<InProcessServer, 'urls'>, isPlain = false) {
    const { protocol, port } = new URL(urls.find((url) => /^t(cp|ls):/.test(url))!)
    const target = { host: '127.0.0.1', port: Number(port) }
    const isTls = protocol === 'tls:' && !isPlain
    this.socket = isTls ? connectTls({ ...target, rejectUnauthorized: false }) : connect(target)
    this.socket.on('error', () => {})
    this.socket.on('data', (chunk: Buffer) => {
      this.#received.push(chunk)
      this.#length += chunk.length
    })
    this.socket.on('close', () => (this.hasEnded = true))
  }

  get received(): Buffer {
    if (this.#received.length > 1) this.#received = [Buffer.concat(this.#received)]
    return this.#received[0] ?? Buffer.alloc(0)
  }

  /** Without a look at all that has come. */
  endsWith(bytes: Buffer): boolean {
    const last: Buffer[] = []
    for (let n = this.#received.length - 1, left = bytes.length; n >= 0 && left > 0; n--) {
      last.unshift(this.#received[n]!)
      left -= this.#received[n]!.length
    }
    return Buffer.concat(last).subarray(-bytes.length).equals(bytes)
  }

  /** What has come so far is left out. */
  forget(): void {
    this.#received = []
    this.#length = 0
  }

  async expects(...messages: readonly Buffer[]): Promise<void> {
    const expected = Buffer.concat(messages)
    const untilMs = performance.now() + DEADLINE_MS
    while (this.#length < expected.length && performance.now() < untilMs) await pause(5)
    if (!this.received.equals(expected))
      assert.equal(this.received.toString('latin1'), expected.toString('latin1'))
    this.forget()
  }

  async ends(): Promise<void> {
    if (!this.hasEnded) await once(this.socket, 'close')
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}

export function config(jetblack = '', more = ''): string {
  return `
server: {bind: 127.0.0.1, port: 0, backlog: {size: 10000}}
clients: {payloaders: [127.0.0.1]}
protocols: {jetblack: {ports: {0: is-image}${jetblack}}}
${more}`
}

/** Resolves once a client hears what is published at a path; what it has heard until then is left out. */
export async function isReady(
  server: InProcessServer,
  client: Client,
  path: string,
): Promise<void> {
  const [, feed, topic] = path.split('/') as [string, string, string]
  const publish = (body: string) => fetch(server.url + path, { method: 'PUT', body })
  while (client.received.length === 0) {
    await publish('{"ready": false}')
    await pause(2)
  }
  await publish('{"ready": true}')
  const last = sent('nobody', 'localhost', feed, topic, '{"ready": true}')
  while (!client.received.subarray(-last.length).equals(last)) await pause(2)
  client.forget()
}
