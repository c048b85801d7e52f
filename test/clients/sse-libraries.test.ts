import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { DEADLINE_MS } from '../deadline.ts'
import { startInProcess, type InProcessServer } from '../in-process-server.ts'
import { GO, PYTHON, missing } from '../programs.ts'
import { ClientProcess } from './client-process.ts'
import { CuttableProxy } from './cuttable-proxy.ts'

/*
 * Libraries for server-sent events, unchanged and as their own pages show them, and what each does with a stream of ours. The
 * table of docs/clients.md is made of what is seen here: WRITE_TABLES=1 node --test test/clients/sse-libraries.test.ts
 */

interface Library {
  readonly name: string
  readonly registry: 'npm' | 'PyPI' | 'Go'
  /** Control messages come only to who has a listener for their name. */
  readonly needsListener?: true
  /** It takes a time that grows with the square of a message's length: minutes for the largest, which is not tried. */
  readonly isQuadratic?: true
  /** What of its own has it take the largest message. */
  readonly option?: string
  /** What its user should know beside. */
  readonly note?: string
}

const UNREFERENCED = 'Node ends while it waits to come back, unless something else keeps it going'

const LIBRARIES: readonly Library[] = [
  { name: 'eventsource', registry: 'npm', needsListener: true, note: UNREFERENCED },
  { name: 'eventsource-client', registry: 'npm' },
  { name: '@microsoft/fetch-event-source', registry: 'npm', note: 'made for pages' },
  { name: 'undici', registry: 'npm', needsListener: true, note: UNREFERENCED },
  { name: 'httpx-sse', registry: 'PyPI' },
  { name: 'sseclient-py', registry: 'PyPI', isQuadratic: true },
  { name: 'requests-sse', registry: 'PyPI', isQuadratic: true },
  { name: 'aiohttp-sse-client', registry: 'PyPI', option: 'read_bufsize' },
  { name: 'r3labs/sse', registry: 'Go', option: 'ClientMaxBufferSize' },
  { name: 'tmaxmax/go-sse', registry: 'Go', option: 'Connection.Buffer' },
  { name: 'launchdarkly/eventsource', registry: 'Go' },
]

/** What a library does. */
interface Observed {
  readonly comesBack: boolean
  /** What it, or the program with the id of its last message, goes on behind. */
  readonly behind: 'the last keep-alive' | 'the last event'
  /** Of messages of so many bytes. */
  readonly takes: readonly boolean[]
}

const SIZES = [1_000_000, 10_000_000] as const

const observed = new Map<string, Observed>()

const reasons = {
  npm: false as const,
  PyPI: missing('sseLibraries'),
  Go: missing('goModules'),
}

const FOLDER = fileURLToPath(new URL('.', import.meta.url))

describe('a library for server-sent events', { concurrency: 3 }, () => {
  let server: InProcessServer
  let directory: string
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'pubsubd-sse-'))
    const config = {
      server: {
        bind: '127.0.0.1',
        port: 0,
        max_payload_size: '16MiB',
        backlog: { size: 1_000, max_bytes: '512MiB' },
      },
      clients: { payloaders: ['127.0.0.1'] },
    }
    server = await startInProcess({ config: JSON.stringify(config), times: { keepAliveMs: 400 } })
    if (reasons.Go === false)
      execFileSync(GO, ['build', '-o', join(directory, 'listen'), '.'], {
        cwd: join(FOLDER, 'sse-go'),
        env: { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly' },
      })
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true })
  })

  for (const library of LIBRARIES)
    test(
      `${library.name}: each message is JSON, keep-alives go by their name, and it goes on behind its last id`,
      { skip: reasons[library.registry] },
      async () => {
        await using proxy = await CuttableProxy.to(server.port)
        await using followers = new AsyncDisposableStack()
        const topic = library.name.replaceAll(/\W/g, '-')
        const url = `http://127.0.0.1:${proxy.port}/${topic}?since=all`
        const start = (lastId = '', largest = '') =>
          followers.use(new Follower(startOf(library, directory, [url, lastId, largest])))

        await publish(server, topic, { n: 1 })
        const first = start()
        const one = await first.expect(({ n }) => n === 1)
        // The position moves on though nothing is due.
        await publish(server, 'other', { n: 0 })
        await first.expect(({ name, id }) => name === 'stillalive' && id !== one.id)
        proxy.cut()
        await publish(server, topic, { n: 2 })
        proxy.goOn()
        const comesBack = await Promise.race([
          first.until(({ n }) => n === 2).then(() => true),
          first.ended.then(() => false),
        ])
        const follower = comesBack ? first : start(first.messages.at(-1)!.id)
        await follower.expect(({ n }) => n === 2)
        const [, askedId] = /^last-event-id: (\S+)/im.exec(proxy.asked)!
        const askedFor = first.messages.find(({ id }) => id === askedId)
        const behind = askedFor?.name === 'stillalive' ? 'the last keep-alive' : 'the last event'
        assert.ok(askedFor, `${askedId} is no id of a message that it has told`)

        const takes = []
        for (const size of SIZES) {
          const isTried = !(library.isQuadratic && size > SIZES[0])
          if (isTried) await publish(server, topic, payloadOf(size))
          takes.push(isTried && (await isTaken(size, follower, proxy)))
        }
        if (library.option !== undefined) {
          assert.ok(takes.includes(false), `${library.option} is not needed`)
          await start('', String(2 * SIZES.at(-1)!)).expect(hasSize(SIZES.at(-1)!))
        }
        for (const { messages } of [first, follower])
          for (const { name, n } of messages) {
            assert.notEqual(n, 'no JSON')
            assert.ok(['message', 'opened', 'stillalive'].includes(name), name)
          }
        observed.set(library.name, { comesBack, behind, takes })
      },
    )
})

