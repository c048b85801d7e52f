import { fanload, median, option, row, startPubsubd, type Figures } from './harness.ts'

/** What 9,000 idle streams cost: memory and connecting each, and the core's time for all their keep-alives. */
const rounds = option('rounds', 3)
const subs = option('subs', 9_000)

const runs: Figures[] = []
for (let round = 0; round < rounds; round++) {
  await using server = await startPubsubd() // fresh, as memory once used is not given back
  runs.push(await fanload(server, { subs, rate: 1, duration: 1, idle: 15 }))
}
const figure = (name: string) => median(runs.map((run) => run[name]!))
row('idle streams', 'KB each', 'µs CPU to connect', '% of a core while idle')
row('---', '---', '---', '---')
row(subs, figure('kb_per_sub'), figure('connect_cpu_us_per_sub'), figure('idle_cpu') * 100)
