import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, createReadStream, openSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { after, before, describe, test } from 'node:test'
import { TemporaryFiles } from '../config/temporary-files.ts'
import { PROXIES, startProxy, type Proxy } from '../http/proxy.ts'
import { startPubsub } from '../http/requests.ts'
import { missing, PYTHON } from '../programs.ts'
import type { RunningServer } from '../running-server.ts'

/** How it is sent. `null`: without an end. */
interface Body {
  readonly bytes: number | null
  readonly framing: 'length' | 'chunks'
}

/** A command line that prints the status of the answer; what it reads from its input is the body, if it reads any. */
type Client = (url: string, body: Body) => readonly string[]

const script =
  (command: string, file: string): Client =>
  (url, { bytes, framing }) => [
    command,
    fileURLToPath(new URL(file, import.meta.url)),
    url,
    String(bytes ?? 'endless'),
    framing,
  ]

const files = new TemporaryFiles()
after(() => files[Symbol.dispose]())

/** A file of so many zeros, which takes no place. */
function fileOf(bytes: number): string {
  const file = join(files.directory, String(bytes))
  closeSync(openSync(file, 'a'))
  truncateSync(file, bytes)
  return file
}

const CLIENTS: Readonly<Record<string, { missing: string | false; commandOf: Client }>> = {
  curl: {
    missing: missing('curl'),
    commandOf: (url, { bytes, framing }) => [
      'curl',
      '-sSk',
      '--http1.1',
      '-XPUT',
      '-o/dev/null',
      '-w%{http_code}',
      // Of its standard input it does not know the length, and would send it in chunks whatever header it is given.
      `-T${framing === 'length' ? fileOf(bytes!) : '-'}`,
      url,
    ],
  },
  "Python's http.client": {
    missing: missing('python'),
    commandOf: script(PYTHON, 'refused_body.py'),
  },
  "Node's fetch": { missing: false, commandOf: script(process.execPath, 'refused_body.mjs') },
}

const BODIES: readonly Body[] = [
  { bytes: 3_000_000, framing: 'length' },
  { bytes: 3_000_000, framing: 'chunks' },
  { bytes: 30_000_000, framing: 'length' },
  { bytes: 30_000_000, framing: 'chunks' },
  { bytes: null, framing: 'chunks' },
]

interface BetweenThem {
  readonly proxy: Proxy
  readonly changes?: Readonly<Record<string, string>>
  /** What is longer is the proxy's to refuse, in bytes. */
  readonly bytesMax?: number
  /** It reads a body without an end for ever, before it says anything. */
  readonly readsForEver?: boolean
}

/** nginx reads what is refused for 30 s otherwise. */
const nginx = (site: string, bytesMax = 9e6): BetweenThem => ({
  proxy: PROXIES.nginx,
  changes: { 'client_max_body_size 9m;': `${site} lingering_time 3s;` },
  bytesMax,
})

const WAYS: Readonly<Record<string, BetweenThem | null>> = {
  'with nothing between them': null,
  'through nginx': nginx('client_max_body_size 9m;'),
  'through nginx that lets more pass': nginx('client_max_body_size 40m;', 40e6),
  'through nginx without proxy_request_buffering': nginx(
    'client_max_body_size 40m; proxy_request_buffering off;',
    Infinity,
  ),
  'through Apache httpd': { proxy: PROXIES.apache, readsForEver: true },
  'through HAProxy': { proxy: PROXIES.haproxy },
}

for (const [way, between] of Object.entries(WAYS))
  describe(
    `a refusal is received while a body is sent, ${way}`,
    { skip: between?.proxy.missing ?? false, concurrency: 2 },
    () => {
      let server: RunningServer
      let url: string
      const ends = new AsyncDisposableStack()
      before(async () => {
        server = ends.use(await startPubsub({ server: { max_payload_size: 1_000 } }))
        url = server.url
        if (between === null) return
        const { port } = ends.use(await startProxy(between.proxy, server.port, between.changes))
        url = `https://127.0.0.1:${port}`
      })
      after(() => ends.disposeAsync())

      for (const [name, client] of Object.entries(CLIENTS))
        for (const body of BODIES) {
          if (body.bytes === null && between?.readsForEver === true) continue
          const size = body.bytes === null ? 'one without an end' : `${body.bytes / 1e6} MB`
          test(`${name}: ${size}, by ${body.framing}`, { skip: client.missing }, async () => {
            const status = await statusOf(client.commandOf(`${url}/a`, body), body)
            const isProxys = (body.bytes ?? Infinity) > (between?.bytesMax ?? Infinity)
            assert.equal(status, isProxys ? '413' : '400')
          })
        }
    },
  )

async function statusOf([command, ...args]: readonly string[], { bytes }: Body): Promise<string> {
  const client = spawn(command!, args, {
    env: { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_NO_WARNINGS: '1' },
  })
  client.stdin.on('error', () => {}) // the answer may come before it has read all
  const end = bytes === null ? Infinity : bytes - 1
  createReadStream('/dev/zero', { end })
    .on('error', () => {})
    .pipe(client.stdin)
  const [told, errors] = await Promise.all([
    text(client.stdout),
    text(client.stderr),
    once(client, 'close'),
  ])
  client.stdin.destroy()
  assert.equal(errors, '')
  return told.trim()
}
