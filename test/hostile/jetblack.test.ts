import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import fc from 'fast-check'
import { write } from '../protocols/jetblack/wire.ts'
import { hostileGroup, type HostileCase } from './hostile-group.ts'
import { oddText, repeated, type OddText } from './odd-text.ts'
import type { WatchedServer } from './watched-server.ts'

function portOf(server: WatchedServer): number {
  return Number(/listening on tcp:\/\/\S+:(\d+)/.exec(server.output())![1])
}

async function connected(server: WatchedServer): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: portOf(server), noDelay: true })
  socket.on('error', () => {}) // closed without a word
  await once(socket, 'connect')
  return socket
}

/** Resolves once the server has closed, which it does when it has taken all of it. */
async function ended(socket: Socket): Promise<void> {
  socket.resume()
  socket.end()
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
}

/** Pieces of messages: types, lengths, texts. */
const PIECES = [
  '\0',
  '\0\0\0\0',
  '\0\0\0\x01',
  '\0\0\0\x01a',
  '\0\0\xff\xff',
  '\0\x01\0\0',
  '\xff\xff\xff\xff',
  '\x01',
  '\x02',
  '\x03',
  '\x04',
  '\x05',
  '\x06',
  '\x07',
  '\x08',
  '\x09',
  '\x0a',
  'GET / HTTP/1.1\r\n',
  '\x05\0\0\0\x01a\0\0\0\x01b\x01',
  '\x04\0\0\0\x01a\x01',
  '\0\0\0\x09Username=',
  '\x01\0\0\0\x01a\0\0\0\x01b\0\0\0\0\0',
]

const bytes: HostileCase<OddText> = {
  name: 'bytes of any kind',
  inputs: oddText(PIECES, 1_000_000),
  examples: [
    repeated('\x05\0\0\0\x01a\0\0\0\x01b\x01', 30_000),
    repeated('\x01\0\0\0\x01a\0\0\0\x01b\0\0\0\0\0', 30_000),
  ],
  runs: 30,
  async send(server, text) {
    const socket = await connected(server)
    socket.write(Buffer.from(text.toString(), 'latin1'))
    await ended(socket)
  },
}

interface Packets {
  readonly count: number
  readonly entitlements: number
  readonly length: number
  readonly text: string
}

/** One message, which somebody gets on either wire. */
const packets: HostileCase<Packets> = {
  name: 'messages of many packets',
  inputs: fc.record({
    count: fc.oneof(fc.nat(65_535), fc.constant(65_535)),
    entitlements: fc.constantFrom(0, 0, 1, 3),
    length: fc.nat(20),
    text: fc.constantFrom('{', '{}', 'x', '\xff', '"'),
  }),
  examples: [
    { count: 65_535, entitlements: 1, length: 1, text: '{}' },
    { count: 65_535, entitlements: 0, length: 0, text: '' },
    { count: 60, entitlements: 65_535, length: 1, text: 'x' },
    { count: 1, entitlements: 0, length: 400_000, text: '{"a":' },
  ],
  runs: 12,
  async send(server, { count, entitlements, length, text }) {
    const listener = await connected(server)
    listener.write(write.subscription('a', 'b'))
    const got = once(listener, 'data')
    const numbers = Array.from({ length: entitlements }, (_, n) => write.integer(n))
    const data = Buffer.from(text.repeat(length), 'latin1')
    const packet = Buffer.concat([
      write.integer(entitlements),
      ...numbers,
      write.integer(data.length),
      data,
    ])
    const socket = await connected(server)
    socket.write(
      Buffer.concat([
        write.publication('a', 'b', 'first'),
        Buffer.of(1),
        write.text('a'),
        write.text('b'),
        Buffer.of(0),
        write.integer(count),
        ...Array.from({ length: count }, () => packet),
      ]),
    )
    await ended(socket)
    await got
    await ended(listener)
  },
}

interface Crowd {
  readonly topics: number
  readonly hearers: number
  readonly length: number
  readonly comesBack: boolean
}

