import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { clientContract, type ListenOptions, type PubsubClient } from './client-contract.ts'
import type { ClientProcess } from './client-process.ts'
import { CuttableProxy } from './cuttable-proxy.ts'
import { PYTHON, missing } from '../programs.ts'
import {
  ASFPY_LINE_BYTES,
  newTopic,
  portForRestarts,
  publish,
  READER,
  sharedPubsub,
  startPubsub,
  streamsOpen,
} from './pubsub-server.ts'
import { listenWith, publishWith } from './script-client.ts'

const publishing: PubsubClient['publish'] = async (url, payload, options) => {
  const [answer] = await publishWith(PYTHON, 'requests_publish.py', url, payload, options)
  return answer!
}

const listen = (url: string, options?: ListenOptions) =>
  listenWith(PYTHON, 'asfpy_listen.py', url, options)

const COMES_BACK = 'it comes back for ever (see below)'

/** Nothing that PyPubSub would not say: its user would get it as an event. */
async function onlyKeepAlivesBefore(n: number, listener: ClientProcess): Promise<void> {
  for (;;) {
    const { json } = await listener.line()
    if (json['n'] === n) return
    assert.deepEqual(Object.keys(json), ['stillalive'])
  }
}

clientContract("asfpy's listen()", missing('asfpy'), {
  listen,
  publish: publishing,
  trusting: (certificate) => ({ SSL_CERT_FILE: certificate }),
  cannot: {
    askForReplaySinceTime: 'it sends no X-Fetch-Since',
    askForReplaySinceCursor: 'it sends the cursor only when it reconnects (see below)',
    end: COMES_BACK,
  },
})

describe("asfpy's listen(), further", { skip: missing('asfpy'), concurrency: 4 }, () => {
  test('twice its promise is the longest line that it reads', async () => {
    await using server = await startPubsub()
    await using listener = await listen(`${server.url}/a`).opened()
    // aiohttp takes twice the `read_bufsize` that asfpy asks for. The rest is what the server adds.
    const text = 'x'.repeat(2 * ASFPY_LINE_BYTES - 300)
    await publish(server, '/a', { text })
    await publish(server, '/a', { n: 'next' })
    assert.equal((await listener.event()).json['text'], text)
    assert.deepEqual(await listener.numbers(1), ['next'])
  })

  test('after a restart of the server it goes on by itself', async () => {
    const port = await portForRestarts()
    await using first = await startPubsub({ port })
    await using listener = await listen(`${first.url}/a`).opened()
    await publish(first, '/a', { n: 1 })
    assert.deepEqual(await listener.numbers(1), [1])
    await first.stop()
    await using second = await startPubsub({ port })
    await streamsOpen(second, 1)
    await publish(second, '/a', { n: 2 })
    await onlyKeepAlivesBefore(2, listener)
  })

  test('after a cut of its connection it gets what it missed, by its cursor', async () => {
    await using server = await startPubsub()
    await using proxy = await CuttableProxy.to(server.port)
    const url = `http://127.0.0.1:${proxy.port}/a`
    await using reader = await listen(url, READER).opened()
    await using anonymous = await listen(url).opened()
    await publish(server, '/a', { n: 1 })
    assert.deepEqual(await reader.numbers(1), [1])
    assert.deepEqual(await anonymous.numbers(1), [1])
    proxy.cut()
    await publish(server, '/a', { n: 2 })
    await publish(server, '/private/svn/a', { n: 3 })
    await publish(server, '/a', { n: 4 })
    proxy.goOn()
    await publish(server, '/a', { n: 5 })
    assert.deepEqual(await reader.numbers(4), [2, 3, 4, 5])
    assert.deepEqual(await anonymous.numbers(3), [2, 4, 5])
  })
})

const attach = (url: string, options?: ListenOptions & { raw?: boolean; since?: number }) =>
  listenWith(PYTHON, 'asfpy_listener.py', url, options)

clientContract("asfpy's Listener", missing('asfpy'), {
  listen(url, { headers = {}, ...options } = {}) {
    const since = headers['X-Fetch-Since']
    return attach(url, { ...options, ...(since === undefined ? {} : { since: Number(since) }) })
  },
  publish: publishing,
  trusting: (certificate) => ({ REQUESTS_CA_BUNDLE: certificate }),
  cannot: { askForReplaySinceCursor: 'it knows only times', end: COMES_BACK },
})

describe("asfpy's Listener, further", { skip: missing('asfpy'), concurrency: 4 }, () => {
  const server = sharedPubsub()

  test('without raw it hands over what is in the member `payload`', async () => {
    const topic = newTopic()
    await publish(server(), `/${topic}`, { payload: { n: 1 } })
    await publish(server(), `/${topic}`, { n: 2 })
    await using listener = attach(`${server().url}/${topic}`, { raw: false, since: 0 })
    assert.deepEqual((await listener.line()).json, { n: 1 })
    await publish(server(), `/${topic}`, { payload: { n: 3 } })
    assert.deepEqual((await listener.line()).json, { n: 3 })
  })

  test('as an old-school user agent it hears as well', async () => {
    await using oldSchool = await startPubsub({ oldschooler: 'python/asfpy' })
    await using listener = await attach(`${oldSchool.url}/a`).opened()
    await publish(oldSchool, '/a', { n: 1 })
    await publish(oldSchool, '/a', { n: 2 })
    assert.deepEqual(await listener.numbers(2), [1, 2])
  })

  test('after a restart of the server it goes on by itself, though after 10 seconds', async () => {
    const port = await portForRestarts()
    await using first = await startPubsub({ port })
    await using listener = await attach(`${first.url}/a`).opened()
    await publish(first, '/a', { n: 1 })
    assert.deepEqual(await listener.numbers(1), [1])
    await first.stop()
    await using second = await startPubsub({ port })
    await streamsOpen(second, 1)
    await publish(second, '/a', { n: 2 })
    await onlyKeepAlivesBefore(2, listener)
  })
})
