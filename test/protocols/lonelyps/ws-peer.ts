import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { constants, zstdDecompressSync } from 'node:zlib'
import {
  authorizationOf,
  Verifier,
  type Scheme,
  type Secrets,
} from '../../../src/protocols/lonelyps/authorization.ts'
import { Delivery } from '../../../src/protocols/lonelyps/delivery.ts'
import type { Interest } from '../../../src/protocols/lonelyps/interests.ts'
import { signed, type Signed } from '../../../src/protocols/lonelyps/signed-bytes.ts'
import type {
  BroadcasterMessage,
  Content,
  SubscriberMessage,
} from '../../../src/protocols/lonelyps/ws-messages.ts'
import {
  WsSession,
  type Presets,
  type SessionLimits,
  type SessionPorts,
} from '../../../src/protocols/lonelyps/ws-session.ts'
import {
  messageIn,
  readBroadcasterMessage,
  writeSubscriberMessage,
  type HeaderForm,
} from './ws-peer-codec.ts'

type Unsigned<Message> = Message extends unknown
  ? Omit<Message, 'authorization' | 'tracing'>
  : never

/** What a subscriber says, without what proves that it is it. */
export type Saying = Unsigned<SubscriberMessage>

const NOW_MS = 1_700_000_000_000

const TRACING = Buffer.from('trace')

/** The secrets of one who may come, of each kind of authorization. */
export const SECRETS = {
  none: secretsOf('none', { type: 'none' }, { type: 'none' }),
  token: secretsOf('token', { type: 'token', token: 'btok' }, { type: 'token', token: 'stok' }),
  hmac: secretsOf(
    'hmac',
    { type: 'hmac', secret: Buffer.alloc(64, 1) },
    { type: 'hmac', secret: Buffer.alloc(64, 2) },
  ),
} as const

function secretsOf(name: string, toBroadcaster: Scheme, toSubscriber: Scheme): Secrets {
  return { name, toBroadcaster, toSubscriber }
}

export interface PeerOptions {
  readonly secrets?: Secrets
  /** All whom the broadcaster knows. */
  readonly known?: readonly Secrets[]
  readonly form?: HeaderForm
  readonly ports?: Partial<SessionPorts>
  readonly limits?: Partial<SessionLimits>
  readonly presets?: Presets
}

/**
 * A subscriber without a socket, and the session that it talks to. It takes what it gets apart as strictly as a
 * subscriber may: all authorizations, with counters of its own, and the order of all answers.
 */
