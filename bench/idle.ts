import {
  fanload,
  median,
  option,
  row,
  startBareFastify,
  startBareHttp,
  startBareNet,
  startNchan,
  startPubsubd,
  type Figures,
} from './harness.ts'

/** What 9,000 idle streams cost: memory and connecting each, and the core's time for all their keep-alives. */
const rounds = option('rounds', 3)
const subs = option('subs', 9_000)

const runs = new Map<string, Figures[]>()
for (let round = 0; round < rounds; round++)
  for (const start of [startPubsubd, startBareNet, startBareHttp, startBareFastify, startNchan]) {
    const server = await start() // fresh, as memory once used is not given back
    if (server === null) continue
    await using _server = server
    // The bare servers send no events, and nchan no keep-alives.
    const load = { subs, rate: 1, duration: 0.1, idle: server.name === 'pubsubd' ? 15 : 1 }
    const figures = await fanload(server, load)
    runs.set(server.name, [...(runs.get(server.name) ?? []), figures])
  }
row(`${subs} idle streams`, 'KB each', 'µs CPU to connect', '% of a core while idle')
row('---', '---', '---', '---')
for (const [name, all] of runs) {
  const figure = (field: string) => median(all.map((run) => run[field]!))
  const idle = name === 'pubsubd' ? figure('idle_cpu') * 100 : ''
  row(name, figure('kb_per_sub'), figure('connect_cpu_us_per_sub'), idle)
}
