import { Agent, request } from 'node:http'
import { join } from 'node:path'
import {
  becomeLoad,
  directory,
  fanload,
  median,
  option,
  row,
  startLimit,
  startPubsubd,
  type Figures,
} from './harness.ts'

/** Publishing alone, over keep-alive connections, nobody listening. */
const rounds = option('rounds', 5)
const load = { subs: 0, rate: 0, payload: 100, 'pub-conns': 32, duration: option('seconds', 4) }

await using inMemory = await startPubsubd({ name: 'pubsubd, memory' })
await using onDisk = await startPubsubd({
  name: 'pubsubd, disk',
  backlog: 100_000,
  storage: join(directory, 'single'),
})
await using limit = await startLimit()
const runs = new Map<string, Figures[]>()
for (let round = 0; round < rounds; round++)
  for (const peer of [inMemory, onDisk, limit])
    runs.set(peer.name, [...(runs.get(peer.name) ?? []), await fanload(peer, load)])

row('server', 'publications/s', 'µs CPU each')
row('---', '---', '---')
for (const [name, all] of runs) {
  const perSecond = median(all.map((run) => run['published_per_s']!))
  const cpuMicroseconds = median(all.map((run) => (run['server_cpu_s']! * 1e6) / run['published']!))
  row(name, Math.round(perSecond), cpuMicroseconds)
}

/** Batches to the disk: each of the connections waits for its answer before it sends the next one. */
const BATCH_EVENTS = 1_000
const CONNECTIONS = 4
const BATCH_BODY = `${JSON.stringify({ text: 'x'.repeat(89) })}\n`.repeat(BATCH_EVENTS)

await using durable = await startPubsubd({
  backlog: 1_000_000,
  storage: join(directory, 'batches'),
})
becomeLoad()
const agent = new Agent({ keepAlive: true })
const perSecond: number[] = []
for (let round = 0; round < rounds; round++) perSecond.push(await batches(durable.port))
agent.destroy()
row(`events/s in batches of ${BATCH_EVENTS}, to the disk`, Math.round(median(perSecond)))

async function batches(port: number): Promise<number> {
  const startMs = performance.now()
  const endMs = startMs + 1_000 * load.duration
  let events = 0
  const sender = async () => {
    while (performance.now() < endMs) {
      await sendBatch(port)
      events += BATCH_EVENTS
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, sender))
  return (events * 1_000) / (performance.now() - startMs)
}

function sendBatch(port: number): Promise<void> {
  const headers = { 'Content-Type': 'application/x-ndjson' }
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', path: '/a/b', method: 'POST', agent, headers }, (answer) => {
      if (answer.statusCode !== 202) reject(new Error(`answered ${answer.statusCode}`))
      answer.resume().on('end', resolve)
    })
      .on('error', reject)
      .end(BATCH_BODY)
  })
}
