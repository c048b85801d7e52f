import { join } from 'node:path'
import {
  directory,
  fanload,
  median,
  option,
  row,
  startLimit,
  startNchan,
  startPubsubd,
  startPyPubSub,
  type Figures,
  type Peer,
} from './harness.ts'

/** Fan-out to 500 subscribers: CPU per delivery at fixed rates, and deliveries per second when saturated. */
const rounds = option('rounds', 5)
const seconds = option('seconds', 4)
const load = { subs: 500, payload: 100, 'pub-conns': 16, duration: seconds }

/** Offered events/s; 0: as fast as answers come. */
const RATES = option('steady', 1) === 1 ? [50, 200] : []
const SATURATING = option('saturated', 1) === 1 ? [1_000, 4_000, 0] : []
/** It is full at 70/s, and would take minutes for the rest. */
const PYPUBSUB_RATES: readonly number[] = [50, 200]

await using peers = new AsyncDisposableStack()
const onDisk = { name: 'pubsubd, disk', backlog: 100_000, storage: join(directory, 'fan-out') }
const compared: Peer[] = []
for (const peer of [
  await startPubsubd(onDisk),
  await startPubsubd({ name: 'pubsubd, memory' }),
  await startLimit(),
  await startNchan(),
  await startPyPubSub(),
])
  if (peer !== null) compared.push(peers.use(peer))

// In turn, so that a machine whose speed drifts does so for all.
const runs = new Map<string, Figures[]>()
for (let round = 0; round < rounds; round++)
  for (const rate of [...RATES, ...SATURATING])
    for (const peer of compared) {
      if (peer.name === 'PyPubSub' && !PYPUBSUB_RATES.includes(rate)) continue
      const key = `${peer.name} ${rate}`
      runs.set(key, [...(runs.get(key) ?? []), await fanload(peer, { ...load, rate })])
    }

/** The medians, of what was measured. */
const figures = (peer: string, rates: readonly number[], name: string): number[] =>
  rates.flatMap((rate) => {
    const all = runs.get(`${peer} ${rate}`)
    return all === undefined ? [] : [median(all.map((run) => run[name]!))]
  })
const shown = (values: readonly number[]) => values[0] ?? ''
row(
  'server',
  'µs CPU per delivery at 50/s',
  'at 200/s',
  'saturated: deliveries/s',
  'p50 ms at 50/s',
  'p99 ms at 50/s',
)
row(...Array.from({ length: 6 }, () => '---'))
for (const { name } of compared) {
  const rates = name === 'PyPubSub' ? PYPUBSUB_RATES : SATURATING
  row(
    name,
    shown(figures(name, [50], 'cpu_us_per_delivery')),
    shown(figures(name, [200], 'cpu_us_per_delivery')),
    Math.round(Math.max(0, ...figures(name, rates, 'delivered_per_s'))),
    shown(figures(name, [50], 'p50_ms')),
    shown(figures(name, [50], 'p99_ms')),
  )
}
