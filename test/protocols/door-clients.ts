import { mkdtempSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { hash, randomUUID } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { WebSocket } from 'ws'
import { authorizationOf, type Secrets } from '../../src/protocols/lonelyps/authorization.ts'
import { signed } from '../../src/protocols/lonelyps/signed-bytes.ts'
import {
  Remembered,
  startWorld,
  toHttpPort,
  type DoorClient,
  type DoorSubscriber,
  type DoorWorld,
  type Who,
} from '../contracts/door.ts'
import { DEADLINE_MS } from '../deadline.ts'
import { DataReader, write } from './jetblack/wire.ts'
import { ask, notifyBody, Receiver, subscribeBody } from './lonelyps/receiver.ts'
import { madeSecrets, SocketClient } from './lonelyps/socket-client.ts'

const AUTHORIZATION = `Basic ${Buffer.from('alice:wonderland').toString('base64')}`

const headersOf = (who: Who) => (who === null ? {} : { Authorization: AUTHORIZATION })

/** A server with all doors, and what their users have. */
export async function startAllDoors(): Promise<DoorWorld> {
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-test-'))
  const secrets = new Map<string, Secrets>()
  for (const name of ['alice', 'all']) {
    const made = madeSecrets(name === 'all' ? null : name, 'hmac')
    writeFileSync(join(directory, `${name}.json`), made.file)
    secrets.set(name, made.secrets)
  }
  const lonelyps =
    `lonelyps: {secrets: ${directory}/all.json, users: {alice: ${directory}/alice.json}, ` +
    'webhooks: {allow: [127.0.0.1]}}, jetblack: {ports: {0: is-image}, authentication: acl}'
  return startWorld(directory, lonelyps, secrets)
}

function payloadOf(n: number, paddingBytes: number): string {
  return JSON.stringify(paddingBytes === 0 ? { n } : { n, padding: 'x'.repeat(paddingBytes) })
}

async function publishOverHttp(
  { server }: DoorWorld,
  path: string,
  n: number,
  who: Who,
  paddingBytes = 0,
): Promise<boolean> {
  const sent = request(`${server.url}/${path}`, { method: 'PUT', headers: headersOf(who) })
  sent.end(payloadOf(n, paddingBytes))
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  await text(response)
  if (response.statusCode !== 202 && response.statusCode !== 403)
    throw new Error(`status ${response.statusCode}`)
  return response.statusCode === 202
}

/** Takes what a frame of JSON says, whatever its form. */
function remember(remembered: Remembered, json: Record<string, unknown>): void {
  if ('pubsub_topics' in json) {
    remembered.numbers.push(json['n'] as number)
    remembered.cursor = json['pubsub_cursor'] as string
  } else {
    if ('gap' in json) remembered.wasToldOfGap = true
    if ('closing' in json) remembered.hasEnded = true
  }
  remembered.change()
}

function httpForm(
  name: string,
  accept: string,
  read: (remembered: Remembered, line: string) => void,
): DoorClient {
  return {
    name,
    hasStreams: true,
    hasCursors: true,
    connect: toHttpPort,
    opening: () => `GET /fruits HTTP/1.1\r\nHost: a\r\nAccept: ${accept}\r\n\r\n`,
    publish: publishOverHttp,
    async subscribe({ server }, path, who, after) {
      const remembered = new Remembered()
      const target = after === undefined ? `/${path}` : `/${path}?cursor=${after}`
      const sent = request(server.url + target, {
        headers: { Accept: accept, ...headersOf(who) },
        agent: false,
      })
      sent.end()
      const [response] = (await once(sent, 'response')) as [IncomingMessage]
      let unread = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        const lines = (unread + chunk).split('\n')
        unread = lines.pop()!
        for (const line of lines) read(remembered, line)
        remembered.change()
      })
      response.on('error', () => {})
      response.on('close', () => {
        remembered.hasEnded = true
        remembered.change()
      })
      return subscriberOf(remembered, {
        pause: () => void response.pause(),
        resume: () => void response.resume(),
        close: () => void sent.destroy(),
      })
    },
  }
}

function subscriberOf(
  remembered: Remembered,
  {
    pause,
    resume,
    close,
  }: { pause: () => void; resume: () => void; close: () => void | Promise<void> },
): DoorSubscriber {
  return {
    get numbers() {
      return remembered.numbers
    },
    get wasToldOfGap() {
      return remembered.wasToldOfGap
    },
    get hasEnded() {
      return remembered.hasEnded
    },
    get cursor() {
      return remembered.cursor
    },
    until: (isEnough) => remembered.until(isEnough),
    pause,
    resume,
    async [Symbol.asyncDispose]() {
      await close()
    },
  }
}

