import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { publish, startPubsub } from '../http/requests.ts'
import { CHROMIUM_MISSING } from './programs.ts'

/** A browser that takes longer has failed, in ms. */
const DEADLINE_MS = 60_000

/** A site of one page, whose script calls `tell` with what came of it. */
async function startSite() {
  let script = ''
  const told = Promise.withResolvers<unknown>()
  const site = createServer((request, response) => {
    if (request.method === 'POST') told.resolve(text(request).then((body) => JSON.parse(body)))
    response.setHeader('Content-Type', 'text/html')
    response.end(
      `<script>const tell = (told) => fetch('/', { method: 'POST', body: JSON.stringify(told) });${script}</script>`,
    )
  }).listen(0, '127.0.0.1')
  await once(site, 'listening')
  const origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`
  return {
    origin,
    /** What the script tells when a browser visits. */
    async visit(visited: string): Promise<unknown> {
      script = visited
      const profile = mkdtempSync(join(tmpdir(), 'pubsubd-chromium-'))
      const words = ['--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${profile}`]
      const browser = spawn('chromium', [...words, '--remote-debugging-pipe', origin], {
        stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
      })
      const deadline = setTimeout(
        () => told.reject(new Error('the page told nothing')),
        DEADLINE_MS,
      )
      try {
        return await told.promise
      } finally {
        clearTimeout(deadline)
        const exited = once(browser, 'exit')
        browser.kill('SIGKILL')
        await exited
        rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
      }
    },
    [Symbol.asyncDispose]: async () => {
      site.closeAllConnections()
      site.close()
      await once(site, 'close')
    },
  }
}

/** A script that tells what a WebSocket brought, once it is closed. */
function listening(url: string): string {
  return `const events = []
    const socket = new WebSocket(${JSON.stringify(url)})
    socket.onmessage = ({ data }) => { if ('pubsub_topics' in JSON.parse(data)) events.push(JSON.parse(data).text) }
    socket.onclose = ({ code, reason, wasClean }) => tell({ events, code, reason, wasClean })`
}

describe('a page in Chromium', { skip: CHROMIUM_MISSING }, () => {
  test('follows a topic by a WebSocket, and learns why it ended', async () => {
    await using site = await startSite()
    await using server = await startPubsub({
      server: { backlog: { size: 10 }, cors: { origins: [site.origin] } },
    })
    for (const each of ['é☃', 'b']) await publish(server, '/a', { text: each })
    const url = `ws://127.0.0.1:${server.port}/a?since=all&count=2`
    assert.deepEqual(await site.visit(listening(url)), {
      events: ['é☃', 'b'],
      code: 1000,
      reason: 'finished',
      wasClean: true,
    })
  })

  test('of an origin that nobody has listed gets none', async () => {
    await using site = await startSite()
    await using server = await startPubsub({ server: { backlog: { size: 10 } } })
    await publish(server, '/a', { text: 'a' })
    const url = `ws://127.0.0.1:${server.port}/a?since=all&count=1`
    assert.deepEqual(await site.visit(listening(url)), {
      events: [],
      code: 1006,
      reason: '',
      wasClean: false,
    })
  })
})
