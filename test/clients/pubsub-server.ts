import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { DEADLINE_MS } from '../deadline.ts'
import { FIRST } from '../config/certificates.ts'
import { startServer, type RunningServer } from '../running-server.ts'
import { shared } from '../shared.ts'

/** The longest line that asfpy's `listen()` promises to read. */
export const ASFPY_LINE_BYTES = 300 * 1024

/** Sees private events of `svn`, and may publish to the secure topic `commit`. */
export const READER = { user: 'reader', password: 'open:sesame' }

/** The same rights, and no ASCII: some clients send it in UTF-8, others in ISO-8859-1. */
export const RENEE = { user: 'renée', password: 'été' }

export const WRONG_PASSWORD = { ...READER, password: 'open' }

/** Its streams have NULs. */
export const OLD_SCHOOLER = 'svnwcsub'

export const RECEIVED = 'Payload received, thank you very much!\n'

export const REFUSED = 'You are not authorized to deliver payloads!\n'

export interface PubsubServer extends RunningServer {
  readonly tlsUrl: string
  /** File of the certificate to trust. */
  readonly certificate: string
}

export async function startPubsub(
  options: { port?: number; oldschooler?: string } = {},
): Promise<PubsubServer> {
  const { port = 0, oldschooler = OLD_SCHOOLER } = options
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-clients-'))
  const certificate = join(directory, 'cert.pem')
  const key = join(directory, 'key.pem')
  writeFileSync(certificate, FIRST.certPem)
  writeFileSync(key, FIRST.keyPem)
  const server = await startServer({
    config: `
server:
  bind: 127.0.0.1
  port: ${port}
  tls: { port: 0, cert: ${certificate}, key: ${key} }
  max_payload_size: ${2 * ASFPY_LINE_BYTES}
  backlog: { size: 1000 }
clients:
  payloaders: [127.0.0.1]
  secure_topics: [commit]
  oldschoolers: ['${oldschooler}']
`,
    acl: `
${READER.user}:
  password: ${READER.password}
  acl: { subversion: [svn] }
  topics: [commit]
${RENEE.user}:
  password: ${RENEE.password}
  acl: { subversion: [svn] }
  topics: [commit]
`,
  })
  const [, tlsPort] = await server.printed(/listening on https:\/\/\S+:(\d+)/)
  return {
    ...server,
    tlsUrl: `https://localhost:${tlsPort}`,
    certificate,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      rmSync(directory, { recursive: true })
    },
  }
}

/** One server for all tests of a file. */
export function sharedPubsub(): () => PubsubServer {
  return shared(() => startPubsub())
}

/** Resolves once the server counts at least so many streams. */
export async function streamsOpen({ url }: PubsubServer, count: number): Promise<void> {
  const deadlineMs = performance.now() + DEADLINE_MS
  for (;;) {
    const { headers } = await fetch(`${url}/`, { method: 'HEAD' })
    if (Number(headers.get('x-subscribers')) >= count) return
    assert.ok(performance.now() < deadlineMs, `${headers.get('x-subscribers')} streams are open`)
    await setTimeout(50)
  }
}

let topics = 0

/** A topic of one's own, on a server that tests share. */
export function newTopic(): string {
  return `topic-${++topics}`
}

/** Publishes without any further client, and is accepted. */
export async function publish(
  { url }: { readonly url: string },
  path: string,
  payload: object,
): Promise<void> {
  const answer = await fetch(url + path, {
    method: 'PUT',
    body: JSON.stringify(payload),
    signal: AbortSignal.timeout(DEADLINE_MS),
  })
  assert.equal(answer.status, 202, await answer.text())
}

/** Below the ports that the kernel gives away, so that nothing else takes it while the server is down. */
export async function portForRestarts(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000)
    const server = createServer().listen(port, '127.0.0.1')
    try {
      await once(server, 'listening')
    } catch {
      continue // taken
    }
    server.close()
    await once(server, 'close')
    return port
  }
}
