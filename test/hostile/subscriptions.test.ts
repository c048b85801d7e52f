import fc from 'fast-check'
import { once } from 'node:events'
import { connect } from 'node:net'
import { hostileGroup, type HostileCase } from './hostile-group.ts'
import { requestText, sendBytes } from './http-input.ts'
import type { WatchedServer } from './watched-server.ts'

/** What many streams ask for at once. */
interface Crowd {
  readonly shape: keyof typeof SHAPES
  readonly streams: number
  readonly groups: number
  /** Whether each asks for the same. */
  readonly isShared: boolean
}

/** Comma group `n` of a stream, so that 4,000 of them fit into a request. */
const SHAPES = {
  'topics in common': (from: number, n: number) => subsetOf(from * 16 + n),
  'a topic of its own': (from: number, n: number) => `${from}-${n}`,
  'a common topic and one of its own': (from: number, n: number) => `a/${from}-${n}`,
  'the same group again and again': (from: number) => `a/${from}`,
  'private events': (from: number, n: number) => `private/${subsetOf(from + n)}`,
  everything: (from: number, n: number) => (n % 2 === 0 ? '' : `${from}`),
} as const

/** Some of 13 topics, which all have short names. */
function subsetOf(mask: number): string {
  return Array.from('abcdefghijklm')
    .filter((_topic, bit) => (mask >> bit) % 2 === 1)
    .join('/')
}

const crowds: fc.Arbitrary<Crowd> = fc.record({
  shape: fc.constantFrom(...(Object.keys(SHAPES) as (keyof typeof SHAPES)[])),
  streams: fc.integer({ min: 1, max: 40 }),
  groups: fc.integer({ min: 1, max: 4_000 }),
  isShared: fc.boolean(),
})

function pathOf({ shape, groups, isShared }: Crowd, stream: number): string {
  const groupOf = SHAPES[shape]
  const from = isShared ? 0 : stream
  return `/${Array.from({ length: groups }, (_, n) => groupOf(from, n)).join()}`.slice(0, 64_000)
}

/** Streams that come one after the other, as fast as they can, and go all at once. */
const comeAndGo: HostileCase<Crowd> = {
  name: 'many streams of many comma groups end at once',
  inputs: crowds,
  examples: [
    { shape: 'topics in common', streams: 60, groups: 4_000, isShared: false },
    { shape: 'a topic of its own', streams: 60, groups: 4_000, isShared: false },
    { shape: 'a common topic and one of its own', streams: 60, groups: 4_000, isShared: false },
  ],
  runs: 4,
  async send(server, crowd) {
    const sockets = []
    for (let stream = 0; stream < crowd.streams; stream++)
      sockets.push(await openStream(server, pathOf(crowd, stream)))
    await sendBytes(server, requestText('PUT', '/a/b/c/d/e/f', ['Content-Length: 2']), '{}')
    for (const socket of sockets) socket.destroy()
    // The next answer comes behind them.
    await sendBytes(server, requestText('HEAD', '/'))
  },
}

async function openStream({ port }: WatchedServer, path: string) {
  const socket = connect(port, '127.0.0.1')
  socket.write(requestText('GET', path))
  await once(socket, 'data')
  return socket.on('error', () => {})
}

hostileGroup('subscriptions', {}, [comeAndGo])