test(
  'the table of docs/clients.md says what was seen',
  { skip: Object.values(reasons).find(Boolean) ?? false },
  () => {
    assert.equal(observed.size, LIBRARIES.length, 'a library was not tried')
    const page = new URL('../../docs/clients.md', import.meta.url)
    const text = readFileSync(page, 'utf8')
    const written = text.replace(/^\| library \|.*\n(?:\|.*\n)+/m, () => tableOf(observed))
    if (process.env['WRITE_TABLES'] !== undefined) writeFileSync(page, written)
    assert.ok(
      readFileSync(page, 'utf8') === written,
      'docs/clients.md is old: WRITE_TABLES=1 node --test test/clients/sse-libraries.test.ts',
    )
  },
)

function tableOf(seen: ReadonlyMap<string, Observed>): string {
  const rows = LIBRARIES.map((library) => {
    const { comesBack, behind, takes } = seen.get(library.name)!
    return [
      `${library.name} ${versionOf(library)} (${library.registry})`,
      `${comesBack ? 'by itself' : 'the program must, with the last id'}, behind ${behind}`,
      library.needsListener
        ? 'to listeners for the name'
        : 'with all other messages, under its name',
      ...takes.map((took) => takenOf(library, took)),
      library.note ?? '',
    ]
  })
  const heads = ['library', 'comes back after a cut', 'a keep-alive comes', '1 MB', '10 MB', 'mind']
  return [heads, heads.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |\n`)
    .join('')
}

function takenOf({ option, isQuadratic }: Library, took: boolean): string {
  if (took) return 'yes'
  if (isQuadratic) return 'takes minutes'
  return option === undefined ? 'no' : `with \`${option}\``
}

/** As it is locked. */
function versionOf({ name, registry }: Library): string {
  if (registry === 'npm') return JSON.parse(textOf('../../package.json')).devDependencies[name]
  const [text, pattern] =
    registry === 'PyPI'
      ? [textOf('requirements.txt'), new RegExp(`^${name}==(.+)$`, 'm')]
      : [textOf('sse-go/go.mod'), new RegExp(`github.com/${name}(?:/v2)? v([^ \n]+)`)]
  return pattern.exec(text)![1]!
}

function textOf(path: string): string {
  return readFileSync(new URL(path, import.meta.url), 'utf8')
}

function payloadOf(size: number): object {
  return { n: size, filling: 'x'.repeat(size) }
}

function hasSize(size: number): (message: Message) => boolean {
  return ({ n, length }) => n === size && length > size
}

/** One that does not take a message ends, or asks for it again and again. */
async function isTaken(size: number, follower: Follower, proxy: CuttableProxy): Promise<boolean> {
  const { length } = proxy.asked
  const timesAsked = () => proxy.asked.slice(length).split('\r\n\r\n').length - 1
  const over = new AbortController()
  try {
    return await Promise.race([
      follower.until(hasSize(size)).then(() => true),
      follower.ended.then(() => false),
      until(() => timesAsked() > 1, over.signal).then(() => false),
    ])
  } finally {
    over.abort()
  }
}

interface Message {
  readonly name: string
  readonly id: string
  /** Of the payload; `no JSON` where the data is none. */
  readonly n: unknown
  /** Of the data, in characters. */
  readonly length: number
}

/** A program of the library, and the messages that it has told. */
class Follower implements AsyncDisposable {
  readonly messages: Message[] = []
  /** Resolves once it has ended by itself. */
  readonly ended: Promise<void>
  readonly #process: ClientProcess
  #hasEnded = false
  #wake = Promise.withResolvers<void>()

  constructor(process: ClientProcess) {
    this.#process = process
    this.ended = this.#read()
  }

  /** @throws {Error} it has ended before. */
  expect(isWanted: (message: Message) => boolean): Promise<Message> {
    const end = this.ended.then(() => assert.fail(`it has ended: ${this.#process.errors}`))
    return Promise.race([this.until(isWanted), end])
  }

  /** For ever, if it ends before. */
  async until(isWanted: (message: Message) => boolean): Promise<Message> {
    for (let at = 0; ;) {
      for (; at < this.messages.length; at++)
        if (isWanted(this.messages[at]!)) return this.messages[at]!
      if (this.#hasEnded) return new Promise(() => {})
      await this.#wake.promise
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]()
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        this.messages.push((await this.#process.line()).json as unknown as Message)
        this.#notify()
      }
    } catch {
      this.#hasEnded = true
      this.#notify()
    }
  }

  #notify(): void {
    this.#wake.resolve()
    this.#wake = Promise.withResolvers()
  }
}

function startOf({ name, registry }: Library, directory: string, args: string[]): ClientProcess {
  if (registry === 'npm')
    return new ClientProcess(process.execPath, [join(FOLDER, 'sse_listen.mjs'), name, ...args])
  if (registry === 'PyPI')
    return new ClientProcess(PYTHON, [join(FOLDER, 'sse_listen.py'), name, ...args])
  return new ClientProcess(join(directory, 'listen'), [name, ...args])
}

async function publish({ url }: InProcessServer, topic: string, payload: object): Promise<void> {
  const answer = await fetch(`${url}/${topic}`, { method: 'PUT', body: JSON.stringify(payload) })
  assert.equal(answer.status, 202, await answer.text())
}

async function until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + DEADLINE_MS
  while (!isSo() && !signal.aborted) {
    assert.ok(performance.now() < deadlineMs, 'nothing has become of a message')
    await setTimeout(50)
  }
}
