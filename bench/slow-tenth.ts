import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { becomeLoad, directory, fanload, option, row, startPubsubd } from './harness.ts'

/** A subscriber that reads at a tenth of the rate, then as fast as it can: it gets everything, and the others notice nothing. */
const seconds = option('seconds', 60)
const load = { subs: 100, rate: 50, payload: 20_000, 'pub-conns': 4, duration: seconds }
const TICK_MS = 100

becomeLoad()
await using server = await startPubsubd({ backlog: 100_000, storage: join(directory, 'tenth') })
await fanload(server, { ...load, duration: 3 })
const without = await fanload(server, { ...load, duration: Math.min(seconds, 10) })

const seen: number[] = []
let bytes = 0
let rest = ''
let allowedBytes = Infinity
const socket = connect(server.port, '127.0.0.1')
socket.write('GET /bench HTTP/1.1\r\nHost: localhost\r\n\r\n')
socket.on('data', (chunk: Buffer) => {
  bytes += chunk.length
  rest += chunk.toString('latin1')
  // 16 digits of time, 8 of number (fanload.c).
  const markers = [...rest.matchAll(/@#[0-9a-f]{16}([0-9a-f]{8})/g)]
  for (const [, number] of markers) seen.push(parseInt(number!, 16))
  const last = markers.at(-1)
  rest = rest.slice(last === undefined ? -25 : Math.max(last.index + 26, rest.length - 25))
  if (bytes > allowedBytes) socket.pause()
})
const startMs = performance.now()
const bytesPerMs = (load.rate * load.payload) / 10 / 1_000
allowedBytes = 0
const pace = setInterval(() => {
  allowedBytes = (performance.now() - startMs) * bytesPerMs
  if (bytes <= allowedBytes) socket.resume()
}, TICK_MS)
const beside = await fanload(server, load)
const seenMeanwhile = seen.length
clearInterval(pace)
allowedBytes = Infinity
socket.resume()
const deadline = Date.now() + 30_000
while (seen.length < beside['published']! && Date.now() < deadline) await wait(50)
const isWhole = seen.every((number, i) => number === i) && seen.length === beside['published']
socket.destroy()

row('100 others', 'p50 ms', 'p99 ms', 'lost')
row('---', '---', '---', '---')
for (const [name, run] of [
  ['without it', without],
  ['beside it', beside],
] as const)
  row(name, run['p50_ms']!, run['p99_ms']!, run['lost']!)
console.log(
  `\nIn ${seconds} s it read ${seenMeanwhile} of ${beside['published']} events, ` +
    `then the rest: ${isWhole ? 'all, once each, in order' : `${seen.length}, NOT as published`}.`,
)
