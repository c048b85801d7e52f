import { readFileSync } from 'node:fs'
import { fanload, median, option, row, startLoad, startPubsubd, type Figures } from './harness.ts'

/** Readers that never read, and one that does: it must not notice, and memory must level off. */
const rounds = option('rounds', 5)
const stalled = option('stalled', 300)
const load = { subs: 1, rate: 50, payload: 90_000, 'pub-conns': 4, duration: option('seconds', 6) }

const residentMb = (pid: number) =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1_024

async function measure(count: number): Promise<{ figures: Figures; megabytes: number[] }> {
  await using server = await startPubsubd({ backlog: 1_000 })
  await using _readers = await startLoad('stalled', [String(server.port), String(count)])
  await fanload(server, load) // fills what the kernel takes for the others; not measured
  const megabytes = [residentMb(server.pid)]
  const figures = await fanload(server, load)
  megabytes.push(residentMb(server.pid))
  await fanload(server, load)
  megabytes.push(residentMb(server.pid))
  return { figures, megabytes }
}

const runs = new Map<number, Awaited<ReturnType<typeof measure>>[]>()
for (let round = 0; round < rounds; round++)
  for (const count of [0, stalled])
    runs.set(count, [...(runs.get(count) ?? []), await measure(count)])

row(
  'readers that never read',
  'healthy p50 ms',
  'healthy p99 ms',
  'lost',
  'MB after 1, 2, 3 rounds',
)
row('---', '---', '---', '---', '---')
for (const [count, all] of runs) {
  const figure = (name: string) => median(all.map(({ figures }) => figures[name]!))
  const megabytes = [0, 1, 2].map((i) => Math.round(median(all.map((run) => run.megabytes[i]!))))
  row(
    count,
    figure('p50_ms'),
    figure('p99_ms'),
    Math.max(...all.map(({ figures }) => figures['lost']!)),
    megabytes.join(', '),
  )
}
