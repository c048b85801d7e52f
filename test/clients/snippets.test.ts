import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { DEADLINE_MS } from '../deadline.ts'
import { startPubsub, streamsLeft } from '../http/requests.ts'
import { ClientProcess } from './client-process.ts'
import { CuttableProxy } from './cuttable-proxy.ts'
import { PYTHON, missing } from '../programs.ts'
import { portForRestarts } from './pubsub-server.ts'

const FOLDER = fileURLToPath(new URL('../../clients', import.meta.url))

const LINES_MAX = 40

/** Go's own format spends lines on what the others have on one, so its imports, comments and blank lines are not counted. */
const UNCOUNTED_IN_GO = /^package .*\n|^import \([^)]*\)\n|^\s*\/\/.*\n|^\n/gm

test(`every snippet has at most ${LINES_MAX} lines, and its first words say what it promises`, () => {
  const files = readdirSync(FOLDER)
  assert.deepEqual(files.toSorted(), Object.keys(snippets).toSorted())
  for (const file of files) {
    const text = readFileSync(join(FOLDER, file), 'utf8')
    const counted = file.endsWith('.go') ? text.replaceAll(UNCOUNTED_IN_GO, '') : text
    const lines = counted.trimEnd().split('\n').length
    assert.ok(lines <= LINES_MAX, `${file} has ${lines} lines`)
    assert.match(text, /loses no event that the server still keeps.*?At least once/is)
  }
})

/** A snippet as a process that prints each event as a line of JSON, and has its cursor in a file. */
interface Snippet {
  readonly skip: string | false
  /** Makes ready, once, what `start` needs. */
  readonly prepare?: (directory: string) => void
  readonly start: (asked: Asked) => ClientProcess
}

interface Asked {
  readonly url: string
  readonly cursorFile: string
  readonly login?: { readonly user: string; readonly password: string }
  /** Of all runs of a snippet. */
  readonly directory: string
}

const PYTHON_BOT = `
import json, sys
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
from listen import listen
for event in listen(*sys.argv[2:]):
    print(json.dumps(event), flush=True)
`

const NODE_BOT = `
const { existsSync, readFileSync, renameSync, writeFileSync } = await import('node:fs')
const [, module, url, file, Authorization] = process.argv
const { listen } = await import(module)
const cursor = existsSync(file) ? readFileSync(file, 'utf8') : undefined
const headers = Authorization && { Authorization }
const keep = (cursor) => {
  writeFileSync(file + '.new', cursor)
  renameSync(file + '.new', file)
}
for await (const event of listen(url, { cursor, keep, headers })) console.log(JSON.stringify(event))
`

const snippets: Readonly<Record<string, Snippet>> = {
  'listen.py': {
    skip: missing('python'),
    start: ({ url, cursorFile, login }) =>
      new ClientProcess(
        PYTHON,
        ['-c', PYTHON_BOT, FOLDER, url, cursorFile].concat(
          login ? [login.user, login.password] : [],
        ),
      ),
  },
  'listen.mjs': {
    skip: false,
    start: ({ url, cursorFile, login }) =>
      new ClientProcess(
        process.execPath,
        ['--input-type=module', '-e', NODE_BOT, join(FOLDER, 'listen.mjs'), url, cursorFile].concat(
          login ? `Basic ${btoa(`${login.user}:${login.password}`)}` : [],
        ),
      ),
  },
  'listen.go': {
    skip: missing('go'),
    prepare(directory) {
      const source = join(FOLDER, 'listen.go')
      assert.equal(String(execFileSync('gofmt', ['-d', source])), '')
      const environment = { ...process.env, GO111MODULE: 'off', GOCACHE: join(directory, 'cache') }
      execFileSync('go', ['build', '-o', join(directory, 'listen'), source], { env: environment })
    },
    start({ url, cursorFile, login, directory }) {
      const target = new URL(url)
      if (login) Object.assign(target, { username: login.user, password: login.password })
      return new ClientProcess(join(directory, 'listen'), [target.href, cursorFile])
    },
  },
  'listen.sh': {
    skip: missing('curl'),
    start({ url, cursorFile, login }) {
      const home = dirname(cursorFile)
      if (login)
        writeFileSync(
          join(home, '.netrc'),
          `machine ${new URL(url).hostname} login ${login.user} password ${login.password}\n`,
        )
      const args = [join(FOLDER, 'listen.sh'), url, cursorFile]
      return new ClientProcess('sh', args, { environment: { HOME: home } })
    },
  },
}

