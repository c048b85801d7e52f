import assert from 'node:assert/strict'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { test } from 'node:test'
import { DEADLINE_MS } from '../deadline.ts'
import { startServer, type RunningServer } from '../running-server.ts'
import { exportedLines, Workplace } from './log-command.ts'

function config(storage: string): string {
  return `
server: {bind: 127.0.0.1, port: 0, backlog: {size: 100000, storage: ${storage}}}
clients: {payloaders: [127.0.0.1]}
`
}

/** The cursor of the event. */
async function publish({ url }: RunningServer, n: number): Promise<string> {
  const answer = await fetch(`${url}/t`, { method: 'PUT', body: `{"n": ${n}}` })
  assert.equal(answer.status, 202)
  return answer.headers.get('X-Pubsub-Cursor')!
}

/** What a stream that goes on behind a cursor brings, up to its first sign of life without more to say. */
async function resumed({ url }: RunningServer, cursor: string): Promise<string> {
  const aborter = new AbortController()
  const answer = await fetch(`${url}/t?on_gap=oldest`, {
    headers: { 'X-Fetch-Since-Cursor': cursor },
    signal: AbortSignal.any([aborter.signal, AbortSignal.timeout(DEADLINE_MS)]),
  })
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of answer.body!) {
    text += decoder.decode(chunk, { stream: true })
    if (/^\{"stillalive": [\d.]+\}$/m.test(text)) break
  }
  aborter.abort()
  return text
}

function numbers(stream: string): number[] {
  return [...stream.matchAll(/^\{"n": (\d+)/gm)].map(([, n]) => Number(n))
}

test('a copy of a busy store is whole, and holds all that was acknowledged before', async () => {
  using place = new Workplace()
  await place.store('events.pubsubd', exportedLines(0, 50_000))
  await using server = await startServer({ config: config(place.path('events')) })
  const over = new AbortController()
  let acknowledged = 0
  const publishers = Array.from({ length: 8 }, async () => {
    while (!over.signal.aborted) {
      await publish(server, 1)
      acknowledged++
    }
  })
  try {
    for (let round = 0; round < 3; round++) {
      const before = acknowledged
      const out = await place.output('backup', `copy-${round}`, '--store', 'events.pubsubd')
      assert.equal(out, `copied events.pubsubd to copy-${round}\n`)
      const verified = await place.output('verify', '--store', `copy-${round}`)
      const [, count] = /^(\d+) events as they were written, no damage found$/m.exec(verified)!
      assert.ok(Number(count) >= Math.min(100_000, 50_000 + before), `${count} of ${before}`)
    }
  } finally {
    over.abort()
    await Promise.all(publishers)
  }
})

test('a restored copy knows the cursors of its events, and tells a gap to who has seen later ones', async () => {
  using place = new Workplace()
  let first, second, later
  {
    await using server = await startServer({ config: config(place.path('events')) })
    first = await publish(server, 1)
    second = await publish(server, 2)
    await place.output('backup', 'copy.pubsubd', '--store', 'events.pubsubd')
    later = await publish(server, 3)
  }
  await using restored = await startServer({ config: config(place.path('copy')) })
  assert.doesNotMatch(restored.output(), /lost|damaged|was in use/)
  const behindFirst = await resumed(restored, first)
  assert.deepEqual(numbers(behindFirst), [2])
  assert.match(behindFirst, new RegExp(second))
  assert.doesNotMatch(behindFirst, /"gap"/)
  assert.match(await resumed(restored, later), /"gap"/)
  const fourth = await publish(restored, 4)
  assert.ok(![first, second, later].includes(fourth))
  const behindSecond = await resumed(restored, second)
  assert.deepEqual(numbers(behindSecond), [4])
  assert.match(await resumed(restored, later), /"gap"/)
})

test('a copy never overwrites anything, and nobody else can read it', async () => {
  using place = new Workplace()
  await place.store('s', exportedLines(0, 10))
  place.write('file', 'precious')
  for (const target of ['file', 's', '.']) {
    const { code, err } = await place.run(['backup', target, '--store', 's'])
    assert.equal(code, 1)
    assert.match(err, /exists already; a copy gets a new directory of its own/)
  }
  await place.output('backup', 'copy', '--store', 's')
  assert.equal(statSync(place.path('copy')).mode & 0o777, 0o700)
})

test('a copy that cannot be finished leaves nothing behind', async () => {
  using place = new Workplace()
  await place.store('s', exportedLines(0, 10))
  const nowhere = await place.run(['backup', 'no/such/place', '--store', 's'])
  assert.equal(nowhere.code, 1)
  assert.match(nowhere.err, /^pubsubd log backup: ENOENT/)
  assert.ok(!existsSync(place.path('no')))
})

test('of a copy that was killed it is said that it is one', async () => {
  using place = new Workplace()
  await place.store('s', exportedLines(0, 10))
  mkdirSync(place.path('copy'))
  place.write('copy/events.db.unfinished', '')
  const { code, err } = await place.run(['backup', 'copy', '--store', 's'])
  assert.equal(code, 1)
  assert.match(err, /copy holds a copy that was not finished: remove it, or name another\n$/)
})
