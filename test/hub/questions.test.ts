import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import type { OnBug } from '../../src/hub/bug.ts'
import type { PublishedEvent } from '../../src/hub/event.ts'
import { Hub } from '../../src/hub/hub.ts'
import type { EventPredicate } from '../../src/hub/predicate.ts'
import { PUBLIC_ONLY } from '../../src/hub/rights.ts'
import { MemoryEventLog } from '../../src/log/memory/memory-event-log.ts'
import { publication } from '../contracts/event-log.ts'
import { byteRequest, PLAIN, RecordingSink } from './recording-sink.ts'

/*
 * Predicates may take long, and there may be thousands: they are asked about an event in as many turns as that takes, before its
 * round, and nobody misses anything by it.
 */

class LongPredicate implements EventPredicate {
  readonly key: string
  readonly #ms: number
  readonly #wanted: (path: string) => boolean
  asked = 0

  constructor(key: string, ms: number, wanted: (path: string) => boolean = () => true) {
    this.key = key
    this.#ms = ms
    this.#wanted = wanted
  }

  matches({ path }: PublishedEvent): boolean {
    this.asked++
    for (const endMs = performance.now() + this.#ms; performance.now() < endMs;);
    return this.#wanted(path)
  }
}

function open(onBug?: OnBug) {
  const log = new MemoryEventLog({ eventsMax: 10_000, maxAgeMs: 0, bytesMax: 1e9 })
  const options = {
    queueBytesMax: 1e6,
    stallTimeoutMs: 10_000,
    topicFiltersMax: 1e3,
    conditionsMax: 1e3,
    ...(onBug && { onBug }),
  }
  const hub = new Hub(log, options)
  return {
    hub,
    /** Who wants a topic, and events that match all of these. */
    subscribe(topic: string, conditions: readonly EventPredicate[] = []) {
      const sink = new RecordingSink()
      const wants = [{ topics: topic === '' ? [] : [topic], privateOnly: false }]
      hub.subscribe(byteRequest({ ...requestOf(sink), wants, conditions }))
      return sink
    },
    /** Who wants whatever matches it. */
    subscribeTo(predicate: EventPredicate) {
      const sink = new RecordingSink()
      hub.subscribe(byteRequest({ ...requestOf(sink), wants: [predicate] }))
      return sink
    },
    [Symbol.dispose]: () => hub[Symbol.dispose](),
  }
}

/** Two of them are the same for each other `n`. */
function predicatesOf(n: number): LongPredicate[] {
  return [1, 2, 3].map((each) => new LongPredicate(`p${each + (n % 2)}`, 1))
}

function requestOf(sink: RecordingSink) {
  const opening = Buffer.from('')
  return { rights: PUBLIC_ONLY, from: 'head' as const, encoding: PLAIN, sink, opening }
}

function eventsOf(sink: RecordingSink): string[] {
  return sink.allLines.filter((line) => line.startsWith('/')).map((line) => line.split(' ')[0]!)
}

test('the event loop goes on turning while predicates are asked, each of them once', async () => {
  using opened = open()
  const predicates = Array.from({ length: 40 }, (_, n) => new LongPredicate(`p${n}`, 0.5))
  const sinks = predicates.map((each, n) =>
    n % 2 === 0 ? opened.subscribe('a', [each]) : opened.subscribeTo(each),
  )
  let turns = 0
  let isPublished = false
  const published = opened.hub.publish([publication('/a')]).then(({ matched }) => {
    isPublished = true
    return matched
  })
  const isOver = () => isPublished
  for (; !isOver(); turns++) await turn()
  // 20 ms of asking, 2.5 ms at most in one turn.
  assert.ok(turns >= 8, `in ${turns} turns`)
  assert.equal(await published, 40)
  for (const sink of sinks) assert.deepEqual(eventsOf(sink), ['/a'])
  assert.deepEqual(new Set(predicates.map(({ asked }) => asked)), new Set([1]))
})

test('who comes while an event is being asked about gets it once, and who goes does not', async () => {
  using opened = open()
  const predicates = Array.from({ length: 20 }, (_, n) => new LongPredicate(`p${n}`, 0.5))
  for (const each of predicates) opened.subscribe('a', [each])
  const goes = opened.subscribe('a')
  const published = opened.hub.publish([publication('/a')])
  await turn()
  await turn()
  assert.deepEqual(eventsOf(goes), [], 'it is still being asked about')
  const late = [
    opened.subscribe('a'),
    opened.subscribe('a', [new LongPredicate('late', 0.5)]),
    opened.subscribeTo(new LongPredicate('later', 0.5)),
  ]
  await published
  // Those whose predicates were not asked ahead get it from behind.
  for (let turns = 0; turns < 1_000 && eventsOf(late[2]!).length === 0; turns++) await turn()
  await turn()
  for (const sink of [...late, goes]) assert.deepEqual(eventsOf(sink), ['/a'])
  await opened.hub.publish([publication('/a/b')])
  for (const sink of [...late, goes]) assert.deepEqual(eventsOf(sink), ['/a', '/a/b'])
})

test('whoever comes with predicates meanwhile, or goes, makes no turn longer', async () => {
  using opened = open()
  let inTurn = 0
  let mostInTurn = 0
  const counting = (key: string): EventPredicate => {
    const predicate = new LongPredicate(key, 0.5)
    return {
      key,
      matches(event) {
        mostInTurn = Math.max(mostInTurn, ++inTurn)
        return predicate.matches(event)
      },
    }
  }
  const subscriptions = Array.from({ length: 60 }, (_, n) =>
    opened.hub.subscribe(
      byteRequest({
        ...requestOf(new RecordingSink()),
        wants: [{ topics: ['a'], privateOnly: false }],
        conditions: [counting(`p${n}`)],
      }),
    ),
  )
  let isPublished = false
  const published = opened.hub.publish([publication('/a')]).then(() => (isPublished = true))
  const isOver = () => isPublished
  for (let turns = 0; !isOver(); turns++) {
    await turn()
    inTurn = 0
    if (turns < 5) continue
    subscriptions.shift()?.close()
    if (turns < 25) opened.subscribe('a', [counting(`late ${turns}`)])
  }
  await published
  for (let turns = 0; turns < 100; turns++) {
    await turn()
    inTurn = 0
  }
  // 2.5 ms of asking ahead, and 1.5 of catching up.
  assert.ok(mostInTurn <= 10, `${mostInTurn} were asked in one turn`)
})

test('one who changes its predicates all the time keeps nobody waiting', async () => {
  using opened = open()
  const sink = opened.subscribe('a')
  const events: string[] = []
  const changing = opened.hub.subscribe({
    wants: [],
    rights: PUBLIC_ONLY,
    from: 'head',
    to: {
      events: {
        queuedBytes: 0,
        takenBytes: 0,
        take: (taken) => events.push(...taken.map(({ path }) => path)) > 0,
        gap: () => {},
        end: () => {},
        destroy() {},
      },
    },
  })
  let had = predicatesOf(0)
  changing.changeWants({ add: had })
  let isPublished = false
  const published = opened.hub.publish([publication('/a')]).then(() => (isPublished = true))
  const isOver = () => isPublished
  let changes = 0
  for (; !isOver() && changes < 200; changes++) {
    await turn()
    const next = predicatesOf(changes + 1)
    changing.changeWants({ drop: had, add: next })
    had = next
  }
  assert.ok(changes < 200, 'it was never delivered')
  await published
  assert.deepEqual(eventsOf(sink), ['/a'])
  for (let turns = 0; turns < 1_000 && events.length === 0; turns++) await turn()
  assert.ok(events.length <= 1)
})

test('a publisher has its answer once its event was delivered, and nothing overtakes it', async () => {
  using opened = open()
  for (let n = 0; n < 20; n++) opened.subscribe('slow', [new LongPredicate(`p${n}`, 0.5)])
  const sink = opened.subscribe('')
  const answers: string[] = []
  const publish = async (path: string) => {
    await opened.hub.publish([publication(path)])
    assert.ok(eventsOf(sink).includes(path))
    answers.push(path)
  }
  await Promise.all(['/slow', '/a', '/slow/b', '/c'].map(publish))
  assert.deepEqual(answers, ['/slow', '/a', '/slow/b', '/c'])
  assert.deepEqual(eventsOf(sink), ['/slow', '/a', '/slow/b', '/c'])
})

test('a predicate that throws ends its own stream, and nobody waits for it', async () => {
  const bugs: unknown[] = []
  using opened = open((_doing, error) => void bugs.push(error))
  const throwing: EventPredicate = {
    key: 'throws',
    matches() {
      throw new Error('planted')
    },
  }
  const faulty = [opened.subscribe('', [throwing]), opened.subscribeTo(throwing)]
  const slow = opened.subscribe('', [new LongPredicate('slow', 3)])
  await opened.hub.publish([publication('/a')])
  assert.deepEqual(eventsOf(slow), ['/a'])
  for (const sink of faulty) assert.equal(sink.ended, 'internal')
  assert.equal(bugs.length, 2)
})

test('who is behind with many predicates keeps nobody waiting either, and gets what it is due', async () => {
  using opened = open()
  const predicates = Array.from(
    { length: 40 },
    (_, n) => new LongPredicate(`p${n}`, 0.5, (path) => path === `/${n}`),
  )
  const events: string[] = []
  const endings: string[] = []
  let isFull = true
  const subscription = opened.hub.subscribe({
    wants: [],
    rights: PUBLIC_ONLY,
    from: 'head',
    whenBehind: 'catch-up',
    to: {
      events: {
        queuedBytes: 0,
        takenBytes: 0,
        take(taken) {
          events.push(...taken.map(({ path }) => path))
          return !isFull
        },
        gap: () => assert.fail('a gap'),
        end: (reason) => endings.push(reason),
        destroy() {},
      },
    },
  })
  subscription.changeWants({ add: predicates })
  for (const path of ['/0', '/39', '/40', '/1']) await opened.hub.publish([publication(path)])
  assert.deepEqual(events, ['/0'], 'it takes no more')
  for (const each of predicates) each.asked = 0
  isFull = false
  subscription.drained()
  let turns = 0
  for (; events.length < 3; turns++) await turn()
  assert.deepEqual(events, ['/0', '/39', '/1'])
  // 40 ms of asking, 1.5 ms at most in a step.
  assert.ok(turns >= 10, `in ${turns} turns`)
  assert.ok(Math.max(...predicates.map(({ asked }) => asked)) <= 4, 'none is asked again')
  assert.deepEqual(endings, [])
})

test('whatever is asked, and however long, each gets what matches, once and in order', async () => {
  const conditioned = fc.record({
    topic: fc.constantFrom('', 'a', 'b'),
    letter: fc.constantFrom('x', 'y', 'z'),
    ms: fc.constantFrom(0, 0, 1, 3),
    isWant: fc.boolean(),
    comesAfter: fc.nat(4),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(conditioned, { minLength: 1, maxLength: 8 }),
      fc.array(
        fc.array(fc.constantFrom('/a/x', '/a/y', '/b/x', '/b/z', '/x'), {
          minLength: 1,
          maxLength: 5,
        }),
        {
          maxLength: 4,
        },
      ),
      async (subscribers, batches) => {
        using opened = open()
        const due: { sink: RecordingSink; wants: (path: string) => boolean; events: string[] }[] =
          []
        const come = (batch: number) => {
          for (const { topic, letter, ms, isWant, comesAfter } of subscribers) {
            if (comesAfter !== batch) continue
            const isWanted = (path: string) => path.includes(letter)
            const predicate = new LongPredicate(`${letter} ${ms}`, ms, isWanted)
            const sink = isWant
              ? opened.subscribeTo(predicate)
              : opened.subscribe(topic, [predicate])
            const wants = (path: string) =>
              isWanted(path) && (isWant || topic === '' || path.split('/').includes(topic))
            due.push({ sink, wants, events: [] })
          }
        }
        for (const [n, paths] of batches.entries()) {
          come(n)
          for (const { events, wants } of due) events.push(...paths.filter(wants))
          await opened.hub.publish(paths.map((path) => publication(path)))
        }
        for (const { sink, events } of due) assert.deepEqual(eventsOf(sink), events)
      },
    ),
    { numRuns: 40 },
  )
})
