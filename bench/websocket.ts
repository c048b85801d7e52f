import {
  fanload,
  median,
  option,
  row,
  startBareWs,
  startPubsubd,
  WEB_SOCKET_HEADERS,
  type Figures,
} from './harness.ts'

/** WebSockets beside a server that does nothing but send by the library `ws`: 500 that listen, and 9,000 that are idle. */
const rounds = option('rounds', 3)
const seconds = option('seconds', 2)
const idle = option('idle', 9_000)

const runs = new Map<string, Figures[]>()
const keep = (key: string, figures: Figures) => runs.set(key, [...(runs.get(key) ?? []), figures])
const asking = { 'sub-headers': WEB_SOCKET_HEADERS }

{
  await using pubsubd = await startPubsubd()
  await using bare = await startBareWs()
  const load = { subs: 500, payload: 100, 'pub-conns': 16, duration: seconds, ...asking }
  for (let round = 0; round < rounds; round++)
    for (const rate of [200, 1_000])
      for (const server of [pubsubd, bare])
        keep(`${server.name} ${rate}`, await fanload(server, { ...load, rate }))
}
const idleRounds = idle === 0 ? 0 : rounds
for (let round = 0; round < idleRounds; round++)
  for (const start of [startPubsubd, startBareWs]) {
    await using server = await start() // fresh, as memory once used is not given back
    const load = { subs: idle, rate: 1, duration: 0.1, idle: 1, ...asking }
    keep(`${server.name} idle`, await fanload(server, load))
  }

function figure(key: string, field: string): number | string {
  const all = runs.get(key)
  return all === undefined ? '' : median(all.map((run) => run[field]!))
}

row('server', 'µs CPU per delivery at 200/s', 'at 1,000/s', 'KB per idle WebSocket')
row('---', '---', '---', '---')
for (const name of ['pubsubd', 'bare ws server'])
  row(
    name,
    figure(`${name} 200`, 'cpu_us_per_delivery'),
    figure(`${name} 1000`, 'cpu_us_per_delivery'),
    figure(`${name} idle`, 'kb_per_sub'),
  )
