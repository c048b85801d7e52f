import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import type { SharedEncoding } from '../../src/hub/encoding.ts'
import type { DirectSend } from '../../src/sockets/direct-send.ts'
import type { Position, PublishedEvent } from '../../src/hub/event.ts'
import { Hub } from '../../src/hub/hub.ts'
import type { Rights } from '../../src/hub/rights.ts'
import { MemoryEventLog } from '../../src/log/memory/memory-event-log.ts'
import { publication } from '../contracts/event-log.ts'
import {
  byteRequest,
  type ByteRequest,
  PLAIN,
  RecordingKernel,
  RecordingSink,
} from './recording-sink.ts'

/*
 * What is handed to the hub may throw anywhere. Whose it is, ends as `internal`; the publisher has its receipt, and everybody
 * else every event once and in order.
 */

const START = 0 as Position

/** Throws when it comes to this event, and not before. */
class Fuse {
  readonly #path: string
  isBurning = false

  constructor(path = '/a/bad') {
    this.#path = path
  }

  meet(event: Pick<PublishedEvent, 'path'>): void {
    this.isBurning ||= event.path.endsWith(this.#path)
    this.check()
  }

  meetText(text: string): void {
    this.isBurning ||= text.includes(this.#path)
    this.check()
  }

  check(): void {
    if (this.isBurning) throw new Error('planted')
  }
}

class FaultySink extends RecordingSink {
  readonly #fuse: Fuse
  readonly #where: 'write' | 'queuedBytes' | 'end'

  constructor(fuse: Fuse, where: 'write' | 'queuedBytes' | 'end', isReading = true) {
    super({ isReading, highWaterBytes: 1 })
    this.#fuse = fuse
    this.#where = where
    let queued = 0
    Object.defineProperty(this, 'queuedBytes', {
      get: () => {
        if (this.#where === 'queuedBytes') this.#fuse.check()
        return queued
      },
      set: (bytes: number) => {
        queued = bytes
      },
    })
  }

  override write(batch: Uint8Array): boolean {
    if (this.#where === 'write') this.#fuse.meetText(Buffer.from(batch).toString())
    return super.write(batch)
  }

  override end(...given: Parameters<RecordingSink['end']>): void {
    super.end(...given)
    if (this.#where === 'end') throw new Error('planted')
  }
}

function faultyEncoding(fuse: Fuse, method: keyof SharedEncoding): SharedEncoding {
  const encoding = { ...PLAIN, key: `faulty ${Math.random()}` }
  if (method === 'event')
    encoding.event = (event) => {
      fuse.meet(event)
      return PLAIN.event(event)
    }
  else if (method !== 'key')
    encoding[method] = () => {
      throw new Error('planted')
    }
  return encoding
}

const seesAll: Rights = { key: 'all', seesNothing: false, maySee: () => true }

/** What each kind of fault changes of a request for everything below /a. */
const FAULTS: Readonly<
  Record<string, (fuse: Fuse) => Partial<ByteRequest> & { sink: RecordingSink }>
> = {
  'a predicate': (fuse) => ({
    conditions: [
      {
        key: `faulty ${Math.random()}`,
        matches(event) {
          fuse.meet(event)
          return true
        },
      },
    ],
    sink: new RecordingSink(),
  }),
  'an encoder': (fuse) => ({ encoding: faultyEncoding(fuse, 'event'), sink: new RecordingSink() }),
  'the rights': (fuse) => ({
    rights: {
      key: `faulty ${Math.random()}`,
      seesNothing: false,
      maySee(event) {
        fuse.meet(event)
        return true
      },
    },
    sink: new RecordingSink(),
  }),
  'a sink': (fuse) => ({ sink: new FaultySink(fuse, 'write') }),
  'a sink of a bounded stream': (fuse) => ({
    sink: new FaultySink(fuse, 'write'),
    bounds: { eventsMax: 1_000 },
  }),
  'a sink that ends, too': (fuse) => {
    const sink = new FaultySink(fuse, 'end')
    return { encoding: faultyEncoding(fuse, 'event'), sink }
  },
  'an encoder of farewells': (fuse) => {
    const encoding = faultyEncoding(fuse, 'event')
    encoding.closing = () => {
      throw new Error('planted')
    }
    return { encoding, sink: new RecordingSink() }
  },
}

function openHub({ send = new RecordingKernel().send }: { readonly send?: DirectSend } = {}) {
  const bugs: string[] = []
  const onBug = (doing: string, error: unknown) =>
    bugs.push(`${doing}: ${(error as Error).message}`)
  const limits = { eventsMax: 10_000, maxAgeMs: 0, bytesMax: 1e9, keyWindowMs: 1_000, keysMax: 10 }
  const log = new MemoryEventLog({ ...limits, onBug })
  const open = () =>
    new Hub(
      log,
      {
        queueBytesMax: 10_000,
        stallTimeoutMs: 10_000,
        topicFiltersMax: 1_000,
        conditionsMax: 1_000,
        onBug,
      },
      new RecordingKernel().fanOut(send),
    )
  return { log, bugs, open }
}

function subscribe(hub: Hub, given: Partial<ByteRequest> & { sink: RecordingSink }) {
  const subscription = hub.subscribe(
    byteRequest({
      wants: [{ topics: ['a'], privateOnly: false }],
      rights: seesAll,
      from: 'head',
      encoding: PLAIN,
      opening: Buffer.from('open\n'),
      ...given,
    }),
  )
  return { subscription, sink: given.sink }
}

const publish = (hub: Hub, ...paths: string[]) =>
  hub.publish(paths.map((path) => publication(path)))
const linesOf = (...paths: string[]) => ['open', ...paths.map((path) => `${path} {}`)]

/** Where the one that fails stands among others of its kind. */
const PLACES = [0, 1, 2]

for (const [fault, requestOf] of Object.entries(FAULTS))
  for (const place of PLACES) {
    test(`${fault} throws in a round (member ${place}): its stream ends, all others get everything`, async () => {
      const { open, bugs } = openHub()
      using hub = open()
      const others: RecordingSink[] = []
      let victim: ReturnType<typeof subscribe> | null = null
      for (let n = 0; n < 3; n++) {
        if (n === place) victim = subscribe(hub, requestOf(new Fuse()))
        others.push(subscribe(hub, { sink: new RecordingSink() }).sink)
      }
      const receipt = await publish(hub, '/a/1', '/private/a/bad', '/a/2')
      assert.equal(receipt.receipt.count, 3)
      await publish(hub, '/a/3')
      for (const sink of others)
        assert.deepEqual(sink.lines, linesOf('/a/1', '/private/a/bad', '/a/2', '/a/3'))
      assert.equal(hub.subscriberCount, 3)
      assert.ok(bugs.length > 0)
      assertEnded(victim!.sink, fault)
    })

    test(`${fault} throws while it catches up (member ${place}): its stream ends, all others get everything`, async () => {
      const { open, bugs, log } = openHub()
      await log.append([publication('/a/1'), publication('/private/a/bad'), publication('/a/2')])
      // Of this hub the events come from the log, of the one after it from what it has kept itself.
      for (const isKept of [false, true]) {
        using hub = open()
        if (isKept) await publish(hub, '/a/1', '/private/a/bad', '/a/2')
        const from = isKept ? ((hub.head - 3) as Position) : START
        const others: RecordingSink[] = []
        let victim: ReturnType<typeof subscribe> | null = null
        for (let n = 0; n < 3; n++) {
          if (n === place) victim = subscribe(hub, { ...requestOf(new Fuse()), from })
          others.push(subscribe(hub, { sink: new RecordingSink(), from }).sink)
        }
        for (const sink of others) await sink.until((lines) => lines.at(-1) === 'alive')
        for (let n = 0; n < 50 && hub.subscriberCount > 3; n++) await turn()
        await publish(hub, '/a/3')
        for (const sink of others)
          assert.deepEqual(sink.lines, linesOf('/a/1', '/private/a/bad', '/a/2', '/a/3'))
        assert.equal(hub.subscriberCount, 3)
        assert.ok(bugs.length > 0)
        assertEnded(victim!.sink, fault)
        bugs.length = 0
      }
    })
  }

/** What was due before reaches it, and the rest is told, where anything can be. */
function assertEnded(sink: RecordingSink, fault: string): void {
  const isWhole = !fault.startsWith('a sink') || fault === 'a sink that ends, too'
  const told = fault === 'an encoder of farewells' ? [] : ['closing internal']
  if (isWhole) assert.deepEqual(sink.lines, [...linesOf('/a/1'), ...told])
  else assert.deepEqual(sink.lines.slice(-1), ['closing internal'])
  if (told.length > 0) assert.equal(sink.ended, 'internal')
  if (fault.includes('farewells') || fault.includes('ends')) assert.ok(sink.isClosed)
}

for (const place of PLACES)
  test(`sending to a descriptor throws (member ${place}): that one ends, all others get everything`, async () => {
    const kernel = new RecordingKernel()
    let faulty = -1
    const { open } = openHub({
      send: (descriptor, bytes) => {
        if (descriptor === faulty) throw new Error('planted')
        return kernel.send(descriptor, bytes)
      },
    })
    using hub = open()
    const sinks = [0, 1, 2].map(() => new RecordingSink({ direct: { kernel, bytesMax: 1_000 } }))
    for (const sink of sinks) subscribe(hub, { sink })
    faulty = sinks[place]!.descriptor
    await publish(hub, '/a/1')
    await publish(hub, '/a/2')
    for (const [n, sink] of sinks.entries())
      if (n === place) assert.deepEqual(sink.lines, ['open', 'closing internal'])
      else assert.deepEqual(sink.lines, linesOf('/a/1', '/a/2'))
    assert.deepEqual(kernel.faults, [])
  })

test('a sink that cannot say how much it holds ends its stream only', async () => {
  const { open } = openHub()
  using hub = open()
  const fuse = new Fuse()
  const victim = subscribe(hub, { sink: new FaultySink(fuse, 'queuedBytes', false) })
  const other = subscribe(hub, { sink: new RecordingSink() })
  fuse.isBurning = true
  await publish(hub, '/a/1')
  assert.equal(victim.sink.ended, 'internal')
  assert.deepEqual(other.sink.lines, linesOf('/a/1'))
  assert.equal(hub.subscriberCount, 1)
})

test('a sign of life that cannot be given ends its stream only, and the others get theirs', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  let nowMs = 1_000
  const clock = mock.method(performance, 'now', () => nowMs)
  try {
    const { open, bugs } = openHub()
    using hub = open()
    const fuse = new Fuse()
    const encoding = { ...PLAIN, key: 'faulty' }
    const faulty = [
      subscribe(hub, { sink: new FaultySink(fuse, 'queuedBytes') }),
      subscribe(hub, { sink: new RecordingSink(), encoding }),
      subscribe(hub, { sink: new RecordingSink(), encoding }),
    ]
    const others = [0, 1].map(() => subscribe(hub, { sink: new RecordingSink() }))
    fuse.isBurning = true
    encoding.keepAlive = () => {
      throw new Error('planted')
    }
    for (let n = 0; n < 60; n++) {
      nowMs += 250
      mock.timers.tick(250)
    }
    for (const { sink } of faulty) assert.equal(sink.ended, 'internal')
    for (const { sink } of others)
      assert.equal(sink.allLines.filter((line) => line === 'alive').length, 4)
    assert.deepEqual(bugs, Array(3).fill('giving a sign of life: planted'))
    assert.equal(hub.subscriberCount, 2)
  } finally {
    clock.mock.restore()
    mock.timers.reset()
  }
})

test('rights that throw when they are taken away end the stream: it may no longer have what it had', async () => {
  const { open } = openHub()
  using hub = open()
  const { subscription, sink } = subscribe(hub, { sink: new RecordingSink() })
  const other = subscribe(hub, { sink: new RecordingSink() })
  const broken = {
    get key(): string {
      if (this.asked++ > 0) throw new Error('planted')
      return 'broken'
    },
    asked: 0,
    seesNothing: true,
    maySee: () => false,
  }
  subscription.setRights(broken)
  assert.equal(sink.ended, 'internal')
  await publish(hub, '/private/a/1')
  assert.deepEqual(other.sink.lines, linesOf('/private/a/1'))
})

test('a stream that cannot be opened is nobody afterwards', async () => {
  const { open } = openHub()
  using hub = open()
  const encoding = faultyEncoding(new Fuse(), 'keepAlive')
  assert.throws(() => subscribe(hub, { sink: new RecordingSink(), encoding }), /planted/)
  assert.equal(hub.subscriberCount, 0)
  const { sink } = subscribe(hub, { sink: new RecordingSink() })
  await publish(hub, '/a/1')
  assert.deepEqual(sink.lines, linesOf('/a/1'))
})

test('a listener of the log that throws keeps no publisher from its receipt, nor others from the round', async () => {
  const { open, log, bugs } = openHub()
  using _listening = log.onCommit(() => {
    throw new Error('planted')
  })
  using hub = open()
  const { sink } = subscribe(hub, { sink: new RecordingSink() })
  assert.equal((await publish(hub, '/a/1')).receipt.count, 1)
  assert.deepEqual(sink.lines, linesOf('/a/1'))
  assert.deepEqual(bugs, ['telling of a commit: planted'])
})

test('whatever throws for whom and when, everybody else gets exactly what is due, once and in order', async () => {
  const faults = Object.keys(FAULTS).filter((name) => !name.includes('ends'))
  const kind = fc.record({
    topic: fc.constantFrom('a', 'b'),
    fault: fc.option(fc.constantFrom(...faults), { freq: 1 }),
    failsAt: fc.nat(11),
    joinsAt: fc.nat(3),
    isReplay: fc.boolean(),
  })
  const rounds = fc.array(
    fc.array(fc.constantFrom('/a', '/b', '/a/b', '/private/a', '/private/b'), { maxLength: 4 }),
    { minLength: 4, maxLength: 4 },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(kind, { maxLength: 8 }), rounds, async (kinds, given) => {
      const { open, log } = openHub()
      let count = 0
      const named = given.map((paths) => paths.map((path) => `${path}/n${count++}`))
      if (named[0]!.length > 0) await log.append(named[0]!.map((path) => publication(path)))
      using hub = open()
      const all: { sink: RecordingSink; due: string[]; fault: string | null }[] = []
      for (const [round, paths] of named.entries()) {
        if (round > 0 && paths.length > 0)
          assert.equal((await publish(hub, ...paths)).receipt.count, paths.length)
        for (const { topic, fault, failsAt, joinsAt, isReplay } of kinds) {
          if (joinsAt !== round) continue
          const { sink, ...parts } =
            fault === null
              ? { sink: new RecordingSink() }
              : FAULTS[fault]!(new Fuse(`/n${failsAt}`))
          const wants = [{ topics: [topic], privateOnly: false }]
          const from = isReplay ? START : 'head'
          subscribe(hub, { ...parts, sink, wants, from })
          const begins = isReplay ? 0 : round + 1
          const due = named
            .slice(begins)
            .flat()
            .filter((path) => path.split('/').includes(topic))
          all.push({ sink, due, fault })
        }
        await turn()
      }
      for (let n = 0; n < 60; n++) await turn()
      for (const { sink, due, fault } of all) {
        const events = sink.lines.filter((line) => line.startsWith('/'))
        const expected = due.map((path) => `${path} {}`)
        if (fault === null || sink.ended === null) assert.deepEqual(events, expected)
        else assert.deepEqual(events, expected.slice(0, events.length))
        if (fault === null) assert.equal(sink.ended, null)
      }
      assert.equal(
        hub.subscriberCount,
        all.filter(({ sink }) => sink.ended === null && !sink.isClosed).length,
      )
    }),
    { numRuns: 100 },
  )
})
