import assert from 'node:assert/strict'
import type { IncomingHttpHeaders } from 'node:http'
import { test } from 'node:test'
import { startOf } from '../../../src/http/stream/resume.ts'
import { streamQuery } from '../../../src/http/stream/stream-query.ts'
import { Hub } from '../../../src/hub/hub.ts'
import type { Rights } from '../../../src/hub/rights.ts'
import { MemoryEventLog } from '../../../src/log/memory/memory-event-log.ts'
import { publication } from '../../contracts/event-log.ts'
import { appendTo } from '../../log/append-to.ts'

const UNKNOWN = 'f02b4908-755f-4455-a215-d1627f190110'

const EVERYTHING: Rights = { key: 'everything', seesNothing: false, maySee: () => true }

function start(hub: Hub, headers: IncomingHttpHeaders, target = '/a', rights = EVERYTHING) {
  const limits = { countMax: 1, timeoutMsMax: 1, topicsMax: 1 }
  return startOf(
    streamQuery(target, headers, limits, (ms) => hub.timeAgo(ms)),
    hub,
    rights,
  )
}

/** Five events, of which the newest two are kept. */
async function openHub() {
  const log = new MemoryEventLog({ eventsMax: 2, maxAgeMs: 0, bytesMax: 1e9 })
  const hub = new Hub(log, {
    queueBytesMax: 1e6,
    stallTimeoutMs: 1e6,
    topicFiltersMax: 10,
    conditionsMax: 10,
  })
  const events = await appendTo(
    log,
    [1, 2, 3, 4, 5].map((n) => publication('/a', { n })),
  )
  const [first, , third, fourth, fifth] = events.map(({ cursor, position }) => ({
    cursor,
    position,
  }))
  const ask = async (cursor: string, query = '') =>
    start(hub, { 'x-fetch-since-cursor': cursor }, `/a${query}`)
  return { hub, ask, first: first!, third: third!, fourth: fourth!, fifth: fifth! }
}

test('a kept cursor goes on behind its event, whatever is said about gaps', async () => {
  const { ask, fourth, fifth } = await openHub()
  for (const query of ['', '?on_gap=fail', '?on_gap=oldest', '?x=1&on_gap=live#y'])
    for (const { cursor, position } of [fourth, fifth])
      assert.deepEqual(await ask(cursor, query), { from: position, gap: null })
})

test('by default an expired cursor is told and an unknown one is not, and neither brings a replay', async () => {
  const { hub, ask, first } = await openHub()
  const { from, gap } = await ask(first.cursor)
  assert.equal(gap?.reason, 'expired')
  assert.deepEqual(hub.resolve(gap.cursor), { type: 'found', at: hub.head })
  assert.equal(from, 'head')
  assert.deepEqual(await ask(UNKNOWN), { from: 'head', gap: null })
})

test('by default an event that is no longer kept brings no replay, though all after it are kept', async () => {
  const { ask, third } = await openHub()
  assert.equal((await ask(third.cursor)).gap?.reason, 'expired')
  assert.deepEqual(await ask(third.cursor, '?on_gap=fail'), { from: third.position, gap: null })
})

test('on_gap=oldest goes on with the oldest kept event, and tells the gap', async () => {
  const { hub, ask, first, third } = await openHub()
  for (const [cursor, reason] of [
    [first.cursor, 'expired'],
    [UNKNOWN, 'foreign'],
  ] as const) {
    const { from, gap } = await ask(cursor, '?on_gap=oldest')
    assert.equal(from, third.position)
    assert.equal(gap?.reason, reason)
    assert.deepEqual(hub.resolve(gap.cursor), { type: 'found', at: third.position })
  }
})

test('on_gap=live goes on with what is to come, and tells the gap', async () => {
  const { hub, ask } = await openHub()
  const { from, gap } = await ask(UNKNOWN, '?on_gap=live')
  assert.equal(from, hub.head)
  assert.equal(gap?.reason, 'foreign')
})

test('on_gap=fail refuses a stream with a gap, and says what to do', async () => {
  const { ask, first } = await openHub()
  await assert.rejects(ask(first.cursor, '?on_gap=fail'), {
    code: 'GONE',
    message: /no longer kept.*on_gap=oldest/,
  })
  await assert.rejects(ask(UNKNOWN, '?on_gap=fail'), { code: 'GONE', message: /not of this log/ })
})

test('any other on_gap is refused', async () => {
  const { ask, fourth } = await openHub()
  for (const query of ['?on_gap=', '?on_gap=Live', '?on_gap=drop'])
    await assert.rejects(ask(fourth.cursor, query), {
      code: 'BAD_QUERY',
      message: 'on_gap must be oldest, live or fail',
    })
})

test('an unknown cursor leaves the decision to the time', async () => {
  const { hub, fourth } = await openHub()
  const headers = { 'x-fetch-since-cursor': UNKNOWN, 'x-fetch-since': '0' }
  assert.deepEqual(await start(hub, headers), { from: hub.beforeOldest, gap: null })
  assert.deepEqual(await start(hub, { ...headers, 'x-fetch-since-cursor': fourth.cursor }), {
    from: fourth.position,
    gap: null,
  })
})

test('a time is a number of seconds, with a fraction if need be; anything else is 0', async () => {
  const { hub } = await openHub()
  const from = async (since: string) => (await start(hub, { 'x-fetch-since': since })).from
  for (const since of ['0', '-1', '1.5', '.5', 'abc', '0x10', '1e3', 'Infinity', 'NaN'])
    assert.equal(await from(since), hub.beforeOldest, since)
  assert.equal(await from('99999999999'), hub.head)
  assert.equal(await from(''), 'head')
})
