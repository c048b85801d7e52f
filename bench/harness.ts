import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))
/** For configurations and stores, gone at the end. */
export const directory = mkdtempSync(join(tmpdir(), 'pubsubd-bench-'))
process.on('exit', () => rmSync(directory, { recursive: true, force: true }))

/** The server under test runs on one core, what loads it on another. */
const SERVER_CORE = '0'
const LOAD_CORE = '1'

/** A server under test, or a yardstick in its place. */
export interface Peer extends AsyncDisposable {
  readonly name: string
  readonly port: number
  readonly pid: number
  /** It sends nothing of what is published. */
  readonly isSilent?: true
}

/** Makes the request of a subscriber one for a WebSocket: the load generator looks for events, whatever is around them. */
export const WEB_SOCKET_HEADERS =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'

/** What fanload measures; its README names the fields. */
export type Figures = Readonly<Record<string, number>>

/** Compiles a C program of this folder. */
export function compiled(name: string, libraries: readonly string[] = []): string {
  const program = join(directory, name)
  const source = fileURLToPath(new URL(`${name}.c`, import.meta.url))
  execFileSync('gcc', ['-O2', '-o', program, source, '-lpthread', ...libraries], {
    stdio: 'inherit',
  })
  return program
}

/** `storage`: where the backlog is kept on disk; none: in memory. */
export async function startPubsubd(
  settings: {
    backlog?: number
    storage?: string
    name?: string
    tls?: object
    /** Lines of pubsub.yaml behind all others. */
    more?: string
    /** Takes part in the server: see hub-delay.ts. */
    probe?: { program: string; environment: Readonly<Record<string, string>> }
  } = {},
): Promise<Peer> {
  const port = await freePort()
  const config = join(directory, `pubsub-${port}.yaml`)
  const {
    backlog: size = 0,
    storage = null,
    name = 'pubsubd',
    tls = null,
    more = '',
    probe,
  } = settings
  const backlog = JSON.stringify({ size, max_bytes: '16GiB', ...(storage && { storage }) })
  const secure = tls === null ? '' : `, tls: ${JSON.stringify(tls)}`
  writeFileSync(
    config,
    `server: {bind: 127.0.0.1, port: ${port}, backlog: ${backlog}${secure}}\nclients: {payloaders: [127.0.0.1]}\n${more}`,
  )
  const flags = probe === undefined ? [] : ['--import', probe.program]
  const words = [...flags, MAIN, '--config', config, '--acl', '/dev/null']
  return startPeer(name, port, process.execPath, words, probe?.environment)
}

/** The least work a server can do: one write per subscriber and round, no parsing, matching or history. */
export async function startLimit(): Promise<Peer> {
  const port = await freePort()
  return startPeer('limit', port, compiled('limit'), [String(port), '1'])
}

/** `null` where nginx with its nchan module is not installed (Debian: nginx, libnginx-mod-nchan). */
export async function startNchan(): Promise<Peer | null> {
  const port = await freePort()
  const prefix = join(directory, `nchan-${port}`)
  mkdirSync(join(prefix, 'logs'), { recursive: true })
  const config = join(prefix, 'nginx.conf')
  writeFileSync(
    config,
    `load_module /usr/lib/nginx/modules/ngx_nchan_module.so;
daemon off; master_process off; worker_processes 1; pid ${prefix}/nginx.pid; error_log ${prefix}/error.log;
events { worker_connections 20000; }
http { access_log off; keepalive_requests 1000000000; client_body_temp_path ${prefix}/body;
  server { listen 127.0.0.1:${port}; 
    location = /pub { nchan_publisher; nchan_channel_id bench; nchan_message_buffer_length 0; }
    location = /sub { nchan_subscriber eventsource; nchan_channel_id bench; } } }
`,
  )
  try {
    execFileSync('nginx', ['-t', '-c', config, '-p', prefix], { stdio: 'ignore' })
  } catch {
    return null
  }
  return startPeer('nchan', port, 'nginx', ['-c', config, '-p', prefix])
}

/** `null` unless PYPUBSUB names a checkout of github.com/apache/infrastructure-pypubsub whose requirements are installed. */
export async function startPyPubSub(): Promise<Peer | null> {
  const checkout = process.env['PYPUBSUB']
  if (checkout === undefined) return null
  const port = await freePort()
  const config = join(directory, `pypubsub-${port}.yaml`)
  writeFileSync(
    config,
    `server: {bind: 127.0.0.1, port: ${port}, max_payload_size: 102400, backlog: {size: 0, max_age: 48h}}\n` +
      'clients: {payloaders: [127.0.0.1/24], oldschoolers: [svnwcsub], secure_topics: ~}\n',
  )
  const acl = join(directory, 'pypubsub_acl.yaml')
  writeFileSync(acl, '{}\n')
  const words = [join(checkout, 'pypubsub.py'), '--config', config, '--acl', acl]
  return startPeer('PyPubSub', port, 'python3', words)
}

