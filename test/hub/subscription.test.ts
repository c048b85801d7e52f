import fc from 'fast-check'
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { SharedEncoding } from '../../src/hub/encoding.ts'
import type { Cursor, Position, PublishedEvent } from '../../src/hub/event.ts'
import type { Publication } from '../../src/publication/publication.ts'
import type { EventLog, Page, ReadOptions } from '../../src/hub/event-log.ts'
import { Hub } from '../../src/hub/hub.ts'
import { PUBLIC_ONLY, type Rights } from '../../src/hub/rights.ts'
import type { ByteSubscription } from '../../src/hub/byte-subscription.ts'
import { filterMatches, type TopicFilter } from '../../src/hub/topics.ts'
import { MemoryEventLog } from '../../src/log/memory/memory-event-log.ts'
import { publication } from '../contracts/event-log.ts'
import { MovableClock } from '../log/movable-clock.ts'
import { byteRequest, PLAIN, RecordingKernel, RecordingSink } from './recording-sink.ts'

const START = 0 as Position
const wantsA: readonly TopicFilter[] = [{ topics: ['a'], privateOnly: false }]

test('whatever happens, a subscriber sees what is due to it, in order and once, until it is told why not', async () => {
  await fc.assert(
    fc.asyncProperty(
      settings,
      fc.array(operation, { minLength: 1, maxLength: 40 }),
      runAgainstModel,
    ),
    { numRuns: Number(process.env['FUZZ_RUNS'] ?? 150) },
  )
})

test('many who replay different topics all get forward, and memory for their pages is bounded', async () => {
  const opened = await hubBehindRing({ eventsMax: 100_000 })
  const sinks = Array.from({ length: 500 }, (_, n) => {
    const sink = new RecordingSink()
    opened.subscribe(sink, [...wantsA, { topics: [`${n}`], privateOnly: false }])
    return sink
  })
  for (let turns = 0; sinks.some((sink) => sink.takenBytes < 100_000); turns++) {
    assert.ok(turns < 5_000, 'some do not get forward')
    await turn()
  }
})

test('a page that is greater than all that is kept of pages still reaches its subscriber', async () => {
  const opened = await hubBehindRing({ eventsMax: 100_000, textLength: 9_000_000, count: 1 })
  const sink = new RecordingSink()
  opened.subscribe(sink)
  for (let turns = 0; sink.takenBytes < 9_000_000; turns++) {
    assert.ok(turns < 500, 'it does not come')
    await turn()
  }
})

test('one that is to end at the head ends where the head was then, though more comes than its reader takes', async () => {
  const { hub, subscribe } = await hubBehindRing({ eventsMax: 100_000, count: 1_000 })
  const sink = new RecordingSink({ isReading: false })
  const subscription = subscribe(sink)
  subscription.endAtHead()
  const text = 'x'.repeat(100_000)
  for (let turns = 0; sink.ended === null; turns++) {
    assert.ok(turns < 500, 'it does not end')
    await hub.publish([publication('/a', { text }), publication('/a', { text })])
    if (sink.drain()) subscription.drained()
    await turn()
  }
  assert.equal(sink.ended, 'timeout')
  assert.equal(sink.lines.filter((line) => line.startsWith('/a {"n":')).length, 1_000)
})

test('what the log drops while a page is being read is told as a gap', async () => {
  const log = new SlowLog({ eventsMax: 4 })
  using hub = openHub(log)
  const text = 'x'.repeat(2_000_000) // the ring holds two of them
  for (let n = 1; n <= 5; n++) await hub.publish([publication('/a', { n, text })])
  const sink = new RecordingSink()
  hub.subscribe(byteRequest({ ...REQUEST, from: 1 as Position, sink }))
  log.turnsBefore = 10
  while (log.reads === 0) await turn()
  await hub.publish([publication('/a', { n: 6, text })])
  await sink.until((lines) => lines.includes('alive'))
  assert.deepEqual(
    sink.lines.map((line) => line.slice(0, 11)),
    ['gap expired', '/a {"n":3,"', '/a {"n":4,"', '/a {"n":5,"', '/a {"n":6,"'],
  )
})