export class Peer {
  readonly session: WsSession
  /** What came, in order. */
  readonly received: BroadcasterMessage[] = []
  /** What the session asked of its ports besides sending, in order. */
  readonly asked: string[] = []
  readonly notified: string[] = []
  /** Of notifications, as the session says. */
  heldBytes = 0
  /** Messages that came whole. */
  readonly delivered: string[] = []
  closed: { reason: string; cause: unknown } | null = null
  /** After each message that came. */
  onReceived: (() => void) | null = null
  readonly #secrets: Secrets
  readonly #form: HeaderForm
  #nonce = ''
  #ownCounter = 0
  #theirCounter = 0
  #signatures = 0
  /** What is to be answered, in that order: what is signed of an answer, or an error if it is another one. */
  readonly #expected: ((answer: BroadcasterMessage) => Signed)[] = []
  /** What it is sending in parts. */
  #upload: { content: Content; leftBytes: number } | null = null
  /** What it is getting in parts. */
  #delivery: {
    content: Content
    identifier: Uint8Array
    about: Signed
    parts: Uint8Array[]
  } | null = null
  readonly #toAcknowledge: Saying[] = []
  #randoms = 0

  constructor(options: PeerOptions = {}) {
    const { secrets = SECRETS.none, form = 'minimal' } = options
    this.#secrets = secrets
    this.#form = form
    const ports: SessionPorts = {
      send: (bytes) => this.#receive(Buffer.from(bytes)),
      sendFrame: (frame) => this.#receive(messageIn(frame)),
      close: (reason, cause) => {
        assert.equal(this.closed, null, 'closed twice')
        this.closed = { reason, cause }
      },
      configured: ({ name }) => void this.asked.push(`configured ${name}`),
      subscribe: (interest) => void this.asked.push(`subscribe ${textOf(interest)}`),
      unsubscribe: (interest) => void this.asked.push(`unsubscribe ${textOf(interest)}`),
      ended: (interests) => {
        for (const interest of interests) this.asked.push(`unsubscribe ${textOf(interest)}`)
      },
      notify: (topic, message) => {
        this.notified.push(`${text(topic)} ${text(message)}`)
        return Promise.resolve(1)
      },
      refused: (reason) => void this.asked.push(`refused: ${reason}`),
      holds: (bytes) => void (this.heldBytes = bytes),
      drained: () => void this.asked.push('drained'),
      readOn: () => void this.asked.push('readOn'),
      ...options.ports,
      isTaking() {
        return options.ports?.isTaking?.() ?? true
      },
    }
    this.session = new WsSession(
      ports,
      new Verifier(options.known ?? [secrets], () => NOW_MS),
      { messageBytesMax: 100_000, ...options.limits },
      options.presets,
      {
        now: () => NOW_MS,
        nonce: () => 'AbCd-_', // always the same, so that what is to come can be foreseen
        randomBytes: (count) => Buffer.alloc(count, ++this.#randoms),
      },
    )
  }

  /** One that has shaken hands. */
  static configured(options?: PeerOptions): Peer {
    const peer = new Peer(options)
    peer.say(CONFIGURE)
    assert.equal(peer.received.pop()?.type, 'CONFIRM_CONFIGURE')
    peer.asked.length = 0
    return peer
  }

  /** What the door would do with a message for it and others. `false`: it waits, and no more is to come. */
  deliver(topic: Uint8Array, message: Uint8Array): boolean {
    const identifier = Buffer.alloc(4, ++this.#randoms)
    const sha512 = hash('sha512', message, 'buffer')
    this.session.deliver(new Delivery(topic, message, sha512, identifier))
    return !this.session.isWaiting
  }

  /** Says it, with what it takes to be believed. The return value is the session's. */
  say(saying: Saying): boolean {
    return this.session.receive(this.write(saying))
  }

  /** The bytes of it, after all that was written before. */
  write(saying: Saying, authorization: string | null = this.authorize(saying)): Buffer {
    return writeSubscriberMessage({ ...saying, authorization, tracing: TRACING }, this.#form)
  }

  /** What proves that it is the one who says that. */
  authorize(saying: Saying): string | null {
    // A nonce of its own, as no authorization is taken twice.
    const sources = { now: () => NOW_MS, nonce: () => `n${++this.#signatures}` }
    const about = this.#aboutOf(saying)
    return authorizationOf(this.#secrets.toBroadcaster, about, TRACING, sources)
  }

  /** What proves a part if it is signed with that hash. */
  authorizePart(part: Saying & { type: 'NOTIFY_STREAM' }, sha512: Uint8Array): string | null {
    this.#aboutOf(part)
    const sources = { now: () => NOW_MS, nonce: () => `n${++this.#signatures}` }
    const about = signed.notify(this.#upload!.content.topic, part.identifier, sha512)
    return authorizationOf(this.#secrets.toBroadcaster, about, TRACING, sources)
  }

  /** Acknowledges the first parts of those that came, or all of them and what comes upon that. */
  acknowledge(parts = Infinity): void {
    for (let left = parts; left > 0 && this.#toAcknowledge.length > 0; left--)
      this.say(this.#toAcknowledge.shift()!)
  }

  get unacknowledgedParts(): number {
    return this.#toAcknowledge.length
  }

  /** The types of what came since the last time, those of deliveries with their part. */
  news(): string[] {
    return this.received
      .splice(0)
      .map((each) => (each.type === 'RECEIVE_STREAM' ? `part ${each.partId}` : each.type))
  }

  /** What is signed of it. Counts, and remembers what is to come upon it. */
  #aboutOf(saying: Saying): Signed {
    switch (saying.type) {
      case 'CONFIGURE':
        return signed.configure(
          saying.subscriberNonce,
          saying.enableZstd,
          saying.enableTraining,
          saying.initialDictionary,
        )
      case 'SUBSCRIBE_EXACT':
      case 'UNSUBSCRIBE_EXACT': {
        const url = this.#url(--this.#ownCounter)
        this.#expect(
          `CONFIRM_${saying.type}`,
          signed.confirmSubscribeExact(url, null, saying.topic),
        )
        return signed.subscribeExact(url, null, saying.topic)
      }
      case 'SUBSCRIBE_GLOB':
      case 'UNSUBSCRIBE_GLOB': {
        const url = this.#url(--this.#ownCounter)
        this.#expect(`CONFIRM_${saying.type}`, signed.confirmSubscribeGlob(url, null, saying.glob))
        return signed.subscribeGlob(url, null, saying.glob)
      }
      case 'NOTIFY': {
        const { identifier, content, body } = saying
        return this.#aboutNotify(identifier, content, true, confirmedSha512Of(content, body))
      }
      case 'NOTIFY_STREAM': {
        const { identifier, partId, content, body } = saying
        if (content !== null) this.#upload = { content, leftBytes: content.compressedBytes }
        // Without a part 0 there is nothing that could be signed rightly.
        const upload = (this.#upload ??= { content: contentOf('', Buffer.of()), leftBytes: 0 })
        upload.leftBytes -= body.length
        if (upload.leftBytes > 0)
          this.#expect('CONTINUE_NOTIFY', signed.continueNotify(identifier, partId))
        return this.#aboutNotify(identifier, upload.content, upload.leftBytes <= 0)
      }
      case 'CONTINUE_RECEIVE': {
        const url = this.#url(--this.#ownCounter)
        return signed.continueReceive(saying.identifier, saying.partId, url)
      }
      case 'CONFIRM_RECEIVE':
      default: {
        const url = this.#url(--this.#ownCounter)
        return signed.confirmReceive(saying.identifier, saying.subscribers, url)
      }
    }
  }

  #aboutNotify(
    identifier: Uint8Array,
    { topic, compressedSha512 }: Content,
    isWhole: boolean,
    confirmedSha512 = compressedSha512,
  ): Signed {
    if (isWhole)
      this.#expected.push((message) => {
        assert.ok(message.type === 'CONFIRM_NOTIFY', `${message.type} instead of CONFIRM_NOTIFY`)
        assert.deepEqual(message.identifier, identifier)
        return signed.confirmNotify(identifier, message.subscribers, topic, confirmedSha512)
      })
    return signed.notify(topic, identifier, compressedSha512)
  }

  #expect(type: BroadcasterMessage['type'], about: Signed): void {
    this.#expected.push((message) => {
      assert.equal(message.type, type)
      return about
    })
  }

  #receive(bytes: Buffer): void {
    assert.equal(this.closed, null, 'it goes on after closing')
    assert.ok(bytes.length < 4 * 1024 * 1024, 'lonelypsc takes no message of 4 MiB')
    const message = readBroadcasterMessage(bytes)
    this.received.push(message)
    const { toSubscriber } = this.#secrets
    const sources = { now: () => NOW_MS, nonce: () => 'AbCd-_' }
    const about = this.#aboutReceived(message)
    assert.equal(
      message.authorization,
      authorizationOf(toSubscriber, about, message.tracing, sources),
      `authorization of ${message.type}`,
    )
    this.onReceived?.()
  }

  #aboutReceived(message: BroadcasterMessage): Signed {
    switch (message.type) {
      case 'CONFIRM_CONFIGURE': {
        const nonces = Buffer.concat([CONFIGURE.subscriberNonce, message.broadcasterNonce])
        this.#nonce = hash('sha256', nonces, 'base64')
        return signed.confirmConfigure(message.broadcasterNonce)
      }
      case 'RECEIVE_STREAM': {
        const { identifier, partId, content, body } = message
        if (content !== null) {
          assert.equal(this.#delivery, null, 'a delivery begins before the last one is complete')
          const url = this.#url(++this.#theirCounter)
          const { topic, compressedSha512 } = content
          const about = signed.receive(url, topic, identifier, compressedSha512)
          this.#delivery = { content, identifier, about, parts: [] }
        }
        const delivery = this.#delivery!
        assert.equal(partId, delivery.parts.length)
        assert.deepEqual(identifier, delivery.identifier)
        delivery.parts.push(body)
        const whole = Buffer.concat(delivery.parts)
        if (whole.length < delivery.content.compressedBytes) {
          this.#toAcknowledge.push({ type: 'CONTINUE_RECEIVE', identifier, partId })
          return delivery.about
        }
        assert.deepEqual(hash('sha512', whole, 'buffer'), delivery.content.compressedSha512)
        this.delivered.push(
          `${text(delivery.content.topic)} ${text(decompressed(delivery.content, whole))}`,
        )
        this.#delivery = null
        this.#toAcknowledge.push({ type: 'CONFIRM_RECEIVE', identifier, subscribers: 1 })
        return delivery.about
      }
      case 'ENABLE_ZSTD_PRESET':
        return signed.enableZstdPreset(this.#url(++this.#theirCounter), message)
      case 'MISSED':
        assert.equal(this.#delivery, null, 'MISSED between the parts of a delivery')
        return signed.missed(this.#url(++this.#theirCounter), message.topic)
      default: {
        const aboutOf = this.#expected.shift()
        assert.ok(aboutOf !== undefined, `nothing is to be answered by ${message.type}`)
        return aboutOf(message)
      }
    }
  }

  #url(counter: number): string {
    return `websocket:${this.#nonce}:${counter.toString(16)}`
  }
}

/** What tests of compressing with a dictionary have. */
export const DICTIONARY = Buffer.from('{"user":"somebody","message":"The quick brown fox"}')

/** As strictly as the reference's client is told to. */
function decompressed(content: Content, bytes: Uint8Array): Uint8Array {
  if (content.compressor === 0) return bytes
  const message = zstdDecompressSync(bytes, {
    params: { [constants.ZSTD_d_windowLogMax]: 23 },
    ...(content.compressor > 1 && { dictionary: DICTIONARY }),
  })
  assert.equal(message.length, content.decompressedBytes)
  return message
}

/** The reference confirms what came in no parts by the hash of what was compressed. */
function confirmedSha512Of(content: Content, body: Uint8Array): Uint8Array {
  try {
    return hash('sha512', decompressed(content, body), 'buffer')
  } catch {
    return content.compressedSha512 // to a wrong one there is no answer
  }
}

export const CONFIGURE = {
  type: 'CONFIGURE',
  subscriberNonce: Buffer.alloc(32, 0x5b),
  enableZstd: false,
  enableTraining: false,
  initialDictionary: 1,
} as const satisfies Saying

export function subscribeTo(topic: string): Saying {
  return { type: 'SUBSCRIBE_EXACT', topic: Buffer.from(topic) }
}

export function unsubscribeFrom(topic: string): Saying {
  return { type: 'UNSUBSCRIBE_EXACT', topic: Buffer.from(topic) }
}

export function subscribeToGlob(glob: string): Saying {
  return { type: 'SUBSCRIBE_GLOB', glob }
}

export function unsubscribeFromGlob(glob: string): Saying {
  return { type: 'UNSUBSCRIBE_GLOB', glob }
}

export function contentOf(topic: string, message: Uint8Array): Content {
  return {
    topic: Buffer.from(topic),
    compressor: 0,
    compressedBytes: message.length,
    decompressedBytes: message.length,
    compressedSha512: hash('sha512', message, 'buffer'),
  }
}

export function notify(
  topic: string,
  message: string | Uint8Array,
  change: Partial<Content> = {},
): Saying & { type: 'NOTIFY' } {
  const body = Buffer.from(message)
  const content = { ...contentOf(topic, body), ...change }
  return { type: 'NOTIFY', identifier: Buffer.from('id'), content, body }
}

/** A message in parts of these lengths, of which the last may be shorter. */
export function notifyParts(
  topic: string,
  message: Uint8Array,
  lengths: readonly number[],
  change: Partial<Content> = {},
): (Saying & { type: 'NOTIFY_STREAM' })[] {
  const identifier = Buffer.from('id')
  let at = 0
  return lengths.map((length, partId) => {
    const content = partId === 0 ? { ...contentOf(topic, message), ...change } : null
    const body = message.subarray(at, (at += length))
    return { type: 'NOTIFY_STREAM', identifier, partId, content, body }
  })
}

function textOf(interest: Interest): string {
  return interest.type === 'exact' ? `=${text(interest.topic)}` : `*${interest.glob}`
}

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}
