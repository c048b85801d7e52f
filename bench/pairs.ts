import { join, resolve } from 'node:path'
import {
  directory,
  fanload,
  option,
  row,
  startPubsubd,
  WEB_SOCKET_HEADERS,
  type Figures,
  type Peer,
} from './harness.ts'

/**
 * This checkout beside another one, whose folder `--beside` names: ratios of what the same work takes. Each pair is two fresh
 * processes, as one that happens to be compiled badly stays so; they are warmed, then take turns. A ratio is worse when
 * the whole interval of 95 % lies above 1.03.
 */
const pairs = option('pairs', 15)
const seconds = option('seconds', 2)
const beside = resolve(process.argv[process.argv.indexOf('--beside') + 1]!)
const other = (await import(`${beside}/bench/harness.ts`)) as { startPubsubd: typeof startPubsubd }

const FAN_OUT = { subs: 500, payload: 100, 'pub-conns': 16, duration: seconds }
const PUBLISHING = { subs: 0, rate: 0, payload: 100, 'pub-conns': 32, duration: seconds }

const cpuPerDelivery = (run: Figures) => run['cpu_us_per_delivery']!
const cpuPerPublication = (run: Figures) => run['server_cpu_s']! / run['published']!

interface Work {
  readonly name: string
  readonly load: Readonly<Record<string, string | number>>
  readonly costs: Readonly<Record<string, (run: Figures) => number>>
}

const IN_MEMORY: readonly Work[] = [
  { name: 'fan-out at 50/s', load: { ...FAN_OUT, rate: 50 }, costs: { CPU: cpuPerDelivery } },
  { name: 'fan-out at 200/s', load: { ...FAN_OUT, rate: 200 }, costs: { CPU: cpuPerDelivery } },
  {
    name: 'fan-out saturated',
    load: { ...FAN_OUT, rate: 0 },
    costs: { CPU: cpuPerDelivery, time: (run) => 1 / run['delivered_per_s']! },
  },
  {
    name: 'publishing, memory',
    load: PUBLISHING,
    costs: { CPU: cpuPerPublication, time: (run) => 1 / run['published_per_s']! },
  },
]

const ON_DISK: readonly Work[] = [
  {
    name: 'publishing, disk',
    load: PUBLISHING,
    costs: { CPU: cpuPerPublication, time: (run) => 1 / run['published_per_s']! },
  },
]

const LONELYPS: readonly Work[] = [
  {
    name: 'WebSockets of lonelyps at 100/s',
    load: {
      ...FAN_OUT,
      rate: 100,
      door: 'lonelyps',
      'sub-path': '/-/lonelyps/v1/websocket',
      'sub-headers': WEB_SOCKET_HEADERS,
    },
    costs: { CPU: cpuPerDelivery },
  },
]

/** Last: the memory of a process that has done other work is not that of its streams. */
const IDLE: readonly Work[] = [
  {
    name: '9,000 idle streams',
    load: { subs: 9_000, rate: 1, duration: 0.1, idle: 1 },
    costs: {
      memory: (run) => run['kb_per_sub']!,
      connecting: (run) => run['connect_cpu_us_per_sub']!,
    },
  },
]

/** Of 14 degrees of freedom; other numbers of pairs are for a look. */
const STUDENT_T = 2.145

const ratios = new Map<string, number[]>()
for (let pair = 0; pair < pairs; pair++) {
  await measure(pair, {}, IN_MEMORY)
  await measure(pair, { more: 'protocols: {lonelyps: {}}\n' }, LONELYPS)
  await measure(pair, { backlog: 100_000, storage: join(directory, 'pairs') }, ON_DISK)
  await measure(pair, {}, IDLE, false)
}
row('this checkout ÷ the other', 'ratio', '95 % interval')
row('---', '---', '---')
for (const [name, all] of ratios) {
  const logarithms = all.map(Math.log)
  const mean = logarithms.reduce((sum, each) => sum + each, 0) / all.length
  const squares = logarithms.reduce((sum, each) => sum + (each - mean) ** 2, 0)
  const reach = STUDENT_T * Math.sqrt(squares / (all.length - 1) / all.length)
  const [low, high] = [Math.exp(mean - reach), Math.exp(mean + reach)]
  row(name, Math.exp(mean), `${low.toFixed(3)} to ${high.toFixed(3)}`)
}

async function measure(
  pair: number,
  settings: Parameters<typeof startPubsubd>[0] & object,
  works: readonly Work[],
  isWarmed = true,
): Promise<void> {
  const of = (name: string) =>
    settings.storage === undefined
      ? settings
      : { ...settings, storage: `${settings.storage}-${pair}-${name}` }
  await using ours = await startPubsubd({ ...of('this'), name: 'this checkout' })
  await using theirs = await other.startPubsubd({ ...of('other'), name: 'the other' })
  const peers: readonly Peer[] = pair % 2 === 0 ? [ours, theirs] : [theirs, ours]
  if (isWarmed)
    for (const peer of peers) {
      await fanload(peer, { ...PUBLISHING, duration: 1 })
      await fanload(peer, { ...FAN_OUT, rate: 0, duration: 1 })
    }
  for (const { name, load, costs } of works) {
    const runs = new Map<Peer, Figures>()
    for (const peer of peers) runs.set(peer, await fanload(peer, load))
    for (const [kind, cost] of Object.entries(costs)) {
      const key = `${name}: ${kind}`
      ratios.set(key, [...(ratios.get(key) ?? []), cost(runs.get(ours)!) / cost(runs.get(theirs)!)])
    }
  }
}
