import { fanload, median, option, row, startLimit, startPubsubd, type Figures } from './harness.ts'

/** Publishing alone, over keep-alive connections, nobody listening. */
const rounds = option('rounds', 5)
const load = { subs: 0, rate: 0, payload: 100, 'pub-conns': 32, duration: option('seconds', 4) }

await using pubsubd = await startPubsubd()
await using limit = await startLimit()
const runs = new Map<string, Figures[]>()
for (let round = 0; round < rounds; round++)
  for (const peer of [pubsubd, limit])
    runs.set(peer.name, [...(runs.get(peer.name) ?? []), await fanload(peer, load)])

row('server', 'publications/s', 'µs CPU each')
row('---', '---', '---')
for (const [name, all] of runs) {
  const perSecond = median(all.map((run) => run['published_per_s']!))
  const cpuMicroseconds = median(all.map((run) => (run['server_cpu_s']! * 1e6) / run['published']!))
  row(name, Math.round(perSecond), cpuMicroseconds)
}
