import {
  fanload,
  median,
  option,
  residentMb,
  row,
  startLoad,
  startPubsubd,
  type Figures,
} from './harness.ts'

/** Readers that never read, and one that does: it must not notice, and memory must level off. */
const rounds = option('rounds', 5)
const stalled = option('stalled', 1_000)
const load = { subs: 1, rate: 50, payload: 90_000, 'pub-conns': 4, duration: option('seconds', 6) }

async function measure(
  count: number,
): Promise<{ filling: Figures; figures: Figures; megabytes: number[] }> {
  await using server = await startPubsubd({ backlog: 1_000 })
  await using _readers = await startLoad('stalled', [String(server.port), String(count)])
  const filling = await fanload(server, load) // fills what the kernel takes for the others
  const megabytes = [residentMb(server)]
  const figures = await fanload(server, load)
  megabytes.push(residentMb(server))
  await fanload(server, load)
  megabytes.push(residentMb(server))
  return { filling, figures, megabytes }
}

const runs = new Map<number, Awaited<ReturnType<typeof measure>>[]>()
for (let round = 0; round < rounds; round++)
  for (const count of [0, stalled])
    runs.set(count, [...(runs.get(count) ?? []), await measure(count)])

row(
  'readers that never read',
  'healthy p50 ms',
  'healthy p99 ms',
  'p99 ms while the kernel fills',
  'lost',
  'MB after 1, 2, 3 rounds',
)
row('---', '---', '---', '---', '---', '---')
for (const [count, all] of runs) {
  const figure = (name: string) => median(all.map(({ figures }) => figures[name]!))
  const megabytes = [0, 1, 2].map((i) => Math.round(median(all.map((run) => run.megabytes[i]!))))
  row(
    count,
    figure('p50_ms'),
    figure('p99_ms'),
    median(all.map(({ filling }) => filling['p99_ms']!)),
    Math.max(...all.map(({ figures }) => figures['lost']!)),
    megabytes.join(', '),
  )
}
