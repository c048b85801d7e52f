import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { BoundsRequest } from '../../src/hub/bounds.ts'
import type { Position, PublishedEvent } from '../../src/hub/event.ts'
import type { Closing } from '../../src/hub/encoding.ts'
import { Hub } from '../../src/hub/hub.ts'
import type { EventPredicate } from '../../src/hub/predicate.ts'
import { PUBLIC_ONLY, type Rights } from '../../src/hub/rights.ts'
import { MemoryEventLog } from '../../src/log/memory/memory-event-log.ts'
import { publication } from '../contracts/event-log.ts'
import { byteRequest, PLAIN, RecordingKernel, RecordingSink } from './recording-sink.ts'

const START = 0 as Position

function openHub({
  eventsMax = 10_000,
  queueBytesMax = 10_000,
  topicFiltersMax = 1_000,
  conditionsMax = 1_000,
  kernel = new RecordingKernel(),
} = {}) {
  const log = new MemoryEventLog({ eventsMax, maxAgeMs: 0, bytesMax: 1e9 })
  const options = { queueBytesMax, stallTimeoutMs: 10_000, topicFiltersMax, conditionsMax }
  const hub = new Hub(log, options, kernel.fanOut())
  return {
    hub,
    log,
    publish: async (...paths: string[]) => {
      await hub.publish(paths.map((path) => publication(path)))
    },
    subscribe: (
      path: string,
      {
        sink = new RecordingSink(),
        rights = PUBLIC_ONLY,
        from = 'head',
        conditions = [],
        holdsOpening = false,
        bounds,
      }: {
        sink?: RecordingSink
        rights?: Rights
        from?: Position | 'head'
        conditions?: readonly EventPredicate[]
        holdsOpening?: boolean
        bounds?: BoundsRequest
      } = {},
    ) => {
      const topics = path.split('/').filter((topic) => topic !== '')
      const privateOnly = topics[0] === 'private'
      const wants = [{ topics: privateOnly ? topics.slice(1) : topics, privateOnly }]
      const opening = Buffer.from('open\n')
      const subscription = hub.subscribe(
        byteRequest({
          wants,
          conditions,
          rights,
          from,
          encoding: PLAIN,
          sink,
          opening,
          holdsOpening,
          ...(bounds && { bounds }),
        }),
      )
      return { subscription, sink }
    },
    [Symbol.dispose]: () => hub[Symbol.dispose](),
  }
}

const seesAll: Rights = { key: 'all', seesNothing: false, maySee: () => true }

test('a subscriber gets what matches from the moment it subscribed, after a sign of life', async () => {
  using opened = openHub()
  await opened.publish('/fruits/before')
  const { sink } = opened.subscribe('/fruits')
  await opened.publish('/fruits/apples', '/nuts', '/apples/fruits')
  assert.deepEqual(sink.allLines, ['open', 'alive', '/fruits/apples {}', '/apples/fruits {}'])
})

test('a subscription to fruits/apples does not see an event on fruits', async () => {
  using opened = openHub()
  const { sink } = opened.subscribe('/fruits/apples')
  await opened.publish('/fruits')
  assert.deepEqual(sink.lines, ['open'])
})

test('an event is sent once to a subscriber however many of its filters match', async () => {
  using opened = openHub()
  const sink = new RecordingSink()
  opened.hub.subscribe(
    byteRequest({
      wants: [
        { topics: ['a'], privateOnly: false },
        { topics: ['b'], privateOnly: false },
        { topics: ['a', 'b'], privateOnly: false },
      ],
      rights: PUBLIC_ONLY,
      from: 'head',
      encoding: PLAIN,
      sink,
      opening: Buffer.alloc(0),
    }),
  )
  await opened.publish('/a/b')
  assert.deepEqual(sink.lines, ['/a/b {}'])
})

test('subscribers with the same wishes get a round in one write each', async () => {
  using opened = openHub()
  const sinks = [1, 2, 3].map(() => opened.subscribe('/fruits').sink)
  const before = sinks.map((sink) => sink.writes)
  await opened.publish('/fruits/1', '/fruits/2', '/fruits/3')
  assert.deepEqual(
    sinks.map((sink, i) => sink.writes - before[i]!),
    [1, 1, 1],
  )
  for (const sink of sinks)
    assert.deepEqual(sink.lines.slice(1), ['/fruits/1 {}', '/fruits/2 {}', '/fruits/3 {}'])
})

