import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  directory,
  fanload,
  median,
  option,
  row,
  startBareLonelyps,
  startPubsubd,
  WEB_SOCKET_HEADERS,
  type Figures,
} from './harness.ts'

/**
 * 500 WebSockets of lonelyps beside 500 of our own form: the same events, but each delivery is acknowledged. What that costs
 * a program of Node that does nothing else, a bare server shows.
 */
const rounds = option('rounds', 5)
const seconds = option('seconds', 2)

const secrets = join(directory, 'secrets.json')
const secret = Buffer.alloc(64, 7).toString('base64url')
writeFileSync(secrets, JSON.stringify({ version: '2', 'to-subscriber': { type: 'hmac', secret } }))

const runs = new Map<string, Figures[]>()
const keep = (key: string, figures: Figures) => runs.set(key, [...(runs.get(key) ?? []), figures])

await using open = await startPubsubd({ more: 'protocols: {lonelyps: {}}\n' })
await using signing = await startPubsubd({
  name: 'signing',
  more: `protocols: {lonelyps: {secrets: ${JSON.stringify(secrets)}}}\n`,
})
await using bare = await startBareLonelyps()
const load = { subs: 500, payload: 100, 'pub-conns': 16, duration: seconds }
const lonelyps = {
  ...load,
  door: 'lonelyps',
  'sub-path': '/-/lonelyps/v1/websocket',
  'sub-headers': WEB_SOCKET_HEADERS,
}
for (let round = 0; round < rounds; round++)
  for (const rate of [20, 100]) {
    keep(`own ${rate}`, await fanload(open, { ...load, 'sub-headers': WEB_SOCKET_HEADERS, rate }))
    keep(`lonelyps ${rate}`, await fanload(open, { ...lonelyps, rate }))
    keep(`bare ${rate}`, await fanload(bare, { ...lonelyps, rate }))
    keep(`lonelyps, hmac ${rate}`, await fanload(signing, { ...lonelyps, rate }))
  }

function figure(name: string, rate: number): number {
  return median(runs.get(`${name} ${rate}`)!.map((run) => run['cpu_us_per_delivery']!))
}

row('500 WebSockets', 'µs CPU per delivery at 20/s', 'at 100/s', 'x own at 100/s')
row('---', '---', '---', '---')
for (const name of ['own', 'bare', 'lonelyps', 'lonelyps, hmac'])
  row(name, figure(name, 20), figure(name, 100), figure(name, 100) / figure('own', 100))
