import { hash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { WebSocket, type ClientOptions } from 'ws'
import { DEADLINE_MS } from '../../deadline.ts'
import { authorizationOf, type Secrets } from '../../../src/protocols/lonelyps/authorization.ts'
import { signed, type Signed } from '../../../src/protocols/lonelyps/signed-bytes.ts'
import type { BroadcasterMessage } from '../../../src/protocols/lonelyps/ws-messages.ts'
import { readBroadcasterMessage, writeSubscriberMessage } from './ws-peer-codec.ts'
import { CONFIGURE, notify, SECRETS, subscribeTo, type Saying } from './ws-peer.ts'

/** What is signed of it. */
export const ABOUT_CONFIGURE = signed.configure(
  CONFIGURE.subscriberNonce,
  CONFIGURE.enableZstd,
  CONFIGURE.enableTraining,
  CONFIGURE.initialDictionary,
)

/** A subscriber of the stateful mode with a real connection. */
export class SocketClient implements Disposable {
  readonly webSocket: WebSocket
  readonly received: BroadcasterMessage[] = []
  readonly #secrets: Secrets
  #counter = 0
  #nonce = ''

  /** `url`: of the server, with `http` or `https`. */
  constructor(url: string, secrets: Secrets = SECRETS.none, options: ClientOptions = {}) {
    this.#secrets = secrets
    this.webSocket = new WebSocket(`${url.replace(/^http/, 'ws')}/-/lonelyps/v1/websocket`, {
      perMessageDeflate: false,
      ...options,
    })
    this.webSocket.on('error', () => {})
    this.webSocket.on('message', (data) => {
      const message = readBroadcasterMessage(data as Buffer)
      this.received.push(message)
      this.#answer(message)
    })
  }

  static async configured(
    url: string,
    secrets: Secrets = SECRETS.none,
    options: ClientOptions = {},
  ): Promise<SocketClient> {
    const client = new SocketClient(url, secrets, options)
    await once(client.webSocket, 'open', { signal: AbortSignal.timeout(DEADLINE_MS) })
    client.say(CONFIGURE, ABOUT_CONFIGURE)
    await client.has('CONFIRM_CONFIGURE')
    return client
  }

  async subscribe(topic: string): Promise<void> {
    this.say(subscribeTo(topic), signed.subscribeExact(this.#url(), null, Buffer.from(topic)))
    await this.has('CONFIRM_SUBSCRIBE_EXACT')
  }

  async subscribeGlob(glob: string): Promise<void> {
    this.say({ type: 'SUBSCRIBE_GLOB', glob }, signed.subscribeGlob(this.#url(), null, glob))
    await this.has('CONFIRM_SUBSCRIBE_GLOB')
  }

  notify(topic: string, message: string): void {
    const saying = notify(topic, message)
    const { compressedSha512 } = saying.content
    this.say(saying, signed.notify(Buffer.from(topic), saying.identifier, compressedSha512))
  }

  say(saying: Saying, about: Signed): void {
    this.webSocket.send(this.bytesOf(saying, about))
  }

  bytesOf(saying: Saying, about: Signed): Buffer {
    const tracing = Buffer.of()
    const authorization = authorizationOf(this.#secrets.toBroadcaster, about, tracing)
    return writeSubscriberMessage({ ...saying, authorization, tracing }, 'minimal')
  }

  /** Resolves once a message of that type has come, so many in all. */
  async has(type: BroadcasterMessage['type'], count = 1, deadlineMs = DEADLINE_MS): Promise<void> {
    const signal = AbortSignal.timeout(deadlineMs)
    const closed = once(this.webSocket, 'close', { signal }).then(([code, reason]) => {
      throw new Error(`closed: ${String(code)} ${String(reason)}`)
    })
    closed.catch(() => {})
    while (this.received.filter((message) => message.type === type).length < count)
      await Promise.race([once(this.webSocket, 'message', { signal }), closed])
  }

  /** Topic and text of the deliveries, which have one part here. */
  get delivered(): string[] {
    return this.received.flatMap((message) =>
      message.type === 'RECEIVE_STREAM' && message.content !== null
        ? [`${message.content.topic.toString()} ${Buffer.from(message.body).toString()}`]
        : [],
    )
  }

  async closed(deadlineMs = DEADLINE_MS): Promise<{ code: number; reason: string }> {
    const signal = AbortSignal.timeout(deadlineMs)
    const [code, reason] = await once(this.webSocket, 'close', { signal })
    return { code, reason: String(reason) }
  }

  [Symbol.dispose](): void {
    this.webSocket.terminate()
  }

  #answer(message: BroadcasterMessage): void {
    if (message.type === 'CONFIRM_CONFIGURE') {
      const nonces = Buffer.concat([CONFIGURE.subscriberNonce, message.broadcasterNonce])
      this.#nonce = hash('sha256', nonces, 'base64')
    }
    if (message.type !== 'RECEIVE_STREAM') return
    const { identifier } = message
    this.say(
      { type: 'CONFIRM_RECEIVE', identifier, subscribers: 1 },
      signed.confirmReceive(identifier, 1, this.#url()),
    )
  }

  /** Of the next message that has a number. */
  #url(): string {
    return `websocket:${this.#nonce}:${(--this.#counter).toString(16)}`
  }
}

/** A token or an hmac each way, and the text of the file that has them. */
export function madeSecrets(
  name: string | null,
  type: 'token' | 'hmac',
): { readonly secrets: Secrets; readonly file: string } {
  const scheme = () => {
    const bytes = randomBytes(64)
    const secret = bytes.toString('base64url')
    return {
      entry: { type, secret },
      scheme:
        type === 'token'
          ? ({ type: 'token', token: secret } as const)
          : ({ type: 'hmac', secret: bytes } as const),
    }
  }
  const [toBroadcaster, toSubscriber] = [scheme(), scheme()]
  return {
    secrets: { name, toBroadcaster: toBroadcaster.scheme, toSubscriber: toSubscriber.scheme },
    file: JSON.stringify({
      version: '2',
      'to-broadcaster': toBroadcaster.entry,
      'to-subscriber': toSubscriber.entry,
    }),
  }
}
