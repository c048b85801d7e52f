import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bareAppends } from './bare-appends.ts'
import { fanload, median, row, startPubsubd, type Figures } from './harness.ts'

/** What it costs that a 202 is a promise: publishing to the disk over HTTP, and the fan-out of a log on disk and in memory. */
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    directory: { type: 'string', default: tmpdir() },
    only: { type: 'string', default: 'publish,fan-out' },
  },
})
const rounds = Number(values.rounds)
const duration = Number(values.seconds)
const parts = values.only.split(',')
const directory = mkdtempSync(join(values.directory, 'pubsubd-bench-durable-'))
process.on('exit', () => rmSync(directory, { recursive: true, force: true }))

/** As in a shipped pubsub.yaml. */
const BACKLOG = 100_000
const RATES = [50, 200]

if (parts.includes('publish')) await publishing()
if (parts.includes('fan-out')) await fanOut()

/** Closed loop: each publisher waits for its 202 before it sends the next event. */
async function publishing(): Promise<void> {
  const storage = join(directory, 'publish')
  await using server = await startPubsubd({ backlog: BACKLOG, storage })
  const load = { subs: 1, rate: 0, payload: 300, duration }
  const bareMs: number[] = []
  const alone: Figures[] = []
  const many: Figures[] = []
  for (let round = 0; round < rounds; round++) {
    bareMs.push(median(bareAppends(directory)))
    alone.push(await fanload(server, { ...load, 'pub-conns': 1 }))
    many.push(await fanload(server, { ...load, 'pub-conns': 64 }))
  }
  const [bare, one] = [median(bareMs), median(alone.map((run) => 1_000 / run['published_per_s']!))]
  row('publishing to the disk, 300 bytes', 'figure')
  row('---', '---')
  row('a bare append with fdatasync, p50 ms', bare)
  row('one publisher, ms for each event', one)
  row('… times the bare append', one / bare)
  row('64 publishers, events/s', Math.round(median(many.map((run) => run['published_per_s']!))))
}

async function fanOut(): Promise<void> {
  const storage = join(directory, 'fan-out')
  const logs = [{ name: 'in memory' }, { name: 'on disk', backlog: BACKLOG, storage }]
  const load = { subs: 500, payload: 100, 'pub-conns': 16, duration }
  const runs = new Map<string, Figures[]>()
  for (let round = 0; round < rounds; round++)
    for (const log of logs) {
      // A new process each time: one is up to a fifth dearer than the next, whatever its log.
      await using server = await startPubsubd(log)
      for (const rate of RATES) {
        const key = `${log.name} ${rate}`
        runs.set(key, [...(runs.get(key) ?? []), await fanload(server, { ...load, rate })])
      }
    }
  const figure = (log: string, rate: number, name: string) =>
    median(runs.get(`${log} ${rate}`)!.map((run) => run[name]!))
  row('log', ...RATES.flatMap((rate) => [`µs CPU per delivery at ${rate}/s`, 'p50 ms', 'p99 ms']))
  row(...Array.from({ length: 1 + 3 * RATES.length }, () => '---'))
  for (const { name } of logs)
    row(
      name,
      ...RATES.flatMap((rate) =>
        ['cpu_us_per_delivery', 'p50_ms', 'p99_ms'].map((what) => figure(name, rate, what)),
      ),
    )
}