/** What a connection costs a program of Node that only accepts it, and answers. */
export async function startBareNet(): Promise<Peer> {
  return { ...(await startBare('bare net server', 'bare-net.ts')), isSilent: true }
}

/** The same on Node's HTTP server. */
export async function startBareHttp(): Promise<Peer> {
  return { ...(await startBare('bare http server', 'bare-http.ts')), isSilent: true }
}

/** The same on Fastify. */
export async function startBareFastify(): Promise<Peer> {
  return { ...(await startBare('bare Fastify server', 'bare-fastify.ts')), isSilent: true }
}

/** WebSockets by the library `ws`, and nothing else. */
export function startBareWs(): Promise<Peer> {
  return startBare('bare ws server', 'bare-ws.ts')
}

/** WebSockets that acknowledge what they get, on the bare socket. */
export function startBareLonelyps(): Promise<Peer> {
  return startBare('bare server', 'bare-lonelyps.ts')
}

/** A program of this folder, with the flags that pubsubd gives itself. */
async function startBare(name: string, file: string): Promise<Peer> {
  const port = await freePort()
  const program = fileURLToPath(new URL(file, import.meta.url))
  const flags = ['--max-semi-space-size=1', '--single-threaded-gc', '--use-largepages=silent']
  return startPeer(name, port, process.execPath, [...flags, program, String(port)])
}

async function startPeer(
  name: string,
  port: number,
  command: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Peer> {
  const child = spawn('taskset', ['-c', SERVER_CORE, command, ...words], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...environment },
  })
  while (!(await isOpen(port))) {
    if (child.exitCode !== null) throw new Error(`${name} has ended before it began to listen`)
    await wait(50)
  }
  return { name, port, pid: child.pid!, [Symbol.asyncDispose]: () => ended(child) }
}

async function ended(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  if (child.kill()) await exited
}

/** A program of this folder that stays until it is disposed of, once it has printed its first line. */
export async function startLoad(name: string, words: readonly string[]): Promise<AsyncDisposable> {
  const child = spawn('taskset', ['-c', LOAD_CORE, compiled(name), ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return { [Symbol.asyncDispose]: () => ended(child) }
}

/** One run of replaying readers against a peer; they leave the other load its share of the core. */
export async function replay(
  peer: Peer,
  options: Readonly<Record<string, string | number>>,
): Promise<Figures> {
  replayProgram ??= compiled('replay')
  const words = wordsOf({ port: peer.port, ...options })
  const command = ['-c', LOAD_CORE, 'nice', '-n', '19', replayProgram, ...words]
  const figures = await figuresOf(
    spawn('taskset', command, { stdio: ['ignore', 'pipe', 'inherit'] }),
  )
  if (figures['disordered'] !== 0 || figures['closed'] !== 0)
    console.warn(`${peer.name}: missed or closed something: ${JSON.stringify(figures)}`)
  return figures
}

let replayProgram: string | undefined

function wordsOf(options: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
}

async function figuresOf(child: ChildProcess): Promise<Figures> {
  let text = ''
  for await (const chunk of child.stdout!) text += String(chunk)
  return JSON.parse(text) as Figures
}

/** One run of the load generator against a peer. */
export async function fanload(
  peer: Peer,
  options: Readonly<Record<string, string | number>>,
): Promise<Figures> {
  const forNchan =
    peer.name === 'nchan'
      ? {
          'sub-path': '/sub',
          'pub-path': '/pub',
          'pub-method': 'POST',
          'sub-headers': 'Accept: text/event-stream\r\n',
        }
      : {}
  const all = { port: peer.port, pid: peer.pid, ...forNchan, ...options }
  const words = wordsOf(all)
  program ??= compiled('fanload')
  const child = spawn('taskset', ['-c', LOAD_CORE, program, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const figures = await figuresOf(child)
  if ((figures['lost'] !== 0 && peer.isSilent !== true) || figures['closed'] !== 0)
    console.warn(`${peer.name}: lost or closed something: ${JSON.stringify(figures)}`)
  return figures
}

let program: string | undefined

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** A Markdown table row. */
export function row(...cells: readonly (string | number)[]): void {
  console.log(
    `| ${cells.map((cell) => (typeof cell === 'number' ? Number(cell.toPrecision(3)) : cell)).join(' | ')} |`,
  )
}

/** CPU seconds that a process has used. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

export function residentMb({ pid }: Peer): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1_024
}

/** Moves this program itself to the core of the load. */
export function becomeLoad(): void {
  execFileSync('taskset', ['-a', '-c', '-p', LOAD_CORE, String(process.pid)], { stdio: 'ignore' })
}

/** `--name value` on the command line, or the default. */
export function option(name: string, fallback: number): number {
  const at = process.argv.indexOf(`--${name}`)
  return at === -1 ? fallback : Number(process.argv[at + 1])
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  return new Promise((resolve) => {
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
  }).finally(() => socket.destroy()) as Promise<boolean>
}
