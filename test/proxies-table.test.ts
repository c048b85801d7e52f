import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startEventSources, type EventSourceClient, type Fired } from './clients/event-sources.ts'
import { portForRestarts } from './clients/pubsub-server.ts'
import { DEADLINE_MS } from './deadline.ts'
import { FIRST } from './config/certificates.ts'
import { TemporaryFiles } from './config/temporary-files.ts'
import { PROXIES, startProxy, type Proxy } from './http/proxy.ts'
import { publish, startPubsub } from './http/requests.ts'
import { FormReader, FORMS } from './http/stream/form-reader.ts'
import { askOver, reached, type ReachedServer } from './http/ways.ts'
import { missing } from './programs.ts'
import type { RunningServer } from './running-server.ts'

const PAGE = new URL('../docs/proxies.md', import.meta.url)

/** What stands in the page around the table. */
const [BEGIN, END] = [
  '<!-- Made by test/proxies-table.test.ts: WRITE_TABLES=1 -->\n',
  '\n<!-- end -->',
]

/** What is between a client and the server, in the columns of the table. */
const COLUMNS: readonly {
  readonly name: string
  readonly proxy: Proxy | null
  readonly changes?: Readonly<Record<string, string>>
}[] = [
  { name: 'nothing', proxy: null },
  ...Object.values(PROXIES).map((proxy) => ({ name: proxy.name, proxy })),
  {
    name: 'nginx without `error_page`',
    proxy: PROXIES.nginx,
    changes: { 'error_page 502 504 = @pubsubd_away;': '' },
  },
]

const PLAIN = '`*/*`'
const FORM_NAMES = [
  PLAIN,
  ...FORMS.map(({ name }) => (name === 'websocket' ? 'WebSocket' : `\`${name}\``)),
]

/** Rows that are about a server that is there: what `yes` means, and what finds out. */
const THERE: Readonly<Record<string, (at: Reached) => Promise<void>>> = {
  ...Object.fromEntries(
    FORM_NAMES.map((name, i) => [
      `${name}: live, replay, resume`,
      (at: Reached) => (i === 0 ? plainForm(at) : otherForm(at, FORMS[i - 1]!)),
    ]),
  ),
  'eight streams on one connection of HTTP/2': eightStreams,
  'a wait: its event, or our 504': wait,
  'our refusals as they are': refusals,
  'who publishes is known by the address, whatever is claimed': addresses,
  'the page and its origin': origin,
}

/** Rows that are about a server that is not there. */
const AWAY: Readonly<Record<string, (at: Reached) => Promise<string>>> = {
  'away: an EventSource is answered': (at) => statusOf(at, { Accept: 'text/event-stream' }),
  'away: another stream': (at) => statusOf(at, { Accept: 'application/x-ndjson' }),
  'away: a publication': (at) => statusOf(at, { Accept: 'text/event-stream' }, 'PUT'),
  'away: a WebSocket': (at) =>
    statusOf(at, {
      Accept: 'text/event-stream',
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    }),
}

/** A server whose publishers are at 127.0.0.2, seen by its clients and without anything in between. */
interface Reached {
  readonly through: ReachedServer
  readonly directly: RunningServer
}

const PUBLISHER = '127.0.0.2'

const cells = new Map<string, string>()
const note = (row: string, column: string, cell: string) => cells.set(`${row}|${column}`, cell)

const skip =
  Object.values(PROXIES).reduce<string | false>(
    (skipped, each) => skipped || each.missing,
    false,
  ) || missing('chromium')

describe('the table of docs/proxies.md', { skip, concurrency: 2 }, () => {
  let sources: Awaited<ReturnType<typeof startEventSources>>
  before(async () => {
    sources = await startEventSources()
  })
  after(() => sources?.[Symbol.asyncDispose]())

  for (const column of COLUMNS)
    test(`is what was seen through ${column.name}`, { timeout: 3 * DEADLINE_MS }, async (t) => {
      using files = new TemporaryFiles()
      const port = await portForRestarts()
      const start = () =>
        startPubsub({
          server: {
            port,
            backlog: { size: 1_000, storage: join(files.directory, 'events') },
            cors: { origins: [sources.origin] },
          },
          clients: {
            payloaders: [PUBLISHER, '127.0.0.1'],
            ...(column.proxy === null ? {} : { trust_proxy: ['127.0.0.1'] }),
          },
        })
      await using proxy =
        column.proxy === null ? null : await startProxy(column.proxy, port, column.changes)
      const at = (directly: RunningServer): Reached => ({
        directly,
        through: reached(proxy === null ? directly : { ...directly, port: proxy.port }, {
          isTls: proxy !== null,
          keepsChunks: proxy === null,
        }),
      })
      let server = await start()
      try {
        for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
          const following = await follow(sources.clients, at(server), `/${signal}`)
          await server.stop(signal)
          await following.haveAskedAgain()
          await server[Symbol.asyncDispose]()
          server = await start()
          for (const { name, outcome } of await following.outcomes(server))
            note(`${name} EventSource, pubsubd ends by ${signal}`, column.name, outcome)
        }
        const now = at(server)
        await answersThrough(now)
        for (const [row, look] of Object.entries(THERE))
          note(
            row,
            column.name,
            await yesOr(
              () => look(now),
              (text) => t.diagnostic(`${row}: ${text}`),
            ),
          )
        await server.stop('SIGKILL')
        for (const [row, look] of Object.entries(AWAY)) note(row, column.name, await look(now))
      } finally {
        await server[Symbol.asyncDispose]()
      }
    })
})

