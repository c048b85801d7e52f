import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { becomeLoad, fanload, option, residentMb, row, startPubsubd } from './harness.ts'

/**
 * What years of coming and going leave behind: subscribers that connect, get events, and end, are cut off, or stop reading.
 * Memory and descriptors must be flat once the first tenth has passed.
 */
const total = option('connections', 100_000)
const TOGETHER = 200
const TENTHS = 10
becomeLoad()

await using server = await startPubsubd({ backlog: 100 })
const descriptors = () => readdirSync(`/proc/${server.pid}/fd`).length
const WAYS = ['end', 'reset', 'stall'] as const

row('connections so far', 'MB resident', 'descriptors')
row('---', '---', '---')
row(0, residentMb(server), descriptors())
for (let tenth = 1; tenth <= TENTHS; tenth++) {
  for (let n = 0; n < total / TENTHS; n += TOGETHER) {
    const sockets = await Promise.all(Array.from({ length: TOGETHER }, () => subscriber()))
    // Those that stall are sent more than the kernel takes for them.
    if (n === 0) {
      for (const socket of sockets) socket.pause()
      await fanload(server, { subs: 0, rate: 100, payload: 90_000, duration: 1 })
    } else await fanload(server, { subs: 0, rate: 100, payload: 100, duration: 0.02 })
    await Promise.all(sockets.map((socket, i) => leave(socket, WAYS[i % WAYS.length]!)))
  }
  const until = Date.now() + 10_000
  while (descriptors() > 60 && Date.now() < until) await wait(50)
  row((total / TENTHS) * tenth, residentMb(server), descriptors())
}

async function subscriber(): Promise<Socket> {
  const socket = connect(server.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write('GET /bench HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await new Promise((resolve) => socket.once('data', resolve))
  return socket
}

async function leave(socket: Socket, way: (typeof WAYS)[number]): Promise<void> {
  const closed = new Promise((resolve) => socket.once('close', resolve))
  if (way === 'end') socket.resume().end()
  else if (way === 'reset') socket.resetAndDestroy()
  else socket.pause().destroy()
  await closed
}
