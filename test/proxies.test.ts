import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { loadSettings } from '../src/config/load.ts'
import { missing } from './programs.ts'
import { FIRST } from './config/certificates.ts'
import { TemporaryFiles } from './config/temporary-files.ts'
import { PROXIES, startProxy } from './http/proxy.ts'
import { get, startPubsub } from './http/requests.ts'
import { wayThrough } from './http/way-proxies.ts'
import { askOver, sharedOver } from './http/ways.ts'

const DOCS = fileURLToPath(new URL('../docs', import.meta.url))
const PAGE = readFileSync(join(DOCS, 'proxies.md'), 'utf8')

test('the settings of docs/proxies.md are accepted without a warning', () => {
  using files = new TemporaryFiles()
  const [, text] = /```yaml\n# pubsub.yaml\n(.*?)```/s.exec(PAGE) ?? []
  assert.deepEqual(loadSettings(files.write('pubsub.yaml', text!)).warnings, [])
})

test('every file that docs/proxies.md links to is there', () => {
  const links = [...PAGE.matchAll(/\]\(([^)#:]+)\)/g)].map(([, target]) => target!)
  assert.ok(links.length > 0)
  for (const link of links) assert.ok(existsSync(join(DOCS, link)), link)
})

describe('nginx with the shipped configuration', { skip: missing('nginx') }, () => {
  const PUBLISHER = '127.0.0.2'
  const PAGES = 'https://pubsub.example.org'
  const server = sharedOver(wayThrough(PROXIES.nginx), {
    server: { max_payload_size: 1_000_000, cors: { origins: [PAGES] } },
    clients: { payloaders: [PUBLISHER] },
  })
  const put = (options: Partial<Parameters<typeof askOver>[2]>) =>
    askOver(server(), '/a', { method: 'PUT', body: '{}', ...options })
  const publishFrom = (origin: string) => put({ from: PUBLISHER, headers: { Origin: origin } })

  test('lets those publish whose address is listed, whatever others claim', async () => {
    assert.equal((await put({ from: PUBLISHER })).status, 202)
    assert.equal((await put({ from: '127.0.0.3' })).status, 403)
    const forged = { 'X-Forwarded-For': PUBLISHER }
    assert.equal((await put({ from: '127.0.0.3', headers: forged })).status, 403)
  })

  test('lets pages of the listed origin publish, and no others', async () => {
    assert.equal((await publishFrom(PAGES)).status, 202)
    assert.equal((await publishFrom('https://elsewhere.example.org')).status, 403)
  })

  test('leaves it to the server to refuse a batch that is too large', async () => {
    const { status, text } = await put({
      from: PUBLISHER,
      headers: { 'Content-Type': 'application/x-ndjson' },
      body: '{}\n'.repeat(2_800_000),
    })
    assert.equal(status, 400)
    assert.match(text, /limits\.batch_bytes/)
  })

  test('carries more streams on one connection of HTTP/2 than a browser has connections', async () => {
    const session = connectHttp2(server().url, { ca: FIRST.certPem })
    try {
      const streams = Array.from({ length: 8 }, () => session.request({ ':path': '/h2' }))
      const texts = streams.map(() => '')
      const seen = streams.map((stream, i) =>
        untilText(stream, (text) => (texts[i] += text).includes('"n": 1')),
      )
      await Promise.all(streams.map((stream) => once(stream, 'response')))
      await askOver(server(), '/h2', { method: 'PUT', body: '{"n": 1}', from: PUBLISHER })
      await Promise.all(seen)
    } finally {
      session.destroy()
    }
  })

  test('cuts an event into chunks of its own, which no reader may take for lines', async () => {
    await using client = await server().connect()
    client.send(get('/large'))
    await client.head()
    await client.chunk() // the first keep-alive
    const text = 'x'.repeat(500_000)
    await askOver(server(), '/large', {
      method: 'PUT',
      body: JSON.stringify({ text }),
      from: PUBLISHER,
    })
    let chunks = 0
    let event = ''
    while (!event.endsWith('}\n') || !event.includes('pubsub_topics')) {
      event += await client.chunk()
      chunks++
    }
    assert.ok(chunks > 1)
    assert.equal(JSON.parse(event.slice(event.indexOf('{"text"'))).text, text)
  })

  test('with a read timeout below that of a wait, answers with a page of its own', async () => {
    await using impatient = await startPubsub({ clients: { trust_proxy: ['127.0.0.1'] } })
    await using nginx = await startProxy(PROXIES.nginx, impatient.port, {
      'proxy_read_timeout 61m': 'proxy_read_timeout 1s',
    })
    const reached = { url: `https://127.0.0.1:${nginx.port}`, isTls: true }
    const ofNginx = await askOver(reached, '/wait?timeout=30s')
    assert.equal(ofNginx.status, 504)
    assert.match(ofNginx.text, /<html>/)
    const ofServer = await askOver(reached, '/wait?timeout=100ms')
    assert.equal(ofServer.status, 504)
    assert.match(ofServer.text, /^no event came within the timeout/)
  })
})

/** Resolves once what a stream has brought is enough. */
async function untilText(
  stream: AsyncIterable<Buffer>,
  isEnough: (text: string) => boolean,
): Promise<void> {
  for await (const piece of stream) if (isEnough(piece.toString())) return
  assert.fail('the stream has ended')
}