test('a subscriber that closes gets nothing more, and the others miss nothing', async () => {
  using opened = openHub()
  const [one, two, three] = [1, 2, 3].map(() => opened.subscribe('/a'))
  two!.subscription.close()
  await opened.publish('/a')
  assert.deepEqual(
    [one, two, three].map((peer) => peer!.sink.lines.length),
    [2, 1, 2],
  )
  assert.equal(opened.hub.subscriberCount, 2)
})

test('a replay comes before the first sign of life, and then the stream is live', async () => {
  using opened = openHub()
  await opened.publish('/a/1', '/b', '/a/2')
  const { sink } = opened.subscribe('/a', { from: START })
  await sink.until((lines) => lines.includes('alive'))
  await opened.publish('/a/3')
  assert.deepEqual(sink.allLines, ['open', '/a/1 {}', '/a/2 {}', 'alive', '/a/3 {}'])
})

test('a long replay that is overtaken by new events loses none and repeats none', async () => {
  using opened = openHub()
  const text = 'x'.repeat(200)
  await opened.hub.publish(Array.from({ length: 3_000 }, (_, n) => publication('/a', { n, text })))
  const { sink } = opened.subscribe('/a', { from: START })
  for (let n = 3_000; n < 3_200; n++) await opened.hub.publish([publication('/a', { n, text })])
  await sink.until((lines) => lines.length >= 3_202)
  const numbers = sink.lines.slice(1).map((line) => JSON.parse(line.slice(3)).n)
  assert.deepEqual(
    numbers,
    Array.from({ length: 3_200 }, (_, n) => n),
  )
})

test('a replay goes on only as fast as its peer takes bytes', async () => {
  using opened = openHub({ eventsMax: 100_000 })
  const text = 'x'.repeat(1_000)
  await opened.hub.publish(Array.from({ length: 5_000 }, (_, n) => publication('/a', { n, text })))
  const sink = new RecordingSink({ isReading: false, highWaterBytes: 16_384 })
  const { subscription } = opened.subscribe('/a', { from: START, sink })
  for (let i = 0; i < 100; i++) await turn()
  assert.ok(sink.queuedBytes < 200_000, `${sink.queuedBytes} bytes are queued`)
  while (!sink.allLines.includes('alive')) {
    sink.drain()
    subscription.drained()
    await turn()
  }
  assert.equal(sink.lines.length, 5_001)
})

test('a subscriber that falls behind catches up from the log, is live again, and misses nothing', async () => {
  using opened = openHub({ queueBytesMax: 10_000 })
  const sink = new RecordingSink({ isReading: false })
  const { subscription } = opened.subscribe('/a', { sink })
  const healthy = opened.subscribe('/a').sink
  const publishOne = (n: number) =>
    opened.hub.publish([publication('/a', { n, text: 'x'.repeat(3_000) })])
  const readUntil = async (count: number) => {
    for (let i = 0; i < 200 && sink.lines.length < count; i++) {
      sink.drain()
      subscription.drained()
      await turn()
    }
    sink.drain()
    subscription.drained()
  }
  for (let n = 0; n < 50; n++) await publishOne(n)
  assert.ok(sink.queuedBytes <= 10_000, `${sink.queuedBytes} bytes are queued`)
  assert.equal(healthy.lines.length, 51)
  await readUntil(51)
  for (let n = 50; n < 100; n++) await publishOne(n)
  await readUntil(101)
  const numbers = sink.lines.slice(1).map((line) => JSON.parse(line.slice(3)).n)
  assert.deepEqual(
    numbers,
    Array.from({ length: 100 }, (_, n) => n),
  )
})

test('a subscriber that falls behind without a log to serve it is closed as slow, and the others miss nothing', async () => {
  using opened = openHub({ eventsMax: 0, queueBytesMax: 10_000 })
  const { sink } = opened.subscribe('/a', { sink: new RecordingSink({ isReading: false }) })
  const healthy = opened.subscribe('/a').sink
  const text = 'x'.repeat(3_000)
  for (let n = 0; n < 10; n++) await opened.hub.publish([publication('/a', { n, text })])
  assert.equal(sink.ended, 'slow')
  assert.equal(sink.lines.at(-1), 'closing slow')
  assert.equal(opened.hub.subscriberCount, 1)
  assert.equal(healthy.lines.length, 11)
})