// Most of what each takes is 20 s of silence that it must notice.
describe('each snippet', { concurrency: true }, () => {
  for (const [file, { skip, prepare, start }] of Object.entries(snippets))
    describe(`clients/${file}`, { skip, concurrency: 2 }, () => {
      let directory: string
      before(() => {
        directory = mkdtempSync(join(tmpdir(), 'pubsubd-snippets-'))
        prepare?.(directory)
      })
      after(() => rmSync(directory, { recursive: true, force: true }))

      /** Settings of a server that keeps its events and its port, and a file for a cursor. */
      async function lasting() {
        const own = mkdtempSync(join(directory, 'case-'))
        return {
          config: {
            server: {
              port: await portForRestarts(),
              backlog: { size: 1000, storage: join(own, 'backlog') },
            },
          },
          cursorFile: join(own, 'cursor'),
        }
      }

      test('through restarts of the server each event comes once, in order, whatever is in it', async () => {
        const { config, cursorFile } = await lasting()
        const url = `http://127.0.0.1:${config.server.port}`
        await using first = await startPubsub(config)
        await using listener = start({ url: `${url}/a?without=c`, cursorFile, directory })
        await storedIn(cursorFile, listener)
        await publish(url, '/a', { n: 1, closing: { reason: 'revoked' }, gap: 'x', opened: 7 })
        await publish(url, '/a/c', { n: 'not asked for' })
        assert.deepEqual(await listener.numbers(1), [1])
        const place = { cursor: 'x', pubsub_cursor: 'x', resumes_at: 'x' }
        const publishing = publish(url, '/a', { n: 2, stillalive: '"cursor": "x"}', nested: place })
        await first.stop('SIGKILL')
        await using second = await startPubsub(config)
        await publishing
        await publish(url, '/a', { n: 3, text: 'Grüße \\n " \u2028 🦀 status 404' })
        await publish(url, '/a', { n: 4, ...place, gap: place, closing: place })
        const [two, three] = [await listener.event(), await listener.event()]
        assert.deepEqual([two.json['n'], three.json['n']], [2, 3])
        assert.equal(three.json['text'], 'Grüße \\n " \u2028 🦀 status 404')
        assert.deepEqual(await listener.numbers(1), [4])
        await second.stop('SIGTERM')
        await using _ = await startPubsub(config)
        await publish(url, '/a', { n: 5 })
        assert.deepEqual(await listener.numbers(1), [5])
      })

      test('a run that was killed is gone on with: events of the time between come', async () => {
        const { config, cursorFile } = await lasting()
        await using server = await startPubsub(config)
        {
          await using listener = start({ url: `${server.url}/a`, cursorFile, directory })
          await storedIn(cursorFile, listener)
          await publish(server.url, '/a', { n: 1 })
          const { n, pubsub_cursor: cursor } = (await listener.event()).json
          assert.equal(n, 1)
          await until('its cursor is stored', () => {
            return readFileSync(cursorFile, 'utf8').trim() === cursor
          })
        }
        await publish(server.url, '/a', { n: 2 })
        await using listener = start({ url: `${server.url}/a`, cursorFile, directory })
        await publish(server.url, '/a', { n: 3 })
        assert.deepEqual(await listener.numbers(2), [2, 3])
      })

      test('a connection that is silent, and then one that is cut, loses and doubles nothing', async () => {
        const { config, cursorFile } = await lasting()
        await using server = await startPubsub(config)
        await using proxy = await CuttableProxy.to(server.port)
        await using listener = start({
          url: `http://127.0.0.1:${proxy.port}/a`,
          cursorFile,
          directory,
        })
        await storedIn(cursorFile, listener)
        proxy.stall()
        await publish(server.url, '/a', { n: 1 })
        await publish(server.url, '/a', { n: 2 })
        assert.deepEqual(await listener.numbers(2), [1, 2])
        proxy.cut()
        await publish(server.url, '/a', { n: 3 })
        proxy.goOn()
        await publish(server.url, '/a', { n: 4 })
        assert.deepEqual(await listener.numbers(2), [3, 4])
      })

      test('a gap is told, and the stream goes on behind it', async () => {
        const { config, cursorFile } = await lasting()
        await using server = await startPubsub(config)
        await publish(server.url, '/a', { n: 1 })
        writeFileSync(cursorFile, randomUUID())
        await using listener = start({ url: `${server.url}/a`, cursorFile, directory })
        assert.deepEqual(await listener.numbers(1), [1])
        await until('it is told', () => /events are missing:.*foreign/.test(listener.errors))
      })

      test('a right that is withdrawn ends it, with the reason', async () => {
        const { config, cursorFile } = await lasting()
        const alice = { password: 'wonderland', acl: { fruit: ['fruits'] } }
        await using server = await startPubsub(config, { alice })
        await using listener = start({
          url: `${server.url}/private/fruits`,
          cursorFile,
          login: { user: 'alice', password: 'wonderland' },
          directory,
        })
        await storedIn(cursorFile, listener)
        await publish(server.url, '/private/fruits', { n: 1 })
        assert.deepEqual(await listener.numbers(1), [1])
        const acl = JSON.stringify({ alice: { ...alice, acl: {} } })
        writeFileSync(join(server.directory, 'pubsub_acl.yaml'), acl)
        server.process.kill('SIGHUP')
        const { code, errors } = await listener.ended()
        assert.notEqual(code, 0)
        assert.match(errors, /withdrawn/)
      })

      test('all that are told to come back at one time do so later, and not in one instant', async () => {
        const ASKED_MS = 2_500
        const comeBack = async () => {
          await using crowd = await CutCrowd.open(5, ASKED_MS)
          await using listeners = new AsyncDisposableStack()
          for (let n = 0; n < 5; n++) {
            const cursorFile = join(mkdtempSync(join(directory, 'case-')), 'cursor')
            listeners.use(start({ url: `${crowd.url}/a?n=${n}`, cursorFile, directory }))
          }
          const waitsMs = await crowd.waitsMs
          assert.ok(Math.min(...waitsMs) >= ASKED_MS, waitsMs.join())
          return Math.max(...waitsMs) - Math.min(...waitsMs)
        }
        // Chance spreads them over 1,250 ms and more: five so close to each other would be one case of a million. A machine that
        // was busy for so long has all of them come at once, so there is a second try.
        const spreadMs = await comeBack()
        if (spreadMs <= 40) assert.ok((await comeBack()) > 40)
      })

      test('a refusal that asking again would not mend ends it, with the reason', async () => {
        const { config, cursorFile } = await lasting()
        await using server = await startPubsub(config)
        await using listener = start({ url: `${server.url}/a?where=)`, cursorFile, directory })
        const { code, errors } = await listener.ended()
        assert.notEqual(code, 0)
        assert.match(errors, /400/)
        assert.match(errors, /where: /)
      })
    })
})