test('a gap of damaged events is told with a cursor from which nothing else is missed', async () => {
  const log = new SlowLog({ eventsMax: 100 })
  using hub = openHub(log)
  const text = 'x'.repeat(2_000_000)
  for (let n = 1; n <= 4; n++) await hub.publish([publication('/a', { n, text })])
  log.gap = 'damaged'
  const told: number[] = []
  const encoding: SharedEncoding = {
    ...PLAIN,
    gap: ({ reason, cursor }) => {
      told.push(Number(cursor))
      return Buffer.from(`gap ${reason}\n`)
    },
  }
  const sink = new RecordingSink()
  hub.subscribe(byteRequest({ ...REQUEST, encoding, from: START, sink }))
  await sink.until((lines) => lines.includes('alive'))
  assert.deepEqual(
    sink.lines.slice(0, 2).map((line) => line.slice(0, 11)),
    ['gap damaged', '/a {"n":1,"'],
  )
  assert.equal(told[0], 0)
})

test('one whose form has no word for a gap ends there, before what comes behind it', async () => {
  const log = new SlowLog({ eventsMax: 100 })
  using hub = openHub(log)
  const text = 'x'.repeat(2_000_000)
  for (let n = 1; n <= 4; n++) await hub.publish([publication('/a', { n, text })])
  log.gap = 'damaged'
  const sink = new RecordingSink()
  const encoding: SharedEncoding = { ...PLAIN, gap: () => null }
  hub.subscribe(byteRequest({ ...REQUEST, encoding, from: START, sink }))
  await sink.until((lines) => lines.length > 0)
  assert.deepEqual(sink.lines, ['closing unavailable'])
})

test('catching up takes the main thread for slices only, however many pages have come', async () => {
  const opened = await hubBehindRing({ eventsMax: 100_000 })
  let encodedInTurn = 0
  let most = 0
  const encoding: SharedEncoding = {
    ...PLAIN,
    event: (event) => {
      most = Math.max(most, ++encodedInTurn)
      return PLAIN.event(event)
    },
  }
  // By this clock an event takes 50 µs, a page of 60 about 3 ms.
  const clock = mock.method(performance, 'now', () => encodedInTurn / 20)
  try {
    const sinks = Array.from({ length: 100 }, (_, n) => {
      const sink = new RecordingSink()
      opened.subscribe(sink, [...wantsA, { topics: [`${n}`], privateOnly: false }], encoding)
      return sink
    })
    for (let turns = 0; sinks.some((sink) => sink.takenBytes < 60_000); turns++) {
      assert.ok(turns < 5_000)
      await turn()
      encodedInTurn = 0
    }
    assert.ok(most <= 200, `${most} events were encoded in one turn`)
  } finally {
    clock.mock.restore()
  }
})

test('while a publication is on its way to the log and back, readers of the past wait, but not for long', async () => {
  const log = new SlowLog({ eventsMax: 10 })
  using hub = openHub(log)
  const text = 'x'.repeat(5_000_000) // too much for the ring
  await hub.publish([publication('/a', { text })])
  let mayStore = Promise.withResolvers<void>()
  log.append = async (batch) => {
    await mayStore.promise
    return MemoryEventLog.prototype.append.call(log, batch)
  }
  const timers = mock.timers
  timers.enable({ apis: ['setTimeout'] })
  try {
    // Each slice of work has to wait.
    const passTime = async () => {
      for (let i = 0; i < 5; i++) {
        timers.tick(10)
        await fiftyTurns()
      }
    }
    const store = async () => mayStore.resolve()
    for (const goOn of [passTime, store]) {
      mayStore = Promise.withResolvers<void>()
      const published = hub.publish([publication('/b')])
      const sink = new RecordingSink()
      hub.subscribe(byteRequest({ ...REQUEST, from: START, sink }))
      await fiftyTurns()
      assert.deepEqual(sink.lines, [])
      await goOn()
      await fiftyTurns()
      assert.equal(sink.lines.length, 1)
      mayStore.resolve()
      await published
    }
  } finally {
    timers.reset()
  }
})