test('docs/proxies.md shows what was seen', { skip }, () => {
  const table = tableOf(cells)
  const page = readFileSync(PAGE, 'utf8')
  const [head, rest = ''] = page.split(BEGIN)
  const [shown, tail = ''] = rest.split(END)
  if (process.env['WRITE_TABLES'] === '1')
    writeFileSync(PAGE, `${head}${BEGIN}${table}${END}${tail}`)
  else assert.equal(shown, table, 'WRITE_TABLES=1 writes what was seen')
})

function tableOf(seen: ReadonlyMap<string, string>): string {
  const columns = COLUMNS.map(({ name }) => name)
  const rows = [...new Set([...seen.keys()].map((key) => key.split('|', 1)[0]!))]
  const lines = [
    ['between client and server', ...columns],
    ['---', ...columns.map(() => '---')],
    ...rows.map((row) => [row, ...columns.map((column) => seen.get(`${row}|${column}`) ?? '')]),
  ]
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n')
}

/** Clients that have had the first event of a topic. */
async function follow(
  clients: readonly EventSourceClient[],
  { through, directly }: Reached,
  topic: string,
) {
  await answersThrough({ through })
  const all = await Promise.all(
    clients.map(async (client) => ({
      name: client.name,
      following: await client.follow(through.url + topic),
    })),
  )
  const until = (isEnough: (fired: readonly Fired[]) => boolean) =>
    Promise.all(all.map(({ following }) => following.until(isEnough)))
  await until((fired) => fired.some(({ type }) => type === 'open'))
  await publish(directly, topic, { n: 1 })
  await until((fired) => fired.some(({ n }) => n === 1))
  return {
    /** Each was cut, and has asked once in vain, or will never again. */
    haveAskedAgain: () =>
      until(
        (fired) =>
          fired.some(({ hasGivenUp }) => hasGivenUp) ||
          fired.filter(({ type }) => type === 'error').length >= 2,
      ),
    /** What each is told by the server that has started again. */
    async outcomes(server: RunningServer) {
      for (const last of [2, 3]) {
        await publish(server, topic, { n: last })
        await until((fired) => fired.some(({ hasGivenUp, n }) => hasGivenUp || n === last))
      }
      return Promise.all(
        all.map(async ({ name, following }) => {
          const fired = await following.fired()
          await following[Symbol.asyncDispose]()
          const numbers = fired.flatMap(({ n }) => n ?? []).join()
          if (fired.some(({ hasGivenUp }) => hasGivenUp)) return { name, outcome: 'gives up' }
          return { name, outcome: numbers === '1,2,3' ? 'misses nothing' : `sees ${numbers}` }
        }),
      )
    },
  }
}

/** Once the proxy asks the server again, which some do only after they have seen that it is there. */
async function answersThrough({ through }: Pick<Reached, 'through'>): Promise<void> {
  while ((await askOver(through, '/', { method: 'HEAD' })).status !== 204);
}

/** Where the log ends: what is published from now on is behind it. */
async function cursorOfNow({ url }: RunningServer): Promise<string> {
  return (await fetch(url, { method: 'HEAD' })).headers.get('x-pubsub-cursor')!
}

async function yesOr(look: () => Promise<void>, tell: (why: string) => void): Promise<string> {
  try {
    await look()
    return 'yes'
  } catch (error) {
    tell(String(error))
    return 'no'
  }
}

async function statusOf(
  { through }: Reached,
  headers: Readonly<Record<string, string>>,
  method = 'GET',
): Promise<string> {
  try {
    const body = method === 'PUT' ? { body: '{}' } : {}
    return String((await askOver(through, '/away', { method, headers, ...body })).status)
  } catch {
    return 'not at all'
  }
}

let topics = 0

