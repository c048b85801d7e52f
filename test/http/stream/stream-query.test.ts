import assert from 'node:assert/strict'
import type { IncomingHttpHeaders } from 'node:http'
import { test } from 'node:test'
import fc from 'fast-check'
import { streamQuery } from '../../../src/http/stream/stream-query.ts'

const NOW_MS = 1_700_000_000_000
const LIMITS = { countMax: 1_000, timeoutMsMax: 3_600_000, topicsMax: 3 }

function query(target: string, headers: IncomingHttpHeaders = {}) {
  return streamQuery(target, headers, LIMITS, (ms) => NOW_MS - ms)
}

test('a path alone asks for nothing, and so does a query of names that are not known or have no value', () => {
  const nothing = query('/a')
  assert.deepEqual(new Set(Object.values(nothing).flat()), new Set([null]))
  for (const text of [
    '?',
    '?x=1',
    '?cursor=&since=&until=&count=&timeout=&where=&without=',
    '?Count=7',
  ])
    assert.deepEqual(query(`/a${text}`), nothing, text)
})

test('which parameters are given is known, beside the headers that say the same', () => {
  const headers = { 'x-fetch-since': '1', 'x-fetch-since-cursor': 'x', 'last-event-id': 'y' }
  assert.deepEqual(query('/a?x=1&where=', headers).parameters, [])
  assert.deepEqual(query('/a?without=,&%63ursor=c&on_gap=live', headers).parameters, [
    'cursor',
    'on_gap',
    'without',
  ])
})

test('a time is seconds since 1970, how long ago, or a date; since also takes all', () => {
  for (const [text, ms] of [
    ['0', 0],
    ['1588132959.613', 1_588_132_959_613],
    ['10m', NOW_MS - 600_000],
    ['1.5h', NOW_MS - 5_400_000],
    ['2026-11-20T10:00:00Z', Date.UTC(2026, 10, 20, 10)],
    ['2026-11-20T10:00:00.250Z', Date.UTC(2026, 10, 20, 10) + 250],
    ['2026-11-20T10:00+02:00', Date.UTC(2026, 10, 20, 8)],
    ['2026-11-20t10:00:00z', Date.UTC(2026, 10, 20, 10)],
  ] as const)
    for (const name of ['since', 'until'] as const)
      assert.equal(query(`/a?${name}=${text}`)[`${name}Ms`], ms, `${name}=${text}`)
  assert.equal(query('/a?since=all').sinceMs, -Infinity)
  assert.throws(() => query('/a?until=all'), { code: 'BAD_QUERY' })
})

test('a time that we have shown ourselves is read as it was', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4e12 }), (ms) =>
      assert.equal(query(`/a?since=${ms / 1_000}`).sinceMs, ms),
    ),
  )
})

test('what a parameter cannot be is refused by its name, with what it may be', () => {
  for (const [text, message] of [
    ['since=yesterday', /^since must be seconds since 1970, a duration such as 10m/],
    [
      'since=1700000000000',
      /^since must be in seconds since 1970, and this looks like milliseconds/,
    ],
    ['until=2026-02-31T10:00:00Z', /^until must be/],
    ['until=2026-11-20', /^until must be/],
    ['count=0', /^count must be a number from 1 to 1000 \(limits.count\)/],
    ['count=1001', /^count must/],
    ['count=1.5', /^count must/],
    ['count=-1', /^count must/],
    ['timeout=0', /^timeout must be a duration such as 30s, of at most 3600 s/],
    ['timeout=3601', /^timeout must/],
    ['timeout=1.2.3', /^timeout must/],
    ['on_gap=', /^on_gap must be oldest, live or fail/],
    ['on_gap=Oldest', /^on_gap must/],
    ['without=a,b,c,d', /^without has 4 topics, the limit is 3 \(limits.topics\)/],
    ['count=1&count=2', /^count is given 2 times/],
  ] as const)
    assert.throws(() => query(`/a?${text}`), { code: 'BAD_QUERY', message })
})

test('a count and a timeout are read up to their limits', () => {
  assert.equal(query('/a?count=1000').count, 1_000)
  for (const [text, ms] of [
    ['30', 30_000],
    ['0.5', 500],
    ['250ms', 250],
    ['1h', 3_600_000],
  ] as const)
    assert.equal(query(`/a?timeout=${text}`).timeoutMs, ms)
})

test('unwanted topics are distinct and in one order, so that equal wishes are equal', () => {
  assert.deepEqual(query('/a?without=b,a,,b,').without, ['a', 'b'])
  assert.deepEqual(query('/a?without=%C3%A9,a%20b').without, ['a b', 'é'])
})

test('the cursor of a header counts before that of the query, and that of PyPubSub before that of a browser', () => {
  const target = '/a?cursor=query'
  assert.equal(query(target).cursor, 'query')
  assert.equal(query(target, { 'last-event-id': 'browser' }).cursor, 'browser')
  const both = { 'last-event-id': 'browser', 'x-fetch-since-cursor': 'pypubsub' }
  assert.equal(query(target, both).cursor, 'pypubsub')
  // Of two headers of a name Node makes one, and the first of them counts.
  assert.equal(query('/a', { 'x-fetch-since-cursor': 'one, two' }).cursor, 'one')
})

test('X-Fetch-Since is a number of seconds, and whatever is none is 0', () => {
  for (const [text, ms] of [
    ['1588132959.6', 1_588_132_959_600],
    [' 5 ', 5_000],
    ['yesterday', 0],
    ['', null],
    ['1e3', 0],
  ] as const)
    assert.equal(query('/a', { 'x-fetch-since': text }).sinceMs, ms, text)
})

test('whatever stands in a query, it is read or refused, and nothing else happens', () => {
  const name = fc.constantFrom(
    'cursor',
    'since',
    'until',
    'count',
    'timeout',
    'without',
    'where',
    'on_gap',
  )
  const value = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('1e999', '-5', '5d', '%zz', '9999-12-31T23:59:59Z', '+', 'NaN', '0x10'),
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 4 }), fc.string(), (parts, tail) => {
      const text = parts.map(([key, each]) => `${key}=${each}`).join('&')
      try {
        const { sinceMs, untilMs, count, timeoutMs } = query(`/a?${text}#${tail}`)
        for (const number of [sinceMs, untilMs, count, timeoutMs])
          assert.ok(number === null || !Number.isNaN(number))
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'BAD_QUERY', String(error))
      }
    }),
  )
})