test('when the log cannot be read, those who are behind are told so', async () => {
  const log = new SlowLog({ eventsMax: 10 })
  using hub = openHub(log)
  await hub.publish([publication('/a', { text: 'x'.repeat(5_000_000) })]) // too much for the ring
  log.read = () => {
    throw new Error('it is broken')
  }
  const sink = new RecordingSink()
  hub.subscribe(byteRequest({ ...REQUEST, from: START, sink }))
  await sink.until((lines) => lines.includes('closing unavailable'))
  assert.equal(sink.ended, 'unavailable')
})

test('a subscription to a hub that is closed is ended at once', () => {
  const hub = openHub(new SlowLog({ eventsMax: 10 }))
  hub[Symbol.dispose]()
  const sink = new RecordingSink()
  hub.subscribe(byteRequest({ ...REQUEST, from: 'head', sink }))
  assert.equal(sink.ended, 'shutdown')
  assert.equal(hub.subscriberCount, 0)
})

const REQUEST = {
  wants: wantsA,
  rights: PUBLIC_ONLY,
  encoding: PLAIN,
  opening: Buffer.alloc(0),
}

function openHub(log: EventLog): Hub {
  return new Hub(log, {
    queueBytesMax: 1_000_000,
    stallTimeoutMs: 300_000,
    topicFiltersMax: 10_000,
    conditionsMax: 10_000,
  })
}

async function fiftyTurns(): Promise<void> {
  for (let i = 0; i < 50; i++) await turn()
}

/** With so many events that the first ones are only in the log. */
async function hubBehindRing({ eventsMax = 0, textLength = 1_000, count = 500 }) {
  const log = new MemoryEventLog({ eventsMax, maxAgeMs: 0, bytesMax: 1e9 })
  const hub = openHub(log)
  const text = 'x'.repeat(textLength)
  await hub.publish(Array.from({ length: count }, (_, n) => publication('/a', { n, text })))
  await hub.publish(Array.from({ length: 5 }, () => publication('/b', { text: 'x'.repeat(1e6) })))
  return {
    hub,
    subscribe: (sink: RecordingSink, wants = wantsA, encoding = PLAIN) =>
      hub.subscribe(byteRequest({ ...REQUEST, wants, encoding, from: START, sink })),
  }
}

interface Settings {
  readonly eventsMax: number
  readonly maxAgeMs: number
  readonly queueBytesMax: number
  readonly turnsBefore: number
  readonly turnsAfter: number
}

const settings: fc.Arbitrary<Settings> = fc.record({
  eventsMax: fc.constantFrom(0, 3, 20, 100_000),
  maxAgeMs: fc.constantFrom(0, 0, 10),
  queueBytesMax: fc.constantFrom(10, 100, 100_000),
  turnsBefore: fc.constantFrom(0, 0, 1, 3),
  turnsAfter: fc.constantFrom(0, 0, 1, 3),
})

type Operation =
  | { type: 'publish'; paths: string[]; lineLength: number; textLength: number }
  | {
      type: 'subscribe'
      wants: readonly TopicFilter[]
      rights: Rights
      back: number
      takes: number
      /** What its descriptor takes at once, in bytes; `null`: it has none. */
      direct: number | null
    }
  | { type: 'take'; which: number; bytes: number }
  | { type: 'setRights'; which: number; rights: Rights }
  | { type: 'setEncoding'; which: number; form: Form }
  | { type: 'tell'; which: number }
  | { type: 'close' | 'end' | 'keepAlive'; which: number }
  | { type: 'passTime'; ms: number }
  | { type: 'turns'; count: number }