async function plainForm({ through, directly }: Reached): Promise<void> {
  const topic = `/plain-${++topics}`
  const live = askOver(through, `${topic}?count=1&cursor=${await cursorOfNow(directly)}`)
  await publish(directly, topic, { n: 1 })
  const [event] = eventsOf((await live).text)
  assert.equal(event?.n, 1)
  await publish(directly, topic, { n: 2 })
  const replay = await askOver(through, `${topic}?since=all&until=0s`)
  assert.deepEqual(
    eventsOf(replay.text).map(({ n }) => n),
    [1, 2],
  )
  const resumed = await askOver(through, `${topic}?until=0s`, {
    headers: { 'X-Fetch-Since-Cursor': event.pubsub_cursor },
  })
  assert.deepEqual(
    eventsOf(resumed.text).map(({ n }) => n),
    [2],
  )
}

function eventsOf(text: string): { n: number; pubsub_cursor: string }[] {
  const lines = text.split('\n').filter((line) => line.includes('pubsub_topics'))
  return lines.map((line) => JSON.parse(line))
}

async function otherForm(
  { through, directly }: Reached,
  form: (typeof FORMS)[number],
): Promise<void> {
  const topic = `/form-${++topics}`
  await using live = await FormReader.open(through, form, topic)
  await live.next()
  await publish(directly, topic, { n: 1 })
  const { payload, cursor } = await live.event()
  assert.equal(payload['n'], 1)
  await publish(directly, topic, { n: 2 })
  await using replay = await FormReader.open(through, form, `${topic}?since=all`)
  assert.equal((await replay.event()).payload['n'], 1)
  assert.equal((await replay.event()).payload['n'], 2)
  await using resumed = await FormReader.open(through, form, topic, `Last-Event-ID: ${cursor}`)
  assert.equal((await resumed.event()).payload['n'], 2)
}

async function eightStreams({ through, directly }: Reached): Promise<void> {
  const session = connectHttp2(through.url, { ca: FIRST.certPem })
  session.on('error', () => {})
  try {
    await once(session, 'connect')
    const target = `/h2?cursor=${await cursorOfNow(directly)}`
    const streams = Array.from({ length: 8 }, () => session.request({ ':path': target }))
    // A proxy that leaves some of them waiting never answers those.
    const signal = AbortSignal.timeout(20_000)
    await Promise.all(streams.map((stream) => once(stream, 'response', { signal })))
    const seen = streams.map(async (stream) => {
      let text = ''
      for await (const piece of stream) if ((text += String(piece)).includes('"n":1')) return
      assert.fail('the stream has ended')
    })
    await publish(directly, '/h2', { n: 1 })
    await Promise.all(seen)
  } finally {
    session.destroy()
  }
}

async function wait({ through, directly }: Reached): Promise<void> {
  const vain = await askOver(through, '/wait?timeout=100ms')
  assert.equal(vain.status, 504)
  assert.match(vain.text, /^no event came within the timeout/)
  const target = `/wait?count=1&timeout=1h&cursor=${await cursorOfNow(directly)}`
  const waiting = askOver(through, target)
  await publish(directly, '/wait', { n: 1 })
  const { status, text } = await waiting
  assert.equal(status, 200)
  assert.deepEqual(
    eventsOf(text).map(({ n }) => n),
    [1],
  )
}

async function refusals({ through }: Reached): Promise<void> {
  for (const [target, status, text] of [
    ['/a?count=x', 400, /^count must be a number/],
    ['/-/nothing', 404, /^there is no such page/],
    ['/a?timeout=1ms', 504, /^no event came/],
  ] as const)
    for (const accept of ['*/*', 'text/event-stream']) {
      const answer = await askOver(through, target, { headers: { Accept: accept } })
      assert.equal(answer.status, status)
      assert.match(answer.text, text)
    }
}

async function addresses({ through }: Reached): Promise<void> {
  const put = (from: string, headers = {}) =>
    askOver(through, '/a', { method: 'PUT', body: '{}', from, headers })
  assert.equal((await put(PUBLISHER)).status, 202)
  assert.equal((await put('127.0.0.3')).status, 403)
  assert.equal((await put('127.0.0.3', { 'X-Forwarded-For': PUBLISHER })).status, 403)
}

async function origin({ through }: Reached): Promise<void> {
  const page = await askOver(through, '/-/', { headers: { Accept: 'text/html' } })
  assert.equal(page.status, 200)
  const own = `http://127.0.0.1:${through.port}` // what the server knows of itself by `Host`
  for (const [from, status] of [
    [own, 202],
    ['http://elsewhere.example.org', 403],
  ] as const) {
    const headers = { Origin: from }
    const answer = await askOver(through, '/a', {
      method: 'PUT',
      body: '{}',
      from: PUBLISHER,
      headers,
    })
    assert.equal(answer.status, status)
  }
}
