import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import {
  directory,
  fanload,
  freePort,
  median,
  option,
  row,
  startPubsubd,
  type Figures,
} from './harness.ts'

/**
 * 500 sockets of jetblack beside 500 plain HTTP streams of the same server: one wire, both of them, and 50 different sets of
 * entitlements; then publishing, and connections that are idle.
 */
const rounds = option('rounds', 5)
const seconds = option('seconds', 2)
const idle = option('idle', 5_000)

const runs = new Map<string, Figures[]>()
const keep = (key: string, figures: Figures) => runs.set(key, [...(runs.get(key) ?? []), figures])
function figure(name: string, field: string): number {
  return median(runs.get(name)!.map((run) => run[field]!))
}

const text = (value: string) => Buffer.concat([integer(value.length), Buffer.from(value)])
function integer(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
const SUBSCRIPTION = Buffer.concat([Buffer.of(5), text('bench'), text(''), Buffer.of(1)])
/** On the wire with an image mark, up to the length of the one packet's data. */
const PUBLICATION = Buffer.concat([
  Buffer.of(1),
  text('bench'),
  text(''),
  Buffer.of(0),
  integer(1),
  integer(0),
])

const [imagePort, contentPort, gatedPort] = [await freePort(), await freePort(), await freePort()]
await using open = await startPubsubd({
  more: `protocols: {jetblack: {ports: {${imagePort}: is-image, ${contentPort}: content-type}}}\n`,
})

const passwords = join(directory, 'passwords.json')
const salt = Buffer.alloc(32, 7)
const entry = {
  Salt: salt.toString('base64'),
  Hash: createHash('sha1').update('p').update(salt).digest('base64'),
}
writeFileSync(passwords, JSON.stringify({ mary: entry, sam: entry }))
await using gated = await startPubsubd({
  name: 'gated',
  more:
    `protocols: {jetblack: {ports: {${gatedPort}: is-image}, authentication: passwords, passwords: ${passwords}, ` +
    'feeds: {bench: {authorize: [mary], entitlements: [7]}}}}\n',
})
const SETS = 50
using _authoriser = authoriser(gatedPort)

const load = { subs: 500, payload: 100, 'pub-conns': 16, duration: seconds }
const jetblack = { ...load, 'sub-hex': SUBSCRIPTION.toString('hex') }
const loggedIn = Buffer.concat([text('Username=sam;Password=p'), SUBSCRIPTION]).toString('hex')
for (let round = 0; round < rounds; round++) {
  for (const rate of [50, 200]) {
    const oneWire = { 'sub-port': imagePort, rate }
    keep(`HTTP ${rate}`, await fanload(open, { ...load, rate }))
    keep(`one wire ${rate}`, await fanload(open, { ...jetblack, ...oneWire }))
    keep(
      `both wires ${rate}`,
      await fanload(open, { ...jetblack, ...oneWire, 'sub-port2': contentPort }),
    )
    keep(
      `${SETS} sets of entitlements ${rate}`,
      await fanload(gated, {
        ...load,
        'sub-port': gatedPort,
        'sub-hex': loggedIn,
        rate,
        idle: 3, // until all are let in
      }),
    )
  }
  const publishing = { subs: 1, rate: 0, payload: 100, duration: seconds }
  keep('publishing over HTTP', await fanload(open, { ...publishing, 'pub-conns': 32 }))
  keep(
    'publishing here',
    await fanload(open, {
      ...publishing,
      'pub-conns': 16,
      'pub-port': imagePort,
      'pub-hex': PUBLICATION.toString('hex'),
    }),
  )
}

row('500 subscribers', 'µs CPU per delivery at 50/s', '× HTTP', 'at 200/s', '× HTTP')
row('---', '---', '---', '---', '---')
const cost = (name: string, rate: number) => figure(`${name} ${rate}`, 'cpu_us_per_delivery')
for (const name of ['HTTP', 'one wire', 'both wires', `${SETS} sets of entitlements`]) {
  const ratio = (rate: number) =>
    median(
      runs
        .get(`${name} ${rate}`)!
        .map(
          (run, n) =>
            run['cpu_us_per_delivery']! / runs.get(`HTTP ${rate}`)![n]!['cpu_us_per_delivery']!,
        ),
    )
  row(name, cost(name, 50), ratio(50), cost(name, 200), ratio(200))
}
const rateOf = (name: string) => figure(name, 'published_per_s')
row(
  'publications/s',
  'over HTTP',
  rateOf('publishing over HTTP'),
  'here',
  rateOf('publishing here'),
)

if (idle > 0) {
  const port = await freePort()
  await using fresh = await startPubsubd({
    more: `protocols: {jetblack: {ports: {${port}: is-image}}}\n`,
  })
  const idling = { ...jetblack, subs: idle, rate: 1, duration: 0.1, 'sub-port': port }
  const { kb_per_sub: kilobytes } = await fanload(fresh, idling)
  row(`${idle} idle connections`, 'KB each', kilobytes!)
}

/** Grants everybody what lets see the events, and one entitlement more, which differs. */
function authoriser(port: number): Disposable {
  const socket: Socket = connect(port, '127.0.0.1')
  socket.write(text('Username=mary;Password=p'))
  let unread = Buffer.alloc(0)
  let asked = 0
  socket.on('data', (chunk: Buffer) => {
    unread = Buffer.concat([unread, chunk])
    for (;;) {
      const pairStart = skipTexts(17, 2)
      const end = pairStart < 0 ? -1 : skipTexts(pairStart, 2)
      if (end < 0) return
      const [client, pair] = [unread.subarray(1, 17), unread.subarray(pairStart, end)]
      const entitlements = [integer(2), integer(7), integer(1_000 + (asked++ % SETS))]
      socket.write(Buffer.concat([Buffer.of(7), client, pair, Buffer.of(1), ...entitlements]))
      unread = unread.subarray(end)
    }
  })
  /** Behind so many; -1: they have not come yet. */
  function skipTexts(start: number, count: number): number {
    let at = start
    for (let n = 0; n < count; n++) {
      if (unread.length < at + 4) return -1
      at += 4 + unread.readInt32BE(at)
      if (unread.length < at) return -1
    }
    return at
  }
  return { [Symbol.dispose]: () => socket.destroy() }
}