test(
  'listen.sh that is told to stop does so at once, and leaves no curl behind',
  {
    skip: missing('curl'),
  },
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'pubsubd-snippets-'))
    try {
      await using server = await startPubsub()
      const cursorFile = join(directory, 'cursor')
      const { start } = snippets['listen.sh']!
      await using listener = start({ url: `${server.url}/a`, cursorFile, directory })
      await storedIn(cursorFile, listener)
      listener.stop()
      await listener.ended()
      await streamsLeft(server, 0, 2_000)
    } finally {
      rmSync(directory, { recursive: true })
    }
  },
)

const PAGE = readFileSync(new URL('../../docs/clients.md', import.meta.url), 'utf8')

/** What runs the example of the page in each language, in a directory that has the snippet. */
const examples = [
  {
    language: 'python',
    file: 'listen.py',
    skip: missing('python'),
    command: (text: string) => [PYTHON, '-u', '-c', text],
  },
  {
    language: 'js',
    file: 'listen.mjs',
    skip: false,
    command: (text: string) => [process.execPath, '--input-type=module', '-e', text],
  },
  {
    language: 'go',
    file: 'listen.go',
    skip: missing('go'),
    command: (text: string, directory: string) => {
      const file = join(directory, 'listen.go')
      const main = `func main() {\n${text}\nlog.Fatal(err)\n}`
      writeFileSync(
        file,
        readFileSync(file, 'utf8').replace(/^func main.*$/m, () => main),
      )
      return ['sh', '-c', 'GO111MODULE=off go build -o bot listen.go && exec ./bot']
    },
  },
  {
    language: 'console',
    file: 'listen.sh',
    skip: missing('curl'),
    command: (text: string) => ['sh', '-c', /^\$ (.*)/.exec(text)![1]!.replace(/^/, 'exec ')],
  },
] as const

for (const { language, file, skip, command } of examples)
  test(
    `the example of ${file} on the page of clients follows a topic`,
    {
      skip,
    },
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'pubsubd-snippets-'))
      try {
        await using server = await startPubsub()
        copyFileSync(join(FOLDER, file), join(directory, file))
        const blocks = [...PAGE.matchAll(/```(\w+)\n(.*?)```/gs)]
        const [example, ...more] = blocks.filter(([, name]) => name === language)
        assert.ok(example && more.length === 0)
        const text = example[2]!.replaceAll('localhost:2069', `127.0.0.1:${server.port}`)
        const [program, ...args] = command(text, directory)
        const bot = spawn(program!, args, {
          cwd: directory,
          env: { ...process.env, PYTHONPATH: directory, PYTHONDONTWRITEBYTECODE: '1' },
          stdio: ['ignore', 'pipe', 'inherit'],
          timeout: DEADLINE_MS,
        })
        await storedIn(join(directory, 'fruits.cursor'))
        await publish(server.url, '/fruits/apples', { text: 'Apples are delicious' })
        // A line may come in pieces.
        let printed = ''
        for await (const piece of bot.stdout.setEncoding('utf8')) {
          printed += String(piece)
          if (printed.includes('Apples are delicious')) break
        }
        assert.match(printed, /\/fruits\/apples/)
        assert.match(printed, /Apples are delicious/)
        bot.kill()
        await once(bot, 'close')
      } finally {
        rmSync(directory, { recursive: true })
      }
    },
  )

