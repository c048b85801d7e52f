import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectSecurely } from 'node:tls'
import {
  becomeLoad,
  cpuSeconds,
  directory,
  fanload,
  freePort,
  median,
  option,
  residentMb,
  row,
  startPubsubd,
  type Peer,
} from './harness.ts'

/** The same load through TLS and without, with the same reader, so that the ratio is the encryption's. */
const rounds = option('rounds', 5)
const duration = option('seconds', 4)
const subs = option('subs', 500)
const idle = option('idle', 2_000)
const rate = option('rate', 1_000)
becomeLoad()

const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
const words = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -keyout ${key} -out ${cert}`
execFileSync('openssl', words.split(' '), { stdio: 'ignore' })

interface Readers extends Disposable {
  /** What all together have received. */
  bytes: number
}

async function open(port: number, isSecure: boolean, count: number): Promise<Readers> {
  const sockets: Socket[] = []
  const readers = {
    bytes: 0,
    [Symbol.dispose]: () => sockets.forEach((socket) => socket.destroy()),
  }
  for (let n = 0; n < count; n++) {
    const socket = isSecure
      ? connectSecurely({ port, host: '127.0.0.1', rejectUnauthorized: false })
      : connectPlain(port, '127.0.0.1')
    sockets.push(socket)
    const opened = new Promise((resolve) => socket.once('data', resolve))
    socket.on('data', (chunk: Buffer) => (readers.bytes += chunk.length))
    socket.write('GET /bench HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await opened
  }
  return readers
}

async function fanOut(server: Peer, port: number, isSecure: boolean) {
  using readers = await open(port, isSecure, subs)
  const [bytes, cpu, startMs] = [readers.bytes, cpuSeconds(server.pid), performance.now()]
  const { published } = await fanload(server, {
    subs: 0,
    rate,
    payload: 100,
    'pub-conns': 16,
    duration,
  })
  // Until all is there: nothing but keep-alives comes then.
  const eventBytes = published! * subs * 300
  for (let last = -1; readers.bytes - last > eventBytes / 1_000;) {
    last = readers.bytes
    await wait(200)
  }
  const deliveries = published! * subs
  return {
    bytesEach: (readers.bytes - bytes) / deliveries,
    cpuEach: ((cpuSeconds(server.pid) - cpu) * 1e6) / deliveries,
    perSecond: deliveries / ((performance.now() - startMs) / 1_000),
  }
}

async function memory(isSecure: boolean): Promise<number> {
  const port = await freePort()
  await using server = await startPubsubd({ tls: { port, cert, key } })
  const before = residentMb(server)
  using _readers = await open(isSecure ? port : server.port, isSecure, idle)
  await wait(1_000)
  return ((residentMb(server) - before) * 1_024) / idle
}

const all = new Map<boolean, Awaited<ReturnType<typeof fanOut>>[]>()
{
  const port = await freePort()
  await using server = await startPubsubd({ tls: { port, cert, key } })
  for (let round = 0; round < rounds; round++)
    for (const isSecure of [false, true]) {
      const figures = await fanOut(server, isSecure ? port : server.port, isSecure)
      all.set(isSecure, [...(all.get(isSecure) ?? []), figures])
    }
}
row('stream', 'µs CPU per delivery', 'deliveries/s', 'bytes each', `KB each of ${idle} idle`)
row('---', '---', '---', '---', '---')
for (const [isSecure, runs] of all)
  row(
    isSecure ? 'TLS' : 'plain',
    median(runs.map((run) => run.cpuEach)),
    Math.round(median(runs.map((run) => run.perSecond))),
    median(runs.map((run) => run.bytesEach)),
    await memory(isSecure),
  )