/** Whoever subscribes to as much as is allowed, is heard of by some, and goes. */
const crowds: HostileCase<Crowd> = {
  name: 'as many subscriptions as are allowed, heard of by some',
  inputs: fc.record({
    topics: fc.nat(10_000),
    hearers: fc.nat(10),
    length: fc.constantFrom(1, 20),
    comesBack: fc.boolean(),
  }),
  examples: [{ topics: 10_000, hearers: 10, length: 1, comesBack: true }],
  runs: 4,
  async send(server, { topics, hearers, length, comesBack }) {
    const heard = await Promise.all(Array.from({ length: hearers }, () => connected(server)))
    for (const each of heard)
      each.resume().write(Buffer.concat([Buffer.of(4), write.text('a'), Buffer.of(1)]))
    const subscriptions = Array.from({ length: topics }, (_, n) =>
      write.subscription('a', `${n}`.padEnd(length)),
    )
    const ends = Array.from({ length: topics }, (_, n) =>
      write.subscription('a', `${n}`.padEnd(length), false),
    )
    for (let n = 0; n < (comesBack ? 2 : 1); n++) {
      const socket = await connected(server)
      socket.write(Buffer.concat(subscriptions))
      if (comesBack) socket.write(Buffer.concat(ends))
      await ended(socket)
    }
    await Promise.all(heard.map(ended))
  },
}

const request = (isAdd: number) => Buffer.concat([Buffer.of(4), write.text('a'), Buffer.of(isAdd)])

/** Whoever hears of subscriptions is told of all that there are. */
const hearers: HostileCase<{ readonly topics: number; readonly times: number }> = {
  name: 'asking again and again for all subscriptions',
  inputs: fc.record({ topics: fc.nat(10_000), times: fc.nat(200) }),
  examples: [{ topics: 10_000, times: 200 }],
  runs: 3,
  async send(server, { topics, times }) {
    const subscribed = await connected(server)
    subscribed.write(
      Buffer.concat(Array.from({ length: topics }, (_, n) => write.subscription('a', `${n}`))),
    )
    const socket = await connected(server)
    socket.write(Buffer.concat(Array.from({ length: 2 * times }, (_, n) => request(1 - (n % 2)))))
    await ended(socket)
    await ended(subscribed)
  },
}

hostileGroup(
  'jetblack',
  {
    config: { protocols: { jetblack: { ports: { 0: 'is-image' } } } },
    // The newest events, which may have many packets.
    heapBytesMax: 32 * 1_048_576,
  },
  [bytes, packets, crowds, hearers],
)

const logins: HostileCase<OddText> = {
  name: 'logins',
  inputs: oddText(['Username=', 'Password=', 'Token=', ';', '=', 'a', '\xc3\xa9', '\0'], 65_536),
  examples: [repeated(';Username=', 6_000), repeated(';', 65_536), repeated('Username=;', 6_000)],
  runs: 20,
  async send(server, text) {
    const socket = await connected(server)
    const login = Buffer.from(text.toString(), 'latin1')
    socket.write(Buffer.concat([write.integer(login.length), login, write.subscription('a', 'b')]))
    await ended(socket)
  },
}

/** Everybody is asked about everybody. */
const asked: HostileCase<{ readonly topics: number; readonly authorisers: number }> = {
  name: 'subscriptions that many are asked about',
  inputs: fc.record({ topics: fc.nat(10_000), authorisers: fc.nat(20) }),
  examples: [{ topics: 10_000, authorisers: 20 }],
  runs: 3,
  async send(server, { topics, authorisers }) {
    const login = write.text('Username=mary;Password=p')
    const all = await Promise.all(Array.from({ length: authorisers }, () => connected(server)))
    for (const each of all) each.resume().write(login)
    const socket = await connected(server)
    socket.write(
      Buffer.concat([
        login,
        ...Array.from({ length: topics }, (_, n) => write.subscription('a', `${n}`)),
      ]),
    )
    await ended(socket)
    await Promise.all(all.map(ended))
  },
}

hostileGroup(
  'jetblack with logins',
  {
    config: {
      limits: { login_delay: 0 },
      protocols: {
        jetblack: {
          ports: { 0: 'is-image' },
          authentication: 'acl',
          feeds: { a: { authorize: ['mary'] } },
        },
      },
    },
    acl: { mary: { password: 'p', acl: {} } },
  },
  [logins, asked],
)
