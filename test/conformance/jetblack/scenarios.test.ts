import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { DEADLINE_MS } from '../../deadline.ts'
import { startInProcess } from '../../in-process-server.ts'
import { SCENARIOS, wireOf, type Scenario } from './vectors.ts'

const HOST = '127.0.0.1'
/** An id that nobody has, where a scenario names one that no step teaches. */
const INVENTED_ID = '0123456789abcdef0123456789abcdef'

/** A client that sends and reads bytes. */
class Client {
  readonly #socket: Socket
  #received = Buffer.alloc(0)
  #hasEnded = false
  #wake = () => {}

  constructor(port: number) {
    this.#socket = connect({ host: HOST, port })
    this.#socket.setNoDelay(true)
    this.#socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#wake()
    })
    for (const event of ['end', 'close'])
      this.#socket.on(event, () => {
        this.#hasEnded = true
        this.#wake()
      })
    this.#socket.on('error', () => {})
  }

  async connected(): Promise<void> {
    await once(this.#socket, 'connect')
  }

  /** One byte at a time: the kernel may still hand them on together. */
  async send(bytes: Buffer, isBytewise: boolean): Promise<void> {
    const pieces = isBytewise ? Array.from(bytes, (byte) => Buffer.of(byte)) : [bytes]
    for (const piece of pieces)
      await new Promise<void>((resolve) => this.#socket.write(piece, () => resolve()))
  }

  async received(length: number): Promise<Buffer> {
    await this.#until(() => this.#received.length >= length || this.#hasEnded)
    const bytes = this.#received.subarray(0, length)
    this.#received = this.#received.subarray(length)
    return bytes
  }

  get isSilent(): boolean {
    return this.#received.length === 0
  }

  async ended(): Promise<void> {
    await this.#until(() => this.#hasEnded)
  }

  close(): void {
    this.#socket.end()
    this.#socket.destroySoon()
  }

  async #until(isSo: () => boolean): Promise<void> {
    const untilMs = performance.now() + DEADLINE_MS
    while (!isSo()) {
      assert.ok(performance.now() < untilMs, 'nothing comes')
      await Promise.race([new Promise<void>((resolve) => (this.#wake = resolve)), pause(100)])
    }
  }
}

async function play(scenario: Scenario, isBytewise: boolean): Promise<void> {
  const { config } = scenario
  const passwords = join(mkdtempSync(join(tmpdir(), 'pubsubd-jetblack-')), 'passwords.json')
  writeFileSync(passwords, JSON.stringify(passwordFile(config.users ?? {})))
  const jetblack = {
    ports: { 0: wireOf(scenario) },
    ...(config.heartbeatInterval !== undefined && { heartbeat: '0.2s' }),
    ...(config.authentication === 'password-file' && {
      authentication: 'passwords',
      passwords,
      feeds: FEEDS,
    }),
  }
  await using server = await startInProcess({
    config: JSON.stringify({
      server: { bind: '127.0.0.1', port: 0 },
      clients: { payloaders: ['127.0.0.1'] },
      limits: { login_delay: 0 },
      protocols: { jetblack },
    }),
  })
  rmSync(dirname(passwords), { recursive: true })
  const port = Number(new URL(server.urls.find((url) => url.startsWith('tcp:'))!).port)
  const clients = new Map<string, Client>()
  /** By the names of the scenario. */
  const ids = new Map<string, string>()
  const filled = (hex: string) =>
    hex
      .replaceAll('{str:host}', lengthPrefixed(HOST))
      .replaceAll(/\{id:(\w+)\}/g, (_, name: string) => ids.get(name) ?? INVENTED_ID)
  try {
    for (const [at, step] of scenario.steps.entries()) {
      const where = `${scenario.name}, step ${at} of ${step.conn}`
      if (step.do === 'connect') {
        const client = new Client(port)
        clients.set(step.conn, client)
        await client.connected()
        continue
      }
      const client = clients.get(step.conn)!
      switch (step.do) {
        case 'send':
          await client.send(Buffer.from(filled(step.hex!), 'hex'), isBytewise)
          break
        case 'expect': {
          const unknown = /\{id:(\w+)\}/.exec(step.hex!)?.[1]
          const isNew = unknown !== undefined && !ids.has(unknown)
          const expected = filled(step.hex!)
          const bytes = await client.received(expected.length / 2)
          if (isNew) {
            const start = filled(step.hex!.slice(0, step.hex!.indexOf('{id:'))).length / 2
            ids.set(unknown, bytes.subarray(start, start + 16).toString('hex'))
          }
          assert.equal(bytes.toString('hex'), filled(step.hex!), where)
          break
        }
        case 'expect_silence':
          await pause(Math.min(step.ms!, SILENCE_MS))
          assert.ok(client.isSilent, where)
          break
        case 'expect_close':
          await client.ended()
          break
        case 'close':
          client.close()
          break
        case 'sync':
          await pause(SYNC_MS)
          break
      }
    }
  } finally {
    for (const client of clients.values()) client.close()
  }
}

/** What the scenarios' roles say, in our settings: a global deny is a last pattern that matches all. */
const FEEDS = {
  AUTH: { subscribe: ['tom', 'dick'], publish: ['harry'], notify: ['harry'], authorize: ['mary'] },
  '*': { subscribe: [], publish: [], notify: [] },
}

/** As the reference writes it. */
function passwordFile(users: Readonly<Record<string, string>>): object {
  return Object.fromEntries(
    Object.entries(users).map(([name, password]) => {
      const salt = randomBytes(32)
      const digest = createHash('sha1').update(password, 'utf8').update(salt).digest('base64')
      return [name, { Salt: salt.toString('base64'), Hash: digest }]
    }),
  )
}

/** Enough for what was sent to take effect, as the answer to nothing cannot be waited for. */
const SYNC_MS = 60
const SILENCE_MS = 100

function lengthPrefixed(text: string): string {
  const bytes = Buffer.from(text)
  return bytes.length.toString(16).padStart(8, '0') + bytes.toString('hex')
}

describe('the scenarios of the reference', { concurrency: 4 }, () => {
  for (const scenario of SCENARIOS) {
    test(scenario.name, () => play(scenario, false))
    test(`${scenario.name}, byte by byte`, () => play(scenario, true))
  }
})