test('a subscriber that is so far behind that the log has dropped the rest is closed as slow', async () => {
  using opened = openHub({ eventsMax: 5, queueBytesMax: 1_000 })
  const { sink, subscription } = opened.subscribe('/a', {
    sink: new RecordingSink({ isReading: false }),
  })
  const text = 'x'.repeat(100_000)
  for (let n = 0; n < 20; n++) await opened.hub.publish([publication('/a', { n, text })])
  assert.equal(sink.ended, null)
  sink.drain()
  subscription.drained()
  await sink.until(() => sink.ended !== null)
  assert.equal(sink.ended, 'slow')
})

test('one event larger than the queue reaches a subscriber whose queue is empty', async () => {
  using opened = openHub({ eventsMax: 0, queueBytesMax: 1_000 })
  const { sink } = opened.subscribe('/a', { sink: new RecordingSink({ isReading: false }) })
  sink.drain()
  await opened.hub.publish([publication('/a', { text: 'x'.repeat(50_000) })])
  assert.equal(sink.ended, null)
  assert.equal(sink.lines.length, 2)
})

test('a round of many events is not taken for a slow subscriber', async () => {
  using opened = openHub({ eventsMax: 0, queueBytesMax: 1_000_000 })
  const sink = new RecordingSink()
  opened.subscribe('/a', { sink })
  const text = 'x'.repeat(10_000)
  await opened.hub.publish(Array.from({ length: 300 }, (_, n) => publication('/a', { n, text })))
  assert.equal(sink.ended, null)
  assert.equal(sink.lines.length, 301)
})

test('a replay from a place the log no longer has is told the gap and gets what there is', async () => {
  using opened = openHub({ eventsMax: 2 })
  const text = 'x'.repeat(70_000)
  await opened.hub.publish([1, 2, 3, 4].map((n) => publication('/a', { n, text })))
  const { sink } = opened.subscribe('/a', { from: START })
  await sink.until((lines) => lines.includes('alive'))
  assert.deepEqual(
    sink.lines.map((line) => line.slice(0, 11)),
    ['open', 'gap expired', '/a {"n":3,"', '/a {"n":4,"'],
  )
})

test('a private event is seen by those whose rights cover it, live and in a replay', async () => {
  using opened = openHub()
  const appleOnly: Rights = {
    key: 'apple',
    seesNothing: false,
    maySee: (event) => event.topics.includes('apple'),
  }
  const live = [PUBLIC_ONLY, appleOnly, seesAll].map(
    (rights) => opened.subscribe('/a', { rights }).sink,
  )
  await opened.publish('/private/a/apple', '/private/a/pear', '/a/public')
  const replayed = [PUBLIC_ONLY, appleOnly, seesAll].map(
    (rights) => opened.subscribe('/a', { rights, from: START }).sink,
  )
  for (const sink of replayed) await sink.until((lines) => lines.includes('alive'))
  for (const sinks of [live, replayed])
    assert.deepEqual(
      sinks.map((sink) => sink.lines.slice(1)),
      [
        ['/a/public {}'],
        ['/private/a/apple {}', '/a/public {}'],
        ['/private/a/apple {}', '/private/a/pear {}', '/a/public {}'],
      ],
    )
})

test('a subscription that begins with private sees private events only', async () => {
  using opened = openHub()
  const { sink } = opened.subscribe('/private/a', { rights: seesAll })
  await opened.publish('/a', '/private/a', '/private/b')
  assert.deepEqual(sink.lines.slice(1), ['/private/a {}'])
})

test('changed rights hold from the next event on, and public events go on without a gap', async () => {
  using opened = openHub()
  const { sink, subscription } = opened.subscribe('/a', { rights: seesAll })
  await opened.publish('/private/a/1', '/a/1')
  subscription.setRights(PUBLIC_ONLY)
  await opened.publish('/private/a/2', '/a/2')
  subscription.setRights(seesAll)
  await opened.publish('/private/a/3', '/a/3')
  assert.deepEqual(sink.lines.slice(1), [
    '/private/a/1 {}',
    '/a/1 {}',
    '/a/2 {}',
    '/private/a/3 {}',
    '/a/3 {}',
  ])
})

