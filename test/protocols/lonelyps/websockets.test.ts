import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import { test, type TestContext } from 'node:test'
import { setImmediate as settled } from 'node:timers/promises'
import type { WebSocket } from 'ws'
import { Hub } from '../../../src/hub/hub.ts'
import { PUBLIC_ONLY } from '../../../src/hub/rights.ts'
import { MemoryEventLog } from '../../../src/log/memory/memory-event-log.ts'
import { Verifier } from '../../../src/protocols/lonelyps/authorization.ts'
import { RecentDeliveries } from '../../../src/protocols/lonelyps/recent-deliveries.ts'
import { MessageMemory } from '../../../src/protocols/lonelyps/message-memory.ts'
import { SocketGlobs } from '../../../src/protocols/lonelyps/socket-globs.ts'
import {
  SocketSubscriber,
  type WebSocketsOptions,
} from '../../../src/protocols/lonelyps/websockets.ts'
import type { BroadcasterMessage } from '../../../src/protocols/lonelyps/ws-messages.ts'
import { messageIn, readBroadcasterMessage, writeSubscriberMessage } from './ws-peer-codec.ts'
import { CONFIGURE, notify, SECRETS, subscribeTo, type Saying } from './ws-peer.ts'

function openHub(queueBytesMax: number, eventsMax: number, streamsMax = 0): Hub {
  const kept = { maxAgeMs: 0, bytesMax: 1e9, keyWindowMs: 1, keysMax: 1 }
  return new Hub(new MemoryEventLog({ eventsMax, ...kept }), {
    queueBytesMax,
    stallTimeoutMs: 10_000,
    topicFiltersMax: 10,
    conditionsMax: 10,
    perShare: { topicFiltersMax: 0, conditionsMax: 0, streamsMax, streamsLeft: () => Infinity },
  })
}

/** A connection whose other side takes what it gets when the test says so. */
class Connection {
  readonly webSocket = Object.assign(new EventEmitter(), {
    OPEN: 1,
    readyState: 1,
    pause: () => void (this.isRead = false),
    resume: () => void (this.isRead = true),
    close: (code: number, reason: string) => void (this.closedAs = `${code} ${reason}`),
    terminate: () => {},
  })
  readonly socket = Object.assign(new EventEmitter(), {
    writableLength: 0,
    write: (frame: Uint8Array) => this.#take(readBroadcasterMessage(messageIn(frame))),
  })
  readonly subscriber: SocketSubscriber
  readonly received: string[] = []
  isRead = true
  closedAs: string | null = null
  readonly #hub: Hub
  readonly #toAcknowledge: Saying[] = []

  constructor(
    t: TestContext,
    options: {
      queueBytesMax: number
      notified?: Promise<number>
      eventsMax?: number
      hub?: Hub
      address?: string
      user?: string | null
    },
  ) {
    const { queueBytesMax, notified = Promise.resolve(0), eventsMax = 1_000 } = options
    this.#hub = options.hub ?? openHub(queueBytesMax, eventsMax)
    const { address = null, user = null } = options
    const verifier = new Verifier([{ ...SECRETS.none, name: user }])
    this.subscriber = new SocketSubscriber(
      this.webSocket as unknown as WebSocket,
      this.socket as unknown as Duplex,
      { address, judge: (...about) => verifier.verify(...about) },
      {
        verifier,
        limits: {
          messageBytesMax: 10,
          queueBytesMax,
          subscriptionsPerPeerMax: 10,
          globsMax: 10,
        } as WebSocketsOptions['limits'],
        presets: new Map(),
        hub: this.#hub,
        globs: new SocketGlobs({ globsMax: 10, globsPerAddressMax: 0 }),
        deliveries: new RecentDeliveries(),
        rightsOf: () => PUBLIC_ONLY,
        notify: () => notified,
        memory: new MessageMemory(1e9),
        onSubscribe: () => {},
        refused: (reason) => assert.fail(reason),
        logger: (_, message) => assert.fail(message),
      },
    )
    t.after(() => this.subscriber.gone())
    this.say(CONFIGURE)
  }

