import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { RawClient } from '../raw-client.ts'
import { get, put, request, sharedPubsub, streamsLeft } from '../requests.ts'
import { EVENTS, flood, stopReading } from '../stopped-reader.ts'
import { tlsSection } from '../tls-section.ts'

const server = sharedPubsub({
  server: { tls: tlsSection() },
  clients: { oldschoolers: ['svnwcsub'] },
})
const forgetful = sharedPubsub()
/** Looks at a stalled stream with every keep-alive. */
const keeping = sharedPubsub({
  server: { backlog: { size: 1_000 } },
  limits: { stall_timeout: 0.1 },
})

/** Seconds between the first sign of life and the next two, by the server's own clock. */
async function keepAliveGaps(stream: RawClient, first: number): Promise<readonly number[]> {
  const times = [first]
  while (times.length < 3) {
    const { json, isControl } = await stream.line()
    if (isControl) times.push(json.stillalive)
  }
  return times.slice(1).map((time, i) => time - times[i]!)
}

function assertPeriods(gaps: readonly number[]): void {
  for (const gap of gaps) assert.ok(gap >= 4.7 && gap <= 5.6, `${gap} s`)
}

/** Of a stream that has been asked for. */
async function firstSign(stream: RawClient): Promise<number> {
  await stream.head()
  const sentS = Date.now() / 1_000
  const { json } = await stream.line()
  assert.ok(Math.abs(json.stillalive - sentS) < 0.5, 'at once')
  return json.stillalive
}

describe('what takes its time', { concurrency: true }, () => {
  test('a silent stream shows a sign of life every 5 s', async () => {
    await using stream = await RawClient.open(server().port)
    stream.send(get('/nothing'))
    assertPeriods(await keepAliveGaps(stream, await firstSign(stream)))
  })

  test('so does one over TLS', async () => {
    await using stream = await RawClient.open(server().tlsPort!, { tls: true })
    stream.send(get('/nothing'))
    assertPeriods(await keepAliveGaps(stream, await firstSign(stream)))
  })

  test('so does an old-school one, with a NUL', async () => {
    await using stream = await RawClient.open(server().port)
    stream.send(get('/nothing', 'User-Agent: svnwcsub'))
    await stream.head()
    await stream.line()
    assert.match((await stream.line()).text, /^\{"stillalive": .*\}\n\0$/)
  })

  test('so does a busy one, counted from its own first, not from the events', async () => {
    await using stream = await RawClient.open(server().port)
    stream.send(get('/busy'))
    const first = await firstSign(stream)
    const over = new AbortController()
    const publishing = (async () => {
      await using publisher = await RawClient.open(server().port)
      while (!over.signal.aborted)
        assert.equal((await publisher.ask(put('/busy', '{}'))).status, 202)
    })()
    const gaps = await keepAliveGaps(stream, first)
    over.abort()
    await publishing
    assertPeriods(gaps)
  })

  test('a refused body that is still coming after 10 s is not waited for', async () => {
    await using client = await RawClient.open(server().port)
    client.send(request('PUT', '/-/a', { headers: ['Content-Length: 1000'] }))
    assert.equal((await client.answer()).status, 400)
    const startMs = performance.now()
    const drip = setInterval(() => client.send('x'), 500)
    try {
      // Nothing more is answered, so twice the usual patience is needed.
      await client.rest().catch(() => client.rest())
    } finally {
      clearInterval(drip)
    }
    const seconds = (performance.now() - startMs) / 1_000
    assert.ok(seconds > 9 && seconds < 13, `${seconds} s`)
  })

  test('a subscriber that never reads again is cut off soon after it was closed as slow', async () => {
    await using stopped = await stopReading(forgetful())
    await flood(forgetful(), 0, EVENTS)
    await streamsLeft(forgetful(), 0)
    const closed = once(stopped.socket, 'close', { signal: AbortSignal.timeout(9_000) })
    // Who does not read learns of it only when it writes.
    const drip = setInterval(() => stopped.send('x'), 100)
    try {
      await assert.rejects(closed, { syscall: 'write' })
    } finally {
      clearInterval(drip)
    }
  })

  test('a subscriber that takes no byte for limits.stall_timeout is closed, though all is kept', async () => {
    await using _stopped = await stopReading(keeping())
    await flood(keeping(), 0, EVENTS)
    await using client = await RawClient.open(keeping().port)
    const before = await client.ask(request('HEAD', '/'))
    assert.equal(before.headers['x-subscribers'], '1')
    await streamsLeft(keeping(), 0, 20_000)
  })
})
