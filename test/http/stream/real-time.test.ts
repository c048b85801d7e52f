import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { DEADLINE_MS } from '../../deadline.ts'
import { startInProcess } from '../../in-process-server.ts'
import { shared } from '../../shared.ts'
import { RawClient } from '../raw-client.ts'
import { get, put, sharedPubsub, streamsLeft } from '../requests.ts'
import { EVENTS, flood, stopReading } from '../stopped-reader.ts'
import { tlsSection } from '../tls-section.ts'

/** Between keep-alives, in ms; that it is 5 s by default is tested with their wheel. */
const KEEP_ALIVE_MS = 200

/** Its times are short, so that nothing has to be waited for. */
function started(settings: {
  readonly server?: Readonly<Record<string, unknown>>
  readonly clients?: Readonly<Record<string, unknown>>
  readonly limits?: Readonly<Record<string, unknown>>
}) {
  return startInProcess({
    config: JSON.stringify({
      server: { bind: '127.0.0.1', port: 0, ...settings.server },
      clients: { payloaders: ['127.0.0.1'], ...settings.clients },
      limits: settings.limits ?? {},
    }),
    times: { keepAliveMs: KEEP_ALIVE_MS },
  })
}

const server = shared(() =>
  started({ server: { tls: tlsSection() }, clients: { oldschoolers: ['svnwcsub'] } }),
)
const forgetful = sharedPubsub()
/** Looks at a stalled stream with every keep-alive. */
const keeping = shared(() =>
  started({ server: { backlog: { size: 1_000 } }, limits: { stall_timeout: 0.1 } }),
)

/** When the first sign of life came and the next two, in seconds by the server's own clock. */
async function signsOfLife(stream: RawClient, first: number): Promise<readonly number[]> {
  const times = [first]
  while (times.length < 3) {
    const { json, isControl } = await stream.line()
    if (isControl) times.push(json.stillalive)
  }
  return times
}

/** One after the other: how far apart is tested with the wheel, as it depends on how busy the machine is. */
function assertPeriods(times: readonly number[]): void {
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  )
  assert.equal(new Set(times).size, times.length)
}

/** Of a stream that has been asked for. */
async function firstSign(stream: RawClient): Promise<number> {
  await stream.head()
  return (await stream.line()).json.stillalive
}

describe('what takes its time', { concurrency: true }, () => {
  test('a silent stream shows a sign of life at once, and then again and again', async () => {
    await using stream = await RawClient.open(server().port)
    stream.send(get('/nothing'))
    assertPeriods(await signsOfLife(stream, await firstSign(stream)))
  })

  test('so does one over TLS', async () => {
    await using stream = await RawClient.open(server().tlsPort!, { tls: true })
    stream.send(get('/nothing'))
    assertPeriods(await signsOfLife(stream, await firstSign(stream)))
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
    const times = await signsOfLife(stream, first)
    over.abort()
    await publishing
    assertPeriods(times)
  })

  test('a subscriber that never reads again is cut off soon after it was closed as slow', async () => {
    await using stopped = await stopReading(forgetful())
    await flood(forgetful(), 0, EVENTS)
    await streamsLeft(forgetful(), 0)
    const closed = once(stopped.socket, 'close', { signal: AbortSignal.timeout(DEADLINE_MS) })
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
    await streamsLeft(keeping(), 0)
  })
})
