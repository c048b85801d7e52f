import {
  fanload,
  median,
  option,
  row,
  startLimit,
  startNchan,
  startPubsubd,
  type Figures,
  type Peer,
} from './harness.ts'

/** Fan-out to 500 subscribers: CPU per delivery at fixed rates, and deliveries per second when saturated. */
const rounds = option('rounds', 5)
const seconds = option('seconds', 4)
const load = { subs: 500, payload: 100, 'pub-conns': 16, duration: seconds }
const RATES = [50, 200]
const SATURATING = [1_000, 4_000, 0]

await using peers = new AsyncDisposableStack()
const compared: Peer[] = []
for (const peer of [await startPubsubd(), await startLimit(), await startNchan()])
  if (peer !== null) compared.push(peers.use(peer))

// In turn, so that a machine whose speed drifts does so for all.
const runs = new Map<string, Figures[]>()
for (let round = 0; round < rounds; round++)
  for (const rate of [...RATES, ...SATURATING])
    for (const peer of compared) {
      const key = `${peer.name} ${rate}`
      runs.set(key, [...(runs.get(key) ?? []), await fanload(peer, { ...load, rate })])
    }

const figure = (peer: string, rate: number, name: string) =>
  median(runs.get(`${peer} ${rate}`)!.map((run) => run[name]!))
row(
  'server',
  ...RATES.map((rate) => `µs CPU per delivery at ${rate}/s`),
  'saturated: deliveries/s',
  'p99 ms at 50/s',
)
row(...Array.from({ length: RATES.length + 3 }, () => '---'))
for (const { name } of compared) {
  const best = Math.max(...SATURATING.map((rate) => figure(name, rate, 'delivered_per_s')))
  row(
    name,
    ...RATES.map((rate) => figure(name, rate, 'cpu_us_per_delivery')),
    Math.round(best),
    figure(name, 50, 'p99_ms'),
  )
}