test('rights withdrawn during a replay hold for the rest of it', async () => {
  using opened = openHub()
  const text = 'x'.repeat(1_000)
  await opened.hub.publish(
    Array.from({ length: 500 }, (_, n) =>
      publication(n % 2 === 0 ? '/private/a' : '/a', { n, text }),
    ),
  )
  const sink = new RecordingSink({ isReading: false })
  const { subscription } = opened.subscribe('/a', { rights: seesAll, from: START, sink })
  while (sink.lines.length === 1) await turn()
  const before = sink.lines.length
  subscription.setRights(PUBLIC_ONLY)
  while (!sink.allLines.includes('alive')) {
    sink.drain()
    subscription.drained()
    await turn()
  }
  assert.ok(sink.lines.slice(1, before).some((line) => line.startsWith('/private/a')))
  assert.ok(sink.lines.slice(before).every((line) => line.startsWith('/a ')))
  assert.equal(sink.lines.filter((line) => line.startsWith('/a ')).length, 250)
})

test('keep-alives come every five seconds to idle streams, and a peer that takes nothing is closed as stalled', () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000 })
  let nowMs = 0
  const clock = mock.method(performance, 'now', () => nowMs)
  try {
    using opened = openHub()
    const reader = opened.subscribe('/a').sink
    const stalled = opened.subscribe('/a', { sink: new RecordingSink({ isReading: false }) }).sink
    const passSeconds = (seconds: number) => {
      for (let i = 0; i < seconds * 4; i++) {
        nowMs += 250
        mock.timers.tick(250)
      }
    }
    const alive = () => reader.allLines.filter((line) => line === 'alive').length
    assert.equal(alive(), 1)
    passSeconds(4)
    assert.equal(alive(), 1)
    passSeconds(2)
    assert.equal(alive(), 2)
    passSeconds(50)
    assert.equal(alive(), 12)
    assert.equal(reader.ended, null)
    assert.equal(stalled.ended, 'stalled')
    assert.equal(opened.hub.subscriberCount, 1)
    // The sink does not count what a descriptor has taken, and yet its peer was not stalled while nothing was queued.
    const { sink } = opened.subscribe('/a', { sink: new RecordingSink({ isReading: false }) })
    sink.drain()
    sink.takenBytes = 0
    sink.write = () => true
    passSeconds(8)
    sink.queuedBytes = 10
    passSeconds(10)
    assert.equal(sink.ended, null)
    passSeconds(6)
    assert.equal(sink.ended, 'stalled')
  } finally {
    clock.mock.restore()
    mock.timers.reset()
  }
})

test('what can be sent to a descriptor is sent there, the rest goes to the sink, in order', async () => {
  const kernel = new RecordingKernel()
  using opened = openHub({ kernel })
  const sinks = [0, 7, 1_000].map((bytesMax) => {
    const { sink } = opened.subscribe('/a', {
      sink: new RecordingSink({ direct: { kernel, bytesMax } }),
    })
    return { sink, write: mock.method(sink, 'write') }
  })
  await opened.publish('/a/1', '/a/2')
  await opened.publish('/a/3')
  for (const { sink } of sinks)
    assert.deepEqual(sink.lines.slice(1), ['/a/1 {}', '/a/2 {}', '/a/3 {}'])
  const written = sinks.map(({ write }) => write.mock.calls)
  assert.deepEqual(
    written.map((calls) => calls.map(({ arguments: [bytes] }) => bytes.length)),
    [[16, 8], [9, 1], []],
  )
  assert.deepEqual(kernel.faults, [])
})

test('whoever leaves an audience takes its own descriptor along', async () => {
  const kernel = new RecordingKernel()
  using opened = openHub({ kernel })
  const direct = () => new RecordingSink({ direct: { kernel, bytesMax: 1_000 } })
  const peers = [1, 2, 3, 4].map(() => opened.subscribe('/a', { sink: direct() }))
  await opened.publish('/a/1')
  for (const n of [1, 3]) {
    peers[n]!.subscription.close()
    peers[n]!.sink.close()
  }
  await opened.publish('/a/2')
  assert.deepEqual(
    peers.map(({ sink }) => sink.lines.slice(1).map((line) => line[3])),
    [['1', '2'], ['1'], ['1', '2'], ['1']],
  )
  assert.deepEqual(kernel.faults, [])
})

test('whoever goes while it is written to, having caught up, is gone', async () => {
  using opened = openHub()
  const { sink: healthy } = opened.subscribe('/a')
  await opened.publish('/a/1')
  const dying = new RecordingSink()
  dying.write = () => {
    subscription.close()
    return false
  }
  const { subscription } = opened.subscribe('/a', { sink: dying, from: START, holdsOpening: true })
  await turn()
  assert.equal(opened.hub.subscriberCount, 1)
  await opened.publish('/a/2')
  subscription.close()
  await opened.publish('/a/3')
  assert.deepEqual(healthy.lines, ['open', '/a/1 {}', '/a/2 {}', '/a/3 {}'])
})