const RIGHTS: readonly Rights[] = [
  PUBLIC_ONLY,
  { key: 'b', seesNothing: false, maySee: (event) => event.topics.includes('b') },
  { key: 'all', seesNothing: false, maySee: () => true },
]

const rights = fc.constantFrom(...RIGHTS)
const which = fc.nat(9)
const topicFilter: fc.Arbitrary<TopicFilter> = fc.record({
  topics: fc.subarray(['a', 'b', 'c']),
  privateOnly: fc.boolean(),
})

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('publish' as const),
      paths: fc.array(fc.constantFrom('/a', '/b', '/a/b', '/private/a', '/private/a/b', '/c'), {
        minLength: 1,
        maxLength: 8,
      }),
      lineLength: fc.constantFrom(10, 10, 60, 100_000),
      textLength: fc.constantFrom(10, 10, 30_000, 1_500_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('subscribe' as const),
      // Mostly the same ones, so that audiences have several members.
      wants: fc.oneof(
        { weight: 3, arbitrary: fc.constant(wantsA) },
        fc.array(topicFilter, { minLength: 1, maxLength: 2 }),
      ),
      rights,
      back: fc.oneof(fc.constant(0), fc.nat(40)),
      takes: fc.constantFrom(0, Infinity),
      direct: fc.constantFrom(null, 0, 7, 1_000, Infinity),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('take' as const),
      which,
      bytes: fc.constantFrom(5, 50, Infinity),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant('setRights' as const), which, rights }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('setEncoding' as const),
      which,
      form: fc.constantFrom<Form>('event', 'other'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('tell' as const), which }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('close', 'end'), which }) },
  fc.record({ type: fc.constant('keepAlive' as const), which }),
  fc.record({ type: fc.constant('passTime' as const), ms: fc.constantFrom(4, 11) }),
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('turns' as const),
      count: fc.constantFrom(1, 2, 10),
    }),
  },
)

/** What the model knows of a subscriber: everything but how the hub does it. */
interface Peer {
  readonly subscription: ByteSubscription
  readonly sink: RecordingSink
  readonly wants: readonly TopicFilter[]
  readonly from: number
  /** Which rights hold from which of its lines on. */
  readonly rights: { readonly sinceLine: number; readonly rights: Rights }[]
  /** In which form its events come from which of its lines on. */
  readonly forms: { readonly sinceLine: number; readonly form: Form }[]
  /** How many lines of its own it was told. */
  told: number
}

type Form = 'event' | 'other'

const FILTERS_MAX = 60

