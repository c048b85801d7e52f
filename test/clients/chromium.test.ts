import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { after, before, describe, test } from 'node:test'
import { chromium, type Browser, type Page } from 'playwright-core'
import { DEADLINE_MS } from '../deadline.ts'
import { TemporaryFiles } from '../config/temporary-files.ts'
import { publish, startPubsub } from '../http/requests.ts'
import { CuttableProxy } from './cuttable-proxy.ts'
import { missing } from '../programs.ts'
import { portForRestarts } from './pubsub-server.ts'

const USERS = { alice: { password: 'wonderland', acl: { fruit: ['fruits'] } } }

const SNIPPET = readFileSync(new URL('../../clients/listen.mjs', import.meta.url))

/** A site with an empty page, and the listener to copy. */
async function startSite() {
  const site = createServer(({ url }, response) => {
    const isSnippet = url === '/listen.mjs'
    response.setHeader('Content-Type', isSnippet ? 'text/javascript' : 'text/html')
    response.end(isSnippet ? SNIPPET : '<!doctype html><title>site</title>')
  }).listen(0, '127.0.0.1')
  await once(site, 'listening')
  return {
    origin: `http://127.0.0.1:${(site.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      site.closeAllConnections()
      site.close()
      await once(site, 'close')
    },
  }
}

/** A script whose value is what a WebSocket brought, once it is closed. */
function webSocket(url: string): string {
  return `new Promise((resolve) => {
    const events = []
    const socket = new WebSocket(${JSON.stringify(url)})
    socket.onmessage = ({ data }) => { if ('pubsub_topics' in JSON.parse(data)) events.push(JSON.parse(data).text) }
    socket.onclose = ({ code, reason, wasClean }) => resolve({ events, code, reason, wasClean })
  })`
}

/** What fired so far, in order; of a message its number and the browser's last event id. */
function fired(page: Page): Promise<{ type: string; n?: number; id?: string }[]> {
  return page.evaluate('fired')
}

/** Numbers of the messages so far. */
async function numbers(page: Page) {
  return (await fired(page)).flatMap(({ n }) => n ?? [])
}

function follow(page: Page, url: string, options: object = {}): Promise<unknown> {
  return page.evaluate(`
    globalThis.fired = []
    const source = new EventSource(${JSON.stringify(url)}, ${JSON.stringify(options)})
    for (const type of ['open', 'opened', 'message', 'gap', 'closing', 'error'])
      source.addEventListener(type, ({ data, lastEventId }) =>
        fired.push(type === 'message' ? { type, n: JSON.parse(data).n, id: lastEventId } : { type }))
  `)
}

/** Follows it by the module of the site, with its cursor in the storage of the page. */
function listenBySnippet(page: Page, url: string): Promise<unknown> {
  return page.evaluate(`(async () => {
    const { listen } = await import('/listen.mjs')
    globalThis.heard = []
    globalThis.kept = []
    globalThis.warned = []
    globalThis.failed = null
    const options = {
      cursor: localStorage.getItem('cursor'),
      keep: (cursor) => { localStorage.setItem('cursor', cursor); kept.push(cursor) },
      warn: (text) => warned.push(text),
    }
    void (async () => {
      for await (const event of listen(${JSON.stringify(url)}, options)) heard.push(event)
    })().catch((error) => (failed = error))
  })()`)
}

async function untilHeard(page: Page, wanted: readonly number[]): Promise<void> {
  await page.waitForFunction(`heard.length >= ${wanted.length}`)
  assert.deepEqual(await page.evaluate('heard.map(({ n }) => n)'), wanted)
}

async function untilFired(page: Page, type: string, times = 1): Promise<void> {
  await page.waitForFunction(
    `fired.filter((each) => each.type === ${JSON.stringify(type)}).length >= ${times}`,
  )
}

/** A script whose value is the status and the numbers that NDJSON brought, or the name of the error. */
function ndjson(url: string, options: object = {}): string {
  const asking = { headers: { Accept: 'application/x-ndjson' }, ...options }
  return `(async () => {
    const response = await fetch(${JSON.stringify(url)}, ${JSON.stringify(asking)})
    let text = ''
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) text += piece
    const lines = text.trim().split('\\n').map((line) => JSON.parse(line))
    return { status: response.status, numbers: lines.filter((line) => 'pubsub_topics' in line).map(({ n }) => n) }
  })().catch(({ name }) => name)`
}

describe('a page in Chromium', { skip: missing('chromium') }, () => {
  let browser: Browser
  before(async () => {
    browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu'],
      timeout: DEADLINE_MS,
    })
  })
  after(() => browser?.close())

  /** A page of that origin, in a profile of its own. */
  async function visit(origin: string): Promise<Page> {
    const page = await browser.newPage()
    page.setDefaultTimeout(DEADLINE_MS)
    await page.goto(origin)
    return page
  }

  describe('by an EventSource', () => {
    test('follows a topic of a server that lists its origin', async () => {
      await using site = await startSite()
      await using server = await startPubsub({ server: { cors: { origins: [site.origin] } } })
      await using page = await visit(site.origin)
      await follow(page, `${server.url}/a`)
      await untilFired(page, 'opened')
      for (const n of [1, 2]) await publish(server, '/a', { n })
      await untilFired(page, 'message', 2)
      assert.deepEqual(
        (await fired(page)).map(({ type, n }) => n ?? type),
        ['open', 'opened', 1, 2],
      )
    })

    test('gets nothing from a server that does not list its origin', async () => {
      await using site = await startSite()
      await using server = await startPubsub({
        server: { backlog: { size: 10 }, cors: { origins: ['https://elsewhere.example.org'] } },
      })
      await publish(server, '/a', { n: 1 })
      await using page = await visit(site.origin)
      await follow(page, `${server.url}/a?since=all`)
      await untilFired(page, 'error')
      assert.deepEqual(await fired(page), [{ type: 'error' }])
    })

    test('misses nothing and sees nothing twice when the server is stopped, then killed', async () => {
      await using site = await startSite()
      using files = new TemporaryFiles()
      const config = await restartable(files, site.origin)
      await using page = await visit(site.origin)
      {
        await using server = await startPubsub(config)
        await follow(page, `${server.url}/a`)
        await untilFired(page, 'opened')
        for (const n of [1, 2]) await publish(server, '/a', { n })
        await untilFired(page, 'message', 2)
        await server.stop('SIGTERM')
        // Not for the farewell: Chromium may drop the end of an answer that is cut off (see docs/streams.md).
        await untilFired(page, 'error')
      }
      {
        await using server = await startPubsub(config)
        await publish(server, '/a', { n: 3 })
        await untilFired(page, 'message', 3)
        await publish(server, '/a', { n: 4 })
        await untilFired(page, 'message', 4)
        await server.stop('SIGKILL')
      }
      await using server = await startPubsub(config)
      await publish(server, '/a', { n: 5 })
      await untilFired(page, 'message', 5)
      assert.deepEqual(await numbers(page), [1, 2, 3, 4, 5])
      const all = await fired(page)
      assert.equal(new Set(all.flatMap(({ id }) => id ?? [])).size, 5)
      assert.ok(!all.some(({ type }) => type === 'gap'))
    })

    test('is told of a keep-alive by its own name only, and comes back with its id', async () => {
      await using site = await startSite()
      await using server = await startPubsub({
        server: { backlog: { size: 10 }, cors: { origins: [site.origin] } },
      })
      await using proxy = await CuttableProxy.to(server.port)
      await using page = await visit(site.origin)
      await follow(page, `http://127.0.0.1:${proxy.port}/a`)
      await untilFired(page, 'opened')
      await publish(server, '/a', { n: 1 })
      await untilFired(page, 'message')
      const answeredBefore = proxy.answered.length
      await publish(server, '/b', { n: 2 })
      const id = await heard(() =>
        /event: stillalive\nid: (\S+)\n/.exec(proxy.answered.slice(answeredBefore)),
      )
      assert.deepEqual(
        (await fired(page)).map(({ type }) => type),
        ['open', 'opened', 'message'],
      )
      assert.notEqual(id, (await fired(page)).at(-1)!.id)
      proxy.cut()
      proxy.goOn()
      assert.equal(await heard(() => /^last-event-id: (\S+)/im.exec(proxy.asked)), id)
      await publish(server, '/a', { n: 3 })
      await untilFired(page, 'message', 2)
      assert.deepEqual(await numbers(page), [1, 3])
    })
  })

  test('reads NDJSON by fetch, as far as its origin may', async () => {
    await using site = await startSite()
    await using stranger = await startSite()
    await using server = await startPubsub(
      { server: { backlog: { size: 10 }, cors: { origins: [site.origin] } } },
      USERS,
    )
    await publish(server, '/fruits', { n: 1 })
    await publish(server, '/private/fruits', { n: 2 })
    const url = `${server.url}/fruits?since=all&until=0s`
    await using listed = await visit(site.origin)
    assert.deepEqual(await listed.evaluate(ndjson(url)), { status: 200, numbers: [1] })
    const Authorization = `Basic ${Buffer.from('alice:wonderland').toString('base64')}`
    const headers = { Accept: 'application/x-ndjson', Authorization }
    const asAlice = ndjson(`${server.url}/private/fruits?since=all&until=0s`, {
      headers,
      credentials: 'include',
    })
    assert.deepEqual(await listed.evaluate(asAlice), { status: 200, numbers: [2] })
    await using other = await visit(stranger.origin)
    assert.equal(await other.evaluate(ndjson(url)), 'TypeError')
    assert.equal(await other.evaluate(asAlice), 'TypeError')
  })

  test('follows a topic by a WebSocket, and learns why it ended', async () => {
    await using site = await startSite()
    await using server = await startPubsub({
      server: { backlog: { size: 10 }, cors: { origins: [site.origin] } },
    })
    for (const each of ['é☃', 'b']) await publish(server, '/a', { text: each })
    await using page = await visit(site.origin)
    const url = `ws://127.0.0.1:${server.port}/a?since=all&count=2`
    assert.deepEqual(await page.evaluate(webSocket(url)), {
      events: ['é☃', 'b'],
      code: 1000,
      reason: 'finished',
      wasClean: true,
    })
  })

  test('with clients/listen.mjs misses nothing when the server is stopped, then killed, and when it is loaded again', async () => {
    await using site = await startSite()
    using files = new TemporaryFiles()
    const config = await restartable(files, site.origin)
    await using page = await visit(site.origin)
    {
      await using server = await startPubsub(config)
      await listenBySnippet(page, `${server.url}/a`)
      await page.waitForFunction(`localStorage.getItem('cursor') !== null`)
      await publish(server, '/a', { n: 1 })
      await untilHeard(page, [1])
      await server.stop('SIGTERM')
    }
    {
      await using server = await startPubsub(config)
      await publish(server, '/a', { n: 2 })
      await untilHeard(page, [1, 2])
      await server.stop('SIGKILL')
    }
    await using server = await startPubsub(config)
    await publish(server, '/a', { n: 3 })
    await untilHeard(page, [1, 2, 3])
    await page.waitForFunction('kept.includes(heard.at(-1).pubsub_cursor)')
    await page.goto(site.origin)
    await publish(server, '/a', { n: 4 })
    await listenBySnippet(page, `${server.url}/a`)
    await publish(server, '/a', { n: 5 })
    await untilHeard(page, [4, 5])
  })

  test('with clients/listen.mjs is told of a gap, and of a refusal', async () => {
    await using site = await startSite()
    await using server = await startPubsub({
      server: { backlog: { size: 10 }, cors: { origins: [site.origin] } },
    })
    await publish(server, '/a', { n: 1 })
    await using page = await visit(site.origin)
    await page.evaluate(`localStorage.setItem('cursor', crypto.randomUUID())`)
    await listenBySnippet(page, `${server.url}/a`)
    await untilHeard(page, [1])
    assert.deepEqual(await page.evaluate('warned'), ['events are missing: foreign'])
    await listenBySnippet(page, `${server.url}/a?where=)`)
    await page.waitForFunction('failed !== null')
    assert.match(String(await page.evaluate('failed.message')), /^400: where: /)
  })

  test('of an origin that nobody has listed gets no WebSocket', async () => {
    await using site = await startSite()
    await using server = await startPubsub({ server: { backlog: { size: 10 } } })
    await publish(server, '/a', { text: 'a' })
    await using page = await visit(site.origin)
    const url = `ws://127.0.0.1:${server.port}/a?since=all&count=1`
    assert.deepEqual(await page.evaluate(webSocket(url)), {
      events: [],
      code: 1006,
      reason: '',
      wasClean: false,
    })
  })
})

/** The group of a match, once there is one. */
async function heard(match: () => RegExpExecArray | null): Promise<string> {
  const deadlineMs = performance.now() + DEADLINE_MS
  for (;;) {
    const found = match()
    if (found !== null) return found[1]!
    assert.ok(performance.now() < deadlineMs, 'nothing of the kind was heard')
    await setTimeout(50)
  }
}

/** Of a server that keeps its events and its port, and that the pages of an origin may use. */
async function restartable({ directory }: TemporaryFiles, origin: string) {
  const backlog = { size: 100, storage: join(directory, 'events') }
  return { server: { port: await portForRestarts(), backlog, cors: { origins: [origin] } } }
}