test('who gets other bytes than the rest of its audience is not sent those of the rest', async () => {
  const kernel = new RecordingKernel()
  using opened = openHub({ kernel })
  const sink = () => new RecordingSink({ direct: { kernel, bytesMax: 1_000 } })
  const bounded = opened.subscribe('/a', {
    sink: sink(),
    bounds: { eventsMax: 2 },
  })
  const held = opened.subscribe('/a', { sink: sink(), holdsOpening: true })
  assert.deepEqual(held.sink.lines, [])
  await opened.publish('/a/1', '/a/2', '/a/3')
  assert.deepEqual(bounded.sink.lines.slice(0, 3), ['open', '/a/1 {}', '/a/2 {}'])
  assert.equal(bounded.sink.ended, 'finished')
  assert.deepEqual(held.sink.lines, ['open', '/a/1 {}', '/a/2 {}', '/a/3 {}'])
})

test('each of a crowd that is ended at once is asked to come back at a time of its own, over the window of all of them', async () => {
  const log = new MemoryEventLog({ eventsMax: 1, maxAgeMs: 0, bytesMax: 1e9 })
  const options = { queueBytesMax: 1e6, stallTimeoutMs: 1e6, topicFiltersMax: 1, conditionsMax: 1 }
  const hub = new Hub(log, { ...options, drainWindowMs: 1e9 })
  const askedMs: number[] = []
  const encoding = {
    ...PLAIN,
    closing: ({ retryAfterMs }: Closing) => {
      askedMs.push(retryAfterMs)
      return PLAIN.event({ path: '/', payload: { text: '{}' } } as PublishedEvent)
    },
  }
  const COUNT = 2_000
  for (let n = 0; n < COUNT; n++)
    hub.subscribe(
      byteRequest({
        wants: [{ topics: ['a'], privateOnly: false }],
        rights: PUBLIC_ONLY,
        from: 'head',
        encoding,
        sink: new RecordingSink(),
        opening: Buffer.from('open\n'),
      }),
    )
  hub[Symbol.dispose]()
  while (askedMs.length < COUNT) await turn()
  const mostMs = 2_000 + 2 * COUNT
  assert.ok(askedMs.every((ms) => ms >= 1_000 && ms <= mostMs))
  assert.ok(new Set(askedMs).size > COUNT / 2)
  // Those that are told last, when most have gone, are spread as the first. That not one of them is would be a chance of 1e-24.
  for (const some of [askedMs.slice(0, 60), askedMs.slice(-60)])
    assert.ok(some.some((ms) => ms > mostMs / 2))
})

test('when the hub is closed, every subscriber is told', () => {
  const opened = openHub()
  const sinks = ['/a', '/b'].map((path) => opened.subscribe(path).sink)
  opened.hub[Symbol.dispose]()
  for (const sink of sinks) {
    assert.equal(sink.ended, 'shutdown')
    assert.equal(sink.lines.at(-1), 'closing shutdown')
  }
  assert.equal(opened.hub.subscriberCount, 0)
})

test('more topic filters than allowed are refused, those of a known audience cost nothing', () => {
  using opened = openHub({ topicFiltersMax: 2 })
  opened.subscribe('/a')
  opened.subscribe('/b')
  opened.subscribe('/a')
  assert.throws(() => opened.subscribe('/c'), {
    code: 'OVERLOADED',
    message: /limits\.topic_filters_total/,
  })
  assert.equal(opened.hub.subscriberCount, 3)
})

test('filters of many topics that they do not share are refused before they fill the memory', () => {
  using opened = openHub({ topicFiltersMax: 4 })
  opened.subscribe('/a/b')
  assert.throws(() => opened.subscribe('/c/d/e/f/g'), {
    code: 'OVERLOADED',
    message: /limits\.topic_filters_total/,
  })
  assert.equal(opened.hub.subscriberCount, 1)
})