const readJsonLine = (remembered: Remembered, line: string) => {
  if (line !== '') remember(remembered, JSON.parse(line))
}

const webSocket: DoorClient = {
  name: 'WebSocket',
  hasStreams: true,
  hasCursors: true,
  connect: toHttpPort,
  opening: () =>
    'GET /fruits HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  publish: publishOverHttp,
  async subscribe({ server }, path, who, after) {
    const remembered = new Remembered()
    const target = after === undefined ? `/${path}` : `/${path}?cursor=${after}`
    const socket = new WebSocket(server.url.replace('http', 'ws') + target, {
      headers: headersOf(who),
    })
    socket.on('message', (data) => remember(remembered, JSON.parse((data as Buffer).toString())))
    socket.on('error', () => {})
    socket.on('close', () => {
      remembered.hasEnded = true
      remembered.change()
    })
    await once(socket, 'open', { signal: AbortSignal.timeout(DEADLINE_MS) })
    return subscriberOf(remembered, {
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      close: () => socket.terminate(),
    })
  },
}

const secretsOf = ({ secrets }: DoorWorld, who: Who) => secrets.get(who ?? 'all') as Secrets

async function notify(
  world: DoorWorld,
  path: string,
  n: number,
  who: Who,
  paddingBytes = 0,
): Promise<boolean> {
  const message = payloadOf(n, paddingBytes)
  const about = signed.notify(
    Buffer.from(path),
    Buffer.from('abcd'),
    hash('sha512', message, 'buffer'),
  )
  const authorization = authorizationOf(secretsOf(world, who).toBroadcaster, about, Buffer.of())
  const { status } = await ask(world.server.url, '/v1/notify', notifyBody(path, message), {
    Authorization: authorization!,
  })
  if (status !== 200 && status !== 403) throw new Error(`status ${status}`)
  return status === 200
}

const lonelypsWebSocket: DoorClient = {
  name: 'lonelyps, WebSockets',
  hasStreams: true,
  hasCursors: false,
  connect: toHttpPort,
  opening: () =>
    'GET /-/lonelyps/v1/websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  publish: notify,
  async subscribe(world, path, who) {
    const remembered = new Remembered()
    const client = await SocketClient.configured(world.server.url, secretsOf(world, who))
    await client.subscribe(path)
    let begun = ''
    client.webSocket.on('message', () => {
      const message = client.received.at(-1)!
      if (message.type === 'MISSED') remembered.wasToldOfGap = true
      if (message.type === 'RECEIVE_STREAM') begun = numberOf(remembered, message, begun)
      remembered.change()
    })
    client.webSocket.on('close', () => {
      remembered.hasEnded = true
      remembered.change()
    })
    return subscriberOf(remembered, {
      pause: () => client.webSocket.pause(),
      resume: () => client.webSocket.resume(),
      close: () => client[Symbol.dispose](),
    })
  },
}

/** What of a message is left that is not whole yet. */
function numberOf(remembered: Remembered, { body }: { body: Uint8Array }, begun: string): string {
  const whole = begun + Buffer.from(body).toString()
  if (!whole.endsWith('}')) return whole
  remembered.numbers.push(JSON.parse(whole).n)
  return ''
}

const lonelypsWebhooks: DoorClient = {
  name: 'lonelyps, webhooks',
  hasStreams: false,
  hasCursors: false,
  connect: toHttpPort,
  opening: () =>
    'POST /-/lonelyps/v1/notify HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 200\r\n\r\n',
  publish: notify,
  async subscribe(world, path, who) {
    const remembered = new Remembered()
    const secrets = secretsOf(world, who)
    const receiver = await Receiver.start(0, secrets)
    receiver.onReceived = ({ message }) => {
      if (message === null) remembered.wasToldOfGap = true
      else remembered.numbers.push(JSON.parse(message).n)
      remembered.change()
    }
    const about = signed.subscribeExact(receiver.url, null, Buffer.from(path))
    const authorization = authorizationOf(secrets.toBroadcaster, about, Buffer.of())
    const { status, text: said } = await ask(
      world.server.url,
      '/v1/subscribe/exact',
      subscribeBody(receiver.url, path),
      { Authorization: authorization! },
    )
    // Who is nobody is told at once that no private event would come, which is as good.
    const isTold = status === 403 && who === null && path.startsWith('private/')
    if (status !== 200 && !isTold) {
      await receiver[Symbol.asyncDispose]()
      throw new Error(`status ${status}: ${said}`)
    }
    return subscriberOf(remembered, {
      pause: () => {},
      resume: () => {},
      close: () => receiver[Symbol.asyncDispose](),
    })
  },
}