  say(saying: Saying): void {
    const message = { ...saying, authorization: null, tracing: Buffer.of() }
    this.webSocket.emit('message', writeSubscriberMessage(message, 'minimal'), true)
  }

  /** Resolves with how many are said to get it. */
  async publish(bytes: number, path = '/a'): Promise<number> {
    const payload = { type: 'data', text: JSON.stringify({ data: 'x'.repeat(bytes) }) } as const
    const topics = [path.slice(1)]
    return (await this.#hub.publish([{ topics, isPrivate: false, path, payload }])).matched
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

test('a WebSocket is one of the streams of its address, and is told where those are too many', (t) => {
  const hub = openHub(1_000, 0, 2)
  const connections = [1, 2, 3].map(() => new Connection(t, { queueBytesMax: 1_000, hub }))
  const closed = () => connections.map(({ closedAs }) => closedAs)
  const reason =
    '1008 refused: you have 2 streams open; 1 more would exceed limits.streams_per_address'
  assert.deepEqual(closed().slice(0, 2), [null, null])
  assert.ok(closed()[2]?.startsWith(reason), closed()[2] ?? 'open')
  connections[2]!.say(subscribeTo('a')) // is ignored
  connections[0]!.subscriber.gone()
  assert.equal(new Connection(t, { queueBytesMax: 1_000, hub }).closedAs, null)
})

test('WebSockets of a user are one share wherever they come from, others are their address', (t) => {
  const hub = openHub(1_000, 0, 1)
  const isOpen = (user: string | null, address: string) =>
    new Connection(t, { queueBytesMax: 1_000, hub, user, address }).closedAs === null
  assert.deepEqual([isOpen('alice', '192.0.2.1'), isOpen('Alice', '192.0.2.2')], [true, false])
  assert.deepEqual([isOpen(null, '192.0.2.1'), isOpen(null, '192.0.2.1')], [true, false])
  assert.equal(isOpen(null, '192.0.2.2'), true)
})

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

test('a subscriber that waits for acknowledgements gets everything from the log, whatever its size', async (t) => {
  const connection = new Connection(t, { queueBytesMax: 1_000 })
  connection.say(subscribeTo('a'))
  await settled()
  connection.news()
  for (const bytes of [10, 2_000, 10, 5_000, 10, 100_000])
    assert.equal(await connection.publish(bytes), 1)
  assert.equal(connection.news().length, 3)
  for (let count = 0; count < 6; count++) {
    connection.acknowledge()
    for (let turns = 0; turns < 5; turns++) await settled()
  }
  assert.deepEqual(connection.news(), Array(3).fill('RECEIVE_STREAM'))
  assert.equal(await connection.publish(10), 1)
  assert.deepEqual(connection.news(), ['RECEIVE_STREAM'])
})

test('a subscriber whose peer takes nothing gets no more, and all of it when it does', async (t) => {
  const connection = new Connection(t, { queueBytesMax: 1_000 })
  connection.say(subscribeTo('a'))
  await settled()
  connection.news()
  connection.socket.writableLength = 1_001
  for (let count = 0; count < 3; count++) assert.equal(await connection.publish(10), 1)
  assert.deepEqual(connection.news(), [])
  connection.socket.writableLength = 0
  connection.socket.emit('drain')
  for (let turns = 0; turns < 5; turns++) await settled()
  assert.deepEqual(connection.news(), Array(3).fill('RECEIVE_STREAM'))
})

test('what is gone when a subscriber comes for it is told as missed, before what comes behind it', async (t) => {
  const connection = new Connection(t, { queueBytesMax: 1_000, eventsMax: 2 })
  connection.say(subscribeTo('a'))
  await settled()
  for (let count = 0; count < 5; count++) await connection.publish(10)
  for (let count = 0; count < 3; count++) await connection.publish(2_000_000, '/b')
  assert.equal(await connection.publish(10), 0, 'nobody knows whether it will get it')
  connection.news()
  for (let count = 0; count < 4; count++) connection.acknowledge()
  for (let turns = 0; turns < 20; turns++) await settled()
  assert.deepEqual(connection.news(), ['RECEIVE_STREAM', 'MISSED', 'RECEIVE_STREAM'])
})
