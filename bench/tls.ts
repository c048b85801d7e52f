import { execFileSync, spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import {
  becomeLoad,
  compiled,
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
const program = compiled('readers', ['-lssl', '-lcrypto'])

const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
const words = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -keyout ${key} -out ${cert}`
execFileSync('openssl', words.split(' '), { stdio: 'ignore' })

/** Subscribers of a port, and what all together have received. */
class Readers implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: AsyncIterator<string>

  private constructor(port: number, isSecure: boolean, count: number) {
    const argv = [String(port), String(count), ...(isSecure ? ['tls'] : [])]
    this.#child = spawn(program, argv, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]()
  }

  static async open(port: number, isSecure: boolean, count: number): Promise<Readers> {
    const readers = new Readers(port, isSecure, count)
    await readers.#lines.next()
    return readers
  }

  async bytes(): Promise<number> {
    this.#child.stdin.write('\n')
    return Number((await this.#lines.next()).value)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, 'exit')
    this.#child.kill()
    await exited
  }
}

async function fanOut(server: Peer, port: number, isSecure: boolean) {
  await using readers = await Readers.open(port, isSecure, subs)
  const [bytes, cpu, startMs] = [await readers.bytes(), cpuSeconds(server.pid), performance.now()]
  const { published } = await fanload(server, {
    subs: 0,
    rate,
    payload: 100,
    'pub-conns': 16,
    duration,
  })
  // Until all is there: nothing but keep-alives comes then.
  let endMs = performance.now()
  let received = await readers.bytes()
  for (let last = -1; last < received; received = await readers.bytes()) {
    endMs = performance.now()
    last = received
    await wait(100)
  }
  const deliveries = published! * subs
  return {
    bytesEach: (received - bytes) / deliveries,
    cpuEach: ((cpuSeconds(server.pid) - cpu) * 1e6) / deliveries,
    perSecond: deliveries / ((endMs - startMs) / 1_000),
  }
}

async function memory(isSecure: boolean): Promise<number> {
  const port = await freePort()
  await using server = await startPubsubd({ tls: { port, cert, key } })
  const before = residentMb(server)
  await using _readers = await Readers.open(isSecure ? port : server.port, isSecure, idle)
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