test('who goes with thousands of filters gets nothing more, and may come back at once', async () => {
  using opened = openHub({ topicFiltersMax: 4_000 })
  const wants = Array.from({ length: 4_000 }, (_, n) => ({
    topics: ['fruits', `${n}`],
    privateOnly: false,
  }))
  const subscribe = () => {
    const sink = new RecordingSink()
    const opening = Buffer.alloc(0)
    const request = { wants, rights: PUBLIC_ONLY, from: 'head', encoding: PLAIN, sink, opening }
    return { subscription: opened.hub.subscribe(byteRequest({ ...request, from: 'head' })), sink }
  }
  for (let round = 0; round < 3; round++) {
    const { subscription, sink } = subscribe()
    await opened.publish('/fruits/7')
    subscription.close()
    await opened.publish('/fruits/8')
    assert.deepEqual(sink.lines, ['/fruits/7 {}'])
  }
})

test('conditions are asked once per event, in whatever audiences they are', async () => {
  using opened = openHub()
  const { condition, asked } = pathContains('a')
  const [first, second] = ['/fruits', '/'].map((path) =>
    opened.subscribe(path, { conditions: [condition] }),
  )
  await opened.publish('/fruits/apples', '/fruits/limes', '/figs')
  assert.deepEqual(first!.sink.lines, ['open', '/fruits/apples {}'])
  assert.deepEqual(second!.sink.lines, ['open', '/fruits/apples {}'])
  assert.deepEqual(asked, ['/fruits/apples', '/fruits/limes', '/figs'])
})

test('more different conditions than allowed are refused until others are gone, open ones cost nothing', () => {
  using opened = openHub({ conditionsMax: 2 })
  const [a, b, c] = ['a', 'b', 'c'].map((text) => pathContains(text).condition)
  opened.subscribe('/x', { conditions: [a!, b!] })
  const { subscription } = opened.subscribe('/y', { conditions: [b!] })
  const another = () => opened.subscribe('/x', { conditions: [c!] })
  assert.throws(another, { code: 'OVERLOADED', message: /2 different .*limits\.conditions/ })
  assert.equal(opened.hub.subscriberCount, 2)
  subscription.close()
  assert.throws(another, { code: 'OVERLOADED' }) // the first one still has both
  opened.hub.endAll('shutdown')
  another()
})

/** With the paths that it was asked about. */
function pathContains(text: string): { condition: EventPredicate; asked: string[] } {
  const asked: string[] = []
  const matches = ({ path }: PublishedEvent) => {
    asked.push(path)
    return path.includes(text)
  }
  return { condition: { key: `path contains ${text}`, matches }, asked }
}

function eventsOf({ allLines }: RecordingSink): string[] {
  return allLines.filter((line) => line.startsWith('/a'))
}

test('whoever comes, resumes or ends while a great batch is handed out gets each event once and in order', async () => {
  const paths = Array.from({ length: 3_000 }, (_, i) => `/a/${i}`)
  const lines = paths.map((path) => `${path} {}`)
  using opened = openHub({ queueBytesMax: 10_000_000 })
  const early = opened.subscribe('/a')
  let isPublished = false
  const publishing = opened.publish(...paths).then(() => (isPublished = true))
  const later: { sink: RecordingSink; from: number }[] = []
  for (let i = 0; i < 3; i++) {
    const from = opened.hub.head
    assert.ok(from < paths.length)
    assert.ok(!isPublished)
    later.push({ sink: opened.subscribe('/a').sink, from })
    later.push({ sink: opened.subscribe('/a', { from: START }).sink, from: 0 })
    later.push({ sink: opened.subscribe('/a', { from: 2_999 as Position }).sink, from })
    await turn()
  }
  const meanwhile = opened.publish('/a/meanwhile')
  await Promise.all([publishing, meanwhile])
  assert.equal(opened.hub.head, paths.length + 1)
  for (let i = 0; i < 100; i++) await turn() // those behind read the log
  const all = [...lines, '/a/meanwhile {}']
  assert.deepEqual(eventsOf(early.sink), all)
  for (const { sink, from } of later) assert.deepEqual(eventsOf(sink), all.slice(from))
})

test('a bounded subscription has what was published before its end, though it is still being handed out', async () => {
  using opened = openHub({ queueBytesMax: 10_000_000 })
  const { subscription, sink } = opened.subscribe('/a', { bounds: {} })
  void opened.publish(...Array.from({ length: 2_000 }, (_, i) => `/a/${i}`))
  assert.ok(opened.hub.head < 2_000)
  await opened.hub.settled()
  subscription.finishAt(await opened.hub.positionAt(Date.now() + 1_000))
  assert.equal(eventsOf(sink).length, 2_000)
})