test(
  'listen.sh that is killed, at whatever moment, leaves nothing behind that waits for ever',
  { skip: missing('curl') },
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'pubsubd-snippets-'))
    const { start } = snippets['listen.sh']!
    const killed = async (afterMs: number) => {
      const cursorFile = join(mkdtempSync(join(directory, 'case-')), 'cursor')
      await using _ = start({ url: 'http://127.0.0.1:9/a', cursorFile, directory })
      await setTimeout(afterMs)
    }
    try {
      // It is up to curl within some ms. With a pipe that each end opened for itself, one of a hundred hung.
      const runs: Promise<void>[] = []
      for (let n = 0; n < 60; n++) {
        runs.push(...[2, 4, 6, 8].map((ms) => killed(ms + n / 30)))
        await setTimeout(12)
      }
      await Promise.all(runs)
    } finally {
      rmSync(directory, { recursive: true })
    }
  },
)

/** A server that cuts off its first so many streams in one instant, and sees how long they stay away. */
class CutCrowd implements AsyncDisposable {
  readonly url: string
  /** Resolves once all are back. */
  readonly waitsMs: Promise<readonly number[]>
  readonly #server: Server

  private constructor(server: Server, count: number, askedMs: number) {
    this.#server = server
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const cursor = randomUUID()
    const { promise, resolve } = Promise.withResolvers<readonly number[]>()
    const streams: ServerResponse[] = []
    const waitsMs = new Map<string, number>()
    let cutMs = 0
    const deadline = setTimeout(DEADLINE_MS, null, { ref: false })
    const late = deadline.then(() => assert.fail(`only ${waitsMs.size} of ${count} have come back`))
    this.waitsMs = Promise.race([promise, late])
    server.on('request', ({ url }: IncomingMessage, response: ServerResponse) => {
      response.writeHead(200, { 'Content-Type': 'application/x-ndjson' })
      response.write(`{"stillalive": 1.5, "opened": {"cursor": "${cursor}"}}\n`)
      if (cutMs > 0) {
        if (!waitsMs.has(url!)) waitsMs.set(url!, performance.now() - cutMs)
        response.end() // nothing is left to wait for when the client is ended
        if (waitsMs.size === count) resolve([...waitsMs.values()])
      } else if (streams.push(response) === count) {
        const closing = { reason: 'shutdown', cursor, retry_after_ms: askedMs }
        const line = `{"stillalive": 1.5, "closing": ${JSON.stringify(closing).replaceAll(/([:,])/g, '$1 ')}}\n`
        for (const stream of streams) stream.write(line, () => stream.destroy())
        cutMs = performance.now()
      }
    })
  }

  static async open(count: number, askedMs: number): Promise<CutCrowd> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new CutCrowd(server, count, askedMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

/** Publishes an event once, however often the server goes down meanwhile. */
async function publish(url: string, path: string, payload: object): Promise<void> {
  const headers = { 'Idempotency-Key': randomUUID() }
  const deadline = AbortSignal.timeout(DEADLINE_MS)
  for (;;) {
    try {
      const body = JSON.stringify(payload)
      const answer = await fetch(url + path, { method: 'PUT', body, headers, signal: deadline })
      assert.equal(answer.status, 202, await answer.text())
      return
    } catch (error) {
      if (deadline.aborted || !(error instanceof TypeError)) throw error
    }
    await setTimeout(50)
  }
}

/** Resolves once the stream is open: from then on nothing gets lost. `client`: whose it is. */
function storedIn(cursorFile: string, client?: Pick<ClientProcess, 'errors'>): Promise<void> {
  return until(
    'the first cursor is stored',
    () => {
      try {
        return readFileSync(cursorFile, 'utf8') !== ''
      } catch {
        return false
      }
    },
    () => client?.errors,
  )
}

async function until(
  what: string,
  isSo: () => boolean,
  told: () => string | undefined = () => '',
): Promise<void> {
  const deadlineMs = performance.now() + DEADLINE_MS
  while (!isSo()) {
    assert.ok(performance.now() < deadlineMs, `waited in vain until ${what}\n${told()}`)
    await setTimeout(20)
  }
}