async function runAgainstModel(set: Settings, operations: readonly Operation[]): Promise<void> {
  const log = new SlowLog(set)
  const options = {
    ...set,
    stallTimeoutMs: 300_000,
    topicFiltersMax: FILTERS_MAX,
    conditionsMax: 10,
  }
  const kernel = new RecordingKernel()
  const hub = new Hub(log, options, kernel.fanOut())
  /** The event of position n is at index n - 1. */
  const published: Publication[] = []
  const peers: Peer[] = []
  const one = ({ which: n }: { which: number }): Peer | undefined => peers[n % peers.length]
  let mayDrop = set.eventsMax < 100_000 || set.maxAgeMs > 0

  const perform = async (step: Operation): Promise<void> => {
    switch (step.type) {
      case 'publish': {
        const payload = { line: step.lineLength, text: 'x'.repeat(step.textLength) }
        const batch = step.paths.map((path) => publication(path, payload))
        published.push(...batch)
        void hub.publish(batch)
        return
      }
      case 'subscribe': {
        const from = Math.max(0, hub.head - step.back) as Position
        const sink = new RecordingSink({
          isReading: step.takes > 0,
          highWaterBytes: 40,
          ...(step.direct === null ? {} : { direct: { kernel, bytesMax: step.direct } }),
        })
        const subscription = hub.subscribe(
          byteRequest({ ...REQUEST, ...step, encoding: positions('event'), from, sink }),
        )
        const { wants, rights: held } = step
        peers.push({
          subscription,
          sink,
          wants,
          from,
          rights: [{ sinceLine: 0, rights: held }],
          forms: [{ sinceLine: 0, form: 'event' }],
          told: 0,
        })
        return
      }
      case 'take': {
        const peer = one(step)
        if (peer?.sink.drain(step.bytes) === true) peer.subscription.drained()
        return
      }
      case 'setRights': {
        const peer = one(step)
        if (peer === undefined) return
        peer.rights.push({ sinceLine: peer.sink.lines.length, rights: step.rights })
        peer.subscription.setRights(step.rights)
        return
      }
      case 'setEncoding': {
        const peer = one(step)
        peer?.forms.push({ sinceLine: peer.sink.lines.length, form: step.form })
        peer?.subscription.setEncoding(positions(step.form))
        return
      }
      case 'tell': {
        const peer = one(step)
        if (peer === undefined) return
        peer.subscription.tell(Buffer.from(`told ${++peer.told} ${hub.head}\n`))
        return
      }
      case 'close': {
        const peer = one(step)
        if (peer === undefined) return
        peer.subscription.close()
        peer.sink.close()
        return
      }
      case 'end':
        return one(step)?.subscription.end('revoked')
      case 'keepAlive':
        return one(step)?.subscription.keepAlive(() => Buffer.from('alive\n'))
      case 'passTime':
        log.clock.pass(step.ms)
        return
      case 'turns':
        for (let i = 0; i < step.count; i++) await turn()
    }
  }

  for (const step of operations) await perform(step)
  // In the end everybody reads, and then nobody may be behind. Several pages may go by of which nothing is due.
  for (let quiet = 0, turns = 0; quiet < 100; turns++) {
    assert.ok(turns < 5_000, 'the hub does not come to rest')
    const before = peers.map(({ sink }) => sink.writes).join()
    for (const { sink, subscription } of peers) if (sink.drain()) subscription.drained()
    await turn()
    quiet = before === peers.map(({ sink }) => sink.writes).join() ? quiet + 1 : 0
  }
  for (const peer of peers) {
    const mayOverflow = peer.told > 1 && set.queueBytesMax <= 100
    check(peer, published, { mayDrop, mayEndAsSlow: mayDrop || mayOverflow })
  }
  assert.deepEqual(kernel.faults, [])

  for (const { subscription } of peers) subscription.close()
  assert.equal(hub.subscriberCount, 0)
  const different = Array.from({ length: FILTERS_MAX }, (_, n) => ({
    topics: [`${n}`],
    privateOnly: false,
  }))
  const last = hub.subscribe(
    byteRequest({
      ...REQUEST,
      wants: different,
      from: 'head',
      sink: new RecordingSink(),
    }),
  )
  last.close()
  hub[Symbol.dispose]()
}