function toJetblackPort({ server }: DoorWorld): Socket {
  const { port } = new URL(server.urls.find((url) => url.startsWith('tcp:'))!)
  return connect({ host: '127.0.0.1', port: Number(port) })
}

function jetblackLogin(who: Who): Buffer {
  const [user, password] = who === 'alice' ? ['alice', 'wonderland'] : ['bob', 'builder']
  return write.text(`Username=${user};Password=${password}`)
}

/** Feed and topic of a path. */
function pairOf(path: string): readonly [feed: string, topic: string] {
  const [feed = '', ...rest] = path.split('/')
  return [feed, rest.join('/')]
}

/** Answers to nothing cannot be waited for; but what a connection sends takes effect in that order, and this comes back to it. */
const MARKER = ['marker', randomUUID()] as const

const jetblack: DoorClient = {
  name: 'jetblack',
  hasStreams: true,
  hasCursors: false,
  connect: toJetblackPort,
  opening: () => jetblackLogin(null).toString('latin1'),
  async publish(world, path, n, who, paddingBytes = 0) {
    using socket = disposable(toJetblackPort(world))
    const seen = Promise.withResolvers<boolean>()
    const payload = payloadOf(n, paddingBytes)
    const reader = new DataReader((topic, packet) => {
      if (topic === MARKER[1]) seen.resolve(false)
      else if (packet.toString() === payload) seen.resolve(true)
    })
    socket.on('data', (chunk: Buffer) => reader.push(chunk))
    socket.on('close', () => seen.reject(new Error('the connection is closed')))
    const [feed, topic] = pairOf(path)
    socket.write(
      Buffer.concat([
        jetblackLogin(who),
        write.subscription(feed, topic),
        write.subscription(...MARKER),
        write.publication(feed, topic, payload),
        write.publication(...MARKER, '{}'),
      ]),
    )
    return await seen.promise
  },
  async subscribe(world, path, who) {
    const remembered = new Remembered()
    const socket = toJetblackPort(world)
    const begun = Promise.withResolvers<void>()
    const marker = ['marker', randomUUID()] as const
    const reader = new DataReader((topic, packet) => {
      if (topic === marker[1]) return begun.resolve()
      remembered.numbers.push(JSON.parse(packet.toString()).n)
      remembered.change()
    })
    socket.on('data', (chunk: Buffer) => reader.push(chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      remembered.hasEnded = true
      remembered.change()
    })
    socket.write(
      Buffer.concat([
        jetblackLogin(who),
        write.subscription(...pairOf(path)),
        write.subscription(...marker),
        write.publication(...marker, '{}'),
      ]),
    )
    await begun.promise
    return subscriberOf(remembered, {
      pause: () => void socket.pause(),
      resume: () => void socket.resume(),
      close: () => void socket.destroy(),
    })
  },
}

function disposable(socket: Socket): Socket & Disposable {
  socket.on('error', () => {})
  return Object.assign(socket, { [Symbol.dispose]: () => void socket.destroy() })
}

/** Every door as its own clients use it; the names of a protocol's begin with its own. */
export const DOORS: readonly DoorClient[] = [
  httpForm('lines of PyPubSub', '*/*', readJsonLine),
  httpForm('NDJSON', 'application/x-ndjson', readJsonLine),
  httpForm('server-sent events', 'text/event-stream', (remembered, line) => {
    const [, id] = /^id: (.*)/.exec(line) ?? []
    if (id !== undefined) remembered.cursor = id
    if (line === 'event: gap') remembered.wasToldOfGap = true
    if (line === 'event: closing') remembered.hasEnded = true
    const [, data] = /^data: (.*)/.exec(line) ?? []
    const json = data === undefined ? {} : JSON.parse(data)
    if ('n' in json) remembered.numbers.push(json.n)
  }),
  webSocket,
  lonelypsWebSocket,
  lonelypsWebhooks,
  jetblack,
]
