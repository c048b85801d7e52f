import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { chromium, type Page } from 'playwright-core'
import { DEADLINE_MS } from '../deadline.ts'
import { missing } from '../programs.ts'

/** What fired at an EventSource. */
export interface Fired {
  readonly type: 'open' | 'message' | 'error'
  readonly n?: number
  /** It will not come back. */
  readonly hasGivenUp: boolean
}

/** A client of server-sent events that knows nothing of pubsubd. */
export interface EventSourceClient {
  readonly name: string
  follow(url: string): Promise<Following>
}

export abstract class Following implements AsyncDisposable {
  abstract fired(): Promise<readonly Fired[]>
  abstract [Symbol.asyncDispose](): Promise<void>

  async until(isEnough: (fired: readonly Fired[]) => boolean): Promise<void> {
    const deadlineMs = performance.now() + DEADLINE_MS
    for (;;) {
      const fired = await this.fired()
      if (isEnough(fired)) return
      assert.ok(performance.now() < deadlineMs, `only ${JSON.stringify(fired)} has fired`)
      await setTimeout(50)
    }
  }
}

/** Chromium, with a page of an origin of its own, and packages of npm. */
export async function startEventSources(): Promise<
  AsyncDisposable & { readonly origin: string; readonly clients: readonly EventSourceClient[] }
> {
  assert.equal(missing('chromium'), false)
  await using starting = new AsyncDisposableStack()
  const site = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>site</title>')
  }).listen(0, '127.0.0.1')
  starting.defer(() => {
    site.closeAllConnections()
    site.close()
  })
  await once(site, 'listening')
  const origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
    timeout: DEADLINE_MS,
  })
  starting.defer(() => browser.close())
  const inChromium: EventSourceClient = {
    name: "Chromium's",
    async follow(url) {
      const page = await browser.newPage({ ignoreHTTPSErrors: true })
      page.setDefaultTimeout(DEADLINE_MS)
      await page.goto(origin)
      await page.evaluate(`
        globalThis.fired = []
        const source = new EventSource(${JSON.stringify(url)})
        for (const type of ['open', 'message', 'error'])
          source.addEventListener(type, ({ data }) => {
            const n = type === 'message' ? { n: JSON.parse(data).n } : {}
            fired.push({ type, ...n, hasGivenUp: source.readyState === 2 })
          })
      `)
      return new OfPage(page)
    },
  }
  const processes = starting.use(new AsyncDisposableStack())
  const clients = [inChromium, ofPackage('eventsource', processes), ofPackage('undici', processes)]
  const ends = starting.move()
  return { origin, clients, [Symbol.asyncDispose]: () => ends.disposeAsync() }
}

class OfPage extends Following {
  readonly #page: Page

  constructor(page: Page) {
    super()
    this.#page = page
  }

  override fired(): Promise<Fired[]> {
    return this.#page.evaluate('fired')
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.#page.close()
  }
}

/** `ends`: of processes that nobody has ended before, as a test has failed. */
function ofPackage(name: string, ends: AsyncDisposableStack): EventSourceClient {
  return {
    name: `npm ${name}'s`,
    follow: (url) => Promise.resolve(ends.use(new OfProcess(name, url))),
  }
}

class OfProcess extends Following {
  readonly #fired: Fired[] = []
  readonly #process
  readonly #closed: Promise<unknown>

  constructor(library: string, url: string) {
    super()
    const script = fileURLToPath(new URL('event_source.mjs', import.meta.url))
    this.#process = spawn(process.execPath, [script, library, url], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: '0' },
    })
    this.#closed = once(this.#process, 'close')
    createInterface(this.#process.stdout).on('line', (line) => this.#fired.push(JSON.parse(line)))
  }

  override fired(): Promise<readonly Fired[]> {
    return Promise.resolve(this.#fired)
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#closed
  }
}
