import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import { test, type TestContext } from 'node:test'
import { setImmediate as settled } from 'node:timers/promises'
import type { WebSocket } from 'ws'
import { Verifier } from '../../../src/protocols/lonelyps/authorization.ts'
import { Delivery } from '../../../src/protocols/lonelyps/delivery.ts'
import { Interests } from '../../../src/protocols/lonelyps/interests.ts'
import {
  SocketSubscriber,
  type WebSocketsOptions,
} from '../../../src/protocols/lonelyps/websockets.ts'
import type { BroadcasterMessage } from '../../../src/protocols/lonelyps/ws-messages.ts'
import { messageIn, readBroadcasterMessage, writeSubscriberMessage } from './ws-peer-codec.ts'
import { CONFIGURE, notify, SECRETS, subscribeTo, type Saying } from './ws-peer.ts'

/** A connection whose other side takes what it gets when the test says so. */
class Connection {
  readonly webSocket = Object.assign(new EventEmitter(), {
    OPEN: 1,
    readyState: 1,
    pause: () => void (this.isRead = false),
    resume: () => void (this.isRead = true),
    close: () => {},
    terminate: () => {},
  })
  readonly socket = Object.assign(new EventEmitter(), {
    writableLength: 0,
    write: (frame: Uint8Array) => this.#take(readBroadcasterMessage(messageIn(frame))),
  })
  readonly subscriber: SocketSubscriber
  readonly received: string[] = []
  isRead = true
  #deliveries = 0
  readonly #toAcknowledge: Saying[] = []

  constructor(t: TestContext, options: { queueBytesMax: number; notified?: Promise<number> }) {
    const { queueBytesMax, notified = Promise.resolve(0) } = options
    const verifier = new Verifier([SECRETS.none])
    this.subscriber = new SocketSubscriber(
      this.webSocket as unknown as WebSocket,
      this.socket as unknown as Duplex,
      { address: null, judge: (...about) => verifier.verify(...about) },
      {
        verifier,
        limits: {
          messageBytesMax: 10,
          queueBytesMax,
          subscriptionsPerPeerMax: 10,
          globsMax: 10,
        } as WebSocketsOptions['limits'],
        presets: new Map(),
        interests: new Interests<SocketSubscriber>(),
        notify: () => notified,
        log: (_, message) => assert.fail(message),
      },
    )
    t.after(() => this.subscriber.end())
    this.say(CONFIGURE)
  }

  say(saying: Saying): void {
    const message = { ...saying, authorization: null, tracing: Buffer.of() }
    this.webSocket.emit('message', writeSubscriberMessage(message, 'minimal'), true)
  }

  deliver(bytes: number): void {
    const message = Buffer.alloc(bytes)
    const identifier = Buffer.of(++this.#deliveries)
    const sha512 = hash('sha512', message, 'buffer')
    this.subscriber.deliver(new Delivery(Buffer.from('a'), message, sha512, identifier))
  }

  acknowledge(): void {
    this.say(this.#toAcknowledge.shift()!)
  }

  /** What came since the last time. */
  news(): string[] {
    return this.received.splice(0)
  }

  #take(message: BroadcasterMessage): void {
    this.received.push(message.type)
    if (message.type === 'RECEIVE_STREAM') {
      const { identifier } = message
      this.#toAcknowledge.push({ type: 'CONFIRM_RECEIVE', identifier, subscribers: 1 })
    }
  }
}

test('a WebSocket whose answers nobody reads is not read until they were', async (t) => {
  const connection = new Connection(t, { queueBytesMax: 1_000 })
  connection.socket.writableLength = 10 * 1024 * 1024 // what deliveries may take alone
  connection.say(notify('a', '1'))
  assert.equal(connection.isRead, true)
  connection.socket.writableLength = 17 * 1024 * 1024
  connection.say(notify('a', '1'))
  await settled()
  assert.equal(connection.isRead, false)
  connection.socket.writableLength = 0
  connection.socket.emit('drain')
  assert.equal(connection.isRead, true)
})

test('a WebSocket is read again when its requests are answered, and not because it was drained', async (t) => {
  const { promise, resolve } = Promise.withResolvers<number>()
  const connection = new Connection(t, { queueBytesMax: 1_000, notified: promise })
  for (const saying of [notify('a', '0123456789'), notify('a', '1')]) connection.say(saying)
  assert.equal(connection.isRead, false)
  connection.socket.emit('drain')
  assert.equal(connection.isRead, false)
  resolve(1)
  await settled()
  assert.equal(connection.isRead, true)
})

test('a subscriber that was behind is told what it missed once it is not, also if it took little', async (t) => {
  const connection = new Connection(t, { queueBytesMax: 1_000 })
  connection.say(subscribeTo('a'))
  await settled()
  for (let count = 0; count < 4; count++) connection.deliver(10) // the fourth waits
  connection.deliver(2_000) // does not fit
  connection.socket.writableLength = 100 // too little for a drain to be told
  connection.news()
  connection.acknowledge()
  assert.deepEqual(connection.news(), ['RECEIVE_STREAM'])
  connection.socket.writableLength = 0
  connection.acknowledge()
  assert.deepEqual(connection.news(), ['MISSED'])
  connection.deliver(10)
  assert.deepEqual(connection.news(), ['RECEIVE_STREAM'])
})
