import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { get, publish, request, streamsLeft } from '../requests.ts'
import { askOver, sharedOver, type ReachedServer, type Way } from '../ways.ts'

const DAY_MS = 86_400_000

/** What every way to the server leaves of bounded waits and ranges. */
export function waitContract(way: Way): void {
  describe(way.name, { skip: way.missing }, () => {
    const server = sharedOver(way, {
      server: { backlog: { size: 1_000 } },
      limits: { count: 100, timeout: '1h' },
    })
    const ask = (target: string, headers = {}) => askOver(server(), target, { headers })

    describe('a wait', () => {
      test('in vain is answered with 504 and one line, and nothing is sent before', async () => {
        const { status, text } = await ask('/in-vain?timeout=100ms')
        assert.equal(status, 504)
        assert.match(text, /^no event came within the timeout; .*\n$/)
        const problem = await ask('/in-vain?timeout=100ms', { Accept: 'application/problem+json' })
        assert.equal(JSON.parse(problem.text).code, 'NO_EVENT')
      })

      test('ends with the event that it was for, and has no other line', async () => {
        const waiting = ask('/for-one?count=1&timeout=1m')
        await streamsOpen(server(), 1)
        await publish(server(), '/for-one', { n: 1 })
        const { status, text } = await waiting
        assert.equal(status, 200)
        assert.deepEqual(numbers(text), [1])
        assert.equal(text.trim().split('\n').length, 1)
      })

      test('that had some of its events says at its deadline that it is over, and where it was', async () => {
        const cursor = await cursorOfNow(server())
        await publish(server(), '/some', { n: 1 })
        const { status, text } = await ask(`/some?cursor=${cursor}&count=2&timeout=500ms`)
        assert.equal(status, 200)
        assert.deepEqual(numbers(text), [1])
        const { closing } = JSON.parse(text.trim().split('\n').at(-1)!)
        assert.equal(closing.reason, 'timeout')
        await publish(server(), '/some', { n: 2 })
        assert.deepEqual(numbers((await ask(`/some?cursor=${closing.cursor}&count=1`)).text), [2])
      })

      test('is free of races with a cursor that was taken before: what came in between counts', async () => {
        const cursor = await cursorOfNow(server())
        await publish(server(), '/race', { n: 1 })
        const { text } = await ask(`/race?cursor=${cursor}&count=1&timeout=10s`)
        assert.deepEqual(numbers(text), [1])
      })

      if (way.noticesDepartures)
        test('is over when its client vanishes', async () => {
          await using client = await server().connect()
          client.send(get('/vanishing?timeout=1m'))
          await streamsOpen(server(), 1)
          client.reset()
          await streamsLeft(server(), 0)
        })
    })

    describe('a range', () => {
      test('that is over ends by itself, whole, with the events of its time', async () => {
        await publish(server(), '/range', { n: 1 })
        const { headers } = await publish(server(), '/range', { n: 2 })
        const { status, text } = await ask('/range?since=all&until=0s')
        assert.equal(status, 200)
        assert.deepEqual(numbers(text), [1, 2])
        assert.equal(headers['x-pubsub-cursor']?.length, 36)
        assert.deepEqual(numbers((await ask('/range?since=all&until=1d')).text), [])
        const tomorrow = new Date(Date.now() + DAY_MS).toISOString()
        assert.deepEqual(numbers((await ask(`/range?since=${tomorrow}&until=0s`)).text), [])
      })

      test('that is not over ends when it is, without what comes later', async () => {
        const until = new Date(Date.now() + 700).toISOString()
        const waiting = ask(`/ahead?since=0s&until=${until}`)
        await streamsOpen(server(), 1)
        await publish(server(), '/ahead', { n: 1 })
        assert.deepEqual(numbers((await waiting).text), [1])
        await publish(server(), '/ahead', { n: 2 })
        const exact = await ask(`/ahead?since=all&until=${until}`)
        assert.deepEqual(numbers(exact.text), [1])
      })

      test('without events is an answer, not a failure, even with a timeout', async () => {
        const { status, text } = await ask('/nothing?since=all&until=0s&timeout=10s')
        assert.equal(status, 200)
        assert.deepEqual(numbers(text), [])
      })
    })

    describe('a query', () => {
      for (const [query, message] of [
        ['count=0', /^count must be a number from 1 to 100 \(limits\.count\)/],
        ['count=101', /^count must be/],
        ['count=1e1', /^count must be/],
        [
          'timeout=2h',
          /^timeout must be a duration such as 30s, of at most 3600 s \(limits\.timeout\)/,
        ],
        ['timeout=soon', /^timeout must be/],
        ['since=yesterday', /^since must be seconds since 1970, a duration/],
        ['since=2026-02-31T00:00:00Z', /^since must be seconds since 1970, a duration/],
        ['since=2026-11-20T24:01:00Z', /^since must be/],
        [
          'since=1795785384000',
          /^since must be in seconds since 1970, and this looks like millise/,
        ],
        ['until=1795785384000', /^until must be in seconds/],
        ['until=all', /^until must be/],
        ['since=1&since=2', /^since is given 2 times/],
        ['where=a%20%3D%3D', /^where: .* at column \d+/],
      ] as const)
        test(`of ${query} is refused, and told why`, async () => {
          const { status, text } = await ask(`/a?${query}`)
          assert.equal(status, 400)
          assert.match(text, message)
        })

      test('whose fields are empty, or unknown, asks for nothing', async () => {
        await using client = await server().connect()
        client.send(get('/a?since=&count=&timeout=&until=&without=&where=&cursor=&x=1'))
        assert.equal((await client.head()).status, 200)
        assert.deepEqual(Object.keys((await client.line()).json), ['stillalive'])
      })
    })
  })
}

function numbers(text: string): unknown[] {
  const lines = text.split('\n').filter((line) => line.includes('pubsub_topics'))
  return lines.map((line) => JSON.parse(line).n)
}

async function cursorOfNow(server: ReachedServer): Promise<string> {
  await using client = await server.connect()
  const { headers } = await client.ask(request('HEAD', '/'))
  return headers['x-pubsub-cursor']!
}

/** Resolves once so many streams are open. */
async function streamsOpen(server: ReachedServer, count: number): Promise<void> {
  await using client = await server.connect()
  for (;;) {
    const { headers } = await client.ask(request('HEAD', '/'))
    if (Number(headers['x-subscribers']) >= count) return
  }
}
