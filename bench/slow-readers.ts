import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  directory,
  fanload,
  median,
  option,
  residentMb,
  row,
  startLoad,
  startPubsubd,
  type Figures,
  type Peer,
} from './harness.ts'

/** Readers that never read, and one that does: it must not notice, and memory must level off. */
const rounds = option('rounds', 5)
const stalled = option('stalled', 1_000)
const load = { subs: 1, rate: 50, payload: 90_000, 'pub-conns': 4, duration: option('seconds', 6) }

/** Where the probe writes what it has seen. */
const hubDelay = join(directory, 'hub-delay.json')
const program = fileURLToPath(new URL('hub-delay.ts', import.meta.url))

async function measure(
  count: number,
): Promise<{ filling: Figures; figures: Figures; megabytes: number[] }> {
  const probe = { program, environment: { HUB_DELAY: hubDelay } }
  await using server = await startPubsubd({ backlog: 200, probe })
  await using _readers = await startLoad('stalled', [String(server.port), String(count)])
  const run = async (): Promise<Figures> => {
    const figures = await fanload(server, load)
    return { ...figures, ...(await hubFigures(server)) }
  }
  const filling = await run()
  while (await fillsKernel(() => fanload(server, load)));
  const megabytes = [residentMb(server)]
  const figures = await run()
  megabytes.push(residentMb(server))
  await run()
  megabytes.push(residentMb(server))
  return { filling, figures, megabytes }
}

/** Whether the kernel still took more for those that do not read: until then, each event is copied for all of them. */
async function fillsKernel(run: () => Promise<unknown>): Promise<boolean> {
  const before = kernelPages()
  await run()
  return kernelPages() > before * 1.02
}

/** Memory pages that the kernel's TCP has in buffers. */
function kernelPages(): number {
  return Number(/^TCP:.* mem (\d+)$/m.exec(readFileSync('/proc/net/sockstat', 'utf8'))![1])
}

async function hubFigures({ pid }: Peer): Promise<Figures> {
  rmSync(hubDelay, { force: true })
  process.kill(pid, 'SIGUSR2')
  while (true) {
    await wait(50)
    try {
      return JSON.parse(readFileSync(hubDelay, 'utf8')) as Figures
    } catch {
      // Not there, or not whole.
    }
  }
}

const runs = new Map<number, Awaited<ReturnType<typeof measure>>[]>()
for (let round = 0; round < rounds; round++)
  for (const count of [0, stalled])
    runs.set(count, [...(runs.get(count) ?? []), await measure(count)])

row(
  'readers that never read',
  'healthy p50 ms',
  'p99 ms',
  'within the hub p50 ms',
  'p99 ms',
  'while the kernel fills: p99 ms',
  'within the hub p50 ms',
  'p99 ms',
  'lost',
  'MB after 1, 2, 3 rounds',
)
row(...Array.from({ length: 10 }, () => '---'))
for (const [count, all] of runs) {
  const figure = (name: string) => median(all.map(({ figures }) => figures[name]!))
  const filling = (name: string) => median(all.map((run) => run.filling[name]!))
  const megabytes = [0, 1, 2].map((i) => Math.round(median(all.map((run) => run.megabytes[i]!))))
  row(
    count,
    figure('p50_ms'),
    figure('p99_ms'),
    figure('hub_p50_ms'),
    figure('hub_p99_ms'),
    filling('p99_ms'),
    filling('hub_p50_ms'),
    filling('hub_p99_ms'),
    Math.max(...all.map(({ figures }) => figures['lost']!)),
    megabytes.join(', '),
  )
}
const worst = (count: number) =>
  runs.get(count)!.map(({ figures }) => figures['p99_ms']!.toFixed(2))
console.log(
  `\nhealthy p99 of each run: without ${worst(0).join(', ')}; beside ${worst(stalled).join(', ')}`,
)