/** Its lines against what was published. */
function check(
  { sink, wants, rights: held, from, forms, told }: Peer,
  published: readonly Publication[],
  { mayDrop, mayEndAsSlow }: { mayDrop: boolean; mayEndAsSlow: boolean },
): void {
  const lines = sink.lines.map((line) => line.replaceAll('.', '').split(' '))
  const rightsAt = (line: number) => held.findLastIndex(({ sinceLine }) => sinceLine <= line)
  const isVisible = (event: Publication, ofRights: number) =>
    !event.isPrivate || held[ofRights]!.rights.maySee(event as PublishedEvent)
  /** Every event up to here was shown, or was not due, or is in a gap that was told. */
  let reached = from
  let rightsBefore = 0
  let toldBefore = 0
  /** Nothing is missing between the line before and this one. */
  const passOver = (until: number, line: number) => {
    const rightsNow = Math.max(rightsBefore, rightsAt(line))
    for (let n = reached + 1; n <= until; n++) {
      const event = published[n - 1]!
      if (!wants.some((filter) => filterMatches(filter, event))) continue
      let isDue = true
      for (let i = rightsBefore; i <= rightsNow; i++) isDue &&= isVisible(event, i)
      assert.ok(!isDue, `event ${n} is missing before line ${line}`)
    }
  }
  lines.forEach(([kind, a, b], line) => {
    assert.ok(kind !== undefined && a !== undefined)
    const isEvent = kind === 'event' || kind === 'other'
    const place = Number(isEvent ? a : b)
    if (isEvent) {
      assert.equal(kind, forms.findLast(({ sinceLine }) => sinceLine <= line)!.form)
      assert.ok(place > reached, `event ${place} comes after ${reached}`)
      passOver(place - 1, line)
      const event = published[place - 1]!
      assert.ok(wants.some((filter) => filterMatches(filter, event)))
      assert.ok(isVisible(event, rightsAt(line)), `event ${place} may not be seen`)
      rightsBefore = rightsAt(line)
    } else if (kind === 'told') {
      assert.equal(Number(a), ++toldBefore)
      assert.ok(place >= reached, `it was told something at ${place} after ${reached}`)
      passOver(place, line)
    } else {
      if (kind === 'gap') assert.ok(mayDrop, 'a gap where nothing was dropped')
      else assert.ok(a !== 'slow' || mayEndAsSlow, 'closed as slow where nothing was dropped')
      assert.ok(place >= reached, `${kind} ${a} at ${place} after ${reached}`)
      if (kind === 'closing') {
        assert.equal(line, lines.length - 1)
        passOver(place, line)
      }
    }
    reached = place
  })
  assert.equal(sink.ended !== null, lines.at(-1)?.[0] === 'closing')
  if (sink.ended !== null || sink.isClosed) return
  passOver(published.length, lines.length)
  assert.equal(toldBefore, told)
}

/** A line says its position, and is as long as its payload wishes; control lines say the place of their cursor. */
function positions(form: Form): SharedEncoding {
  return {
    key: `positions ${form}`,
    event: ({ position, payload }) => {
      const wanted = Number(/\d+/.exec(payload.text)![0])
      return Buffer.from(`${form} ${position} `.padEnd(wanted - 1, '.') + '\n')
    },
    keepAlive: () => Buffer.from('alive\n'),
    gap: ({ reason, cursor }) => Buffer.from(`gap ${reason} ${cursor}\n`),
    closing: ({ reason, cursor }) => Buffer.from(`closing ${reason} ${cursor}\n`),
  }
}

/** Takes its time to read, as one on a disk does. */
class SlowLog extends MemoryEventLog {
  turnsBefore: number
  turnsAfter: number
  readonly clock: MovableClock
  reads = 0
  gap: Page['gap'] = null

  constructor({
    eventsMax,
    maxAgeMs = 0,
    turnsBefore = 0,
    turnsAfter = 0,
  }: Partial<Settings> & { eventsMax: number }) {
    const clock = new MovableClock()
    super({ eventsMax, maxAgeMs, bytesMax: 1e9, clock })
    this.clock = clock
    this.turnsBefore = turnsBefore
    this.turnsAfter = turnsAfter
  }

  override cursorOf(position: Position): Cursor {
    return `${position}` as Cursor
  }

  override async *read(after: Position, options: ReadOptions): AsyncGenerator<Page> {
    this.reads++
    const until = this.head
    for (let i = 0; i < this.turnsBefore; i++) await turn()
    for await (const page of super.read(after, { ...options, until })) {
      for (let i = 0; i < this.turnsAfter; i++) await turn()
      yield this.gap === null ? page : { ...page, gap: this.gap }
    }
  }
}
