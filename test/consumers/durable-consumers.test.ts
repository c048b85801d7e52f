import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import fc from 'fast-check'
import { isTurnSpent } from '../../src/ops/turn-budget.ts'
import type { StoredSubscription } from '../../src/protocols/lonelyps/stored-subscriptions.ts'
import { settled, World } from './world.ts'

const HANGS = () => new Promise<number>(() => {})

const PUBLICATION = {
  topics: ['a'],
  isPrivate: false,
  path: '/a',
  payload: { type: 'json-object', text: '{"n":0}' },
} as const

async function started(t: TestContext, eventsMax?: number): Promise<World> {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  const world = new World(eventsMax)
  await world.start()
  t.after(() => world.kill())
  return world
}

/** Places are stored after it. */
async function later(t: TestContext, ms = 6_000): Promise<void> {
  for (let i = 0; i < 3; i++) {
    t.mock.timers.tick(ms)
    await settled()
  }
}

test('what came behind a new subscription is sent after a kill, although no place was stored yet', async (t) => {
  const world = await started(t)
  await world.subscribe('u', 'a')
  world.answer = HANGS
  await world.publish('/a', 3)
  world.kill()
  world.answer = () => Promise.resolve(1)
  await world.start()
  await settled()
  assert.deepEqual(world.numbersTo('u'), [0, 0, 1, 2])
})

test('what waited at a stop is sent after it, however slow the disk was', async (t) => {
  const world = await started(t)
  await world.subscribe('u', 'a')
  const first = Promise.withResolvers<number>()
  world.answer = () => first.promise
  await world.publish('/a', 3)
  const disk = Promise.withResolvers<void>()
  world.state.gate = disk.promise
  t.mock.timers.tick(6_000) // places are being stored
  await settled()
  const stopped = world.stop()
  first.resolve(0) // as a request that is cut off
  await settled()
  disk.resolve()
  await stopped
  world.answer = () => Promise.resolve(1)
  await world.start()
  await settled()
  assert.deepEqual(world.numbersTo('u'), [0, 0, 1, 2])
})

test('what leaves the log while a receiver that is behind takes its time is told as lost', async (t) => {
  const world = await started(t, 1_500)
  await world.subscribe('u', 'a')
  const gates: ((count: number) => void)[] = []
  world.answer = () => new Promise((resolve) => gates.push(resolve))
  await world.publish('/a', 1_500) // more than its queue
  for (let i = 0; i < 1_010; i++) {
    gates.shift()?.(1)
    await settled(1)
  }
  assert.equal(world.lost.length, 0)
  await world.publish('/a', 3_000)
  world.answer = () => Promise.resolve(1)
  for (let i = 0; i < 20; i++) {
    gates.shift()?.(1)
    await settled(5)
  }
  await settled(200)
  assert.ok(world.lost.length > 0)
  const numbers = world.numbersTo('u')
  assert.deepEqual(
    numbers,
    numbers.toSorted((a, b) => a - b),
  )
  assert.equal(numbers.at(-1), 4_499)
})

test('without a backlog, what does not fit into the queue is told as lost', async (t) => {
  const world = await started(t, 0)
  await world.subscribe('u', 'a')
  const { promise, resolve } = Promise.withResolvers<number>()
  world.answer = () => promise
  await world.publish('/a', 2_000)
  await world.hub.settled()
  world.answer = async () => 1
  resolve(1)
  await settled(100)
  assert.ok(world.lost.length > 0)
  const next = await world.publish('/a')
  await settled()
  assert.equal(world.numbersTo('u').at(-1), next)
})

test('what waits for a subscription is sent when its recovery url has changed meanwhile', async (t) => {
  const world = await started(t)
  await world.subscribe('u', 'a', 'old')
  const first = Promise.withResolvers<number>()
  world.answer = () => first.promise
  await world.publish('/a', 2)
  await world.rows.set(
    'u',
    [{ interest: { type: 'exact', topic: Buffer.from('a') }, recovery: 'new' }],
    { owner: null, since: world.hub.cursorOf(world.hub.head) },
  )
  first.resolve(1)
  await settled()
  assert.deepEqual(
    world.sent.map(({ n, recovery }) => [n, recovery]),
    [
      [0, 'old'],
      [1, 'new'],
    ],
  )
})

test('what waits for one who has lost the right to see it is not sent', async (t) => {
  const world = await started(t)
  await world.subscribe('u', 'a')
  const first = Promise.withResolvers<number>()
  world.answer = () => first.promise
  await world.publish('/a', 3)
  world.maySee = () => false
  first.resolve(1)
  await settled()
  assert.deepEqual(world.numbersTo('u'), [0])
})

test('a url to which nothing was due has lost nothing by a kill, however far the log has gone on', async (t) => {
  const world = await started(t, 100)
  await world.subscribe('u', 'a')
  await world.publish('/a')
  await later(t)
  for (let i = 0; i < 5; i++) await world.publish('/other', 100)
  await later(t)
  world.kill()
  await world.start()
  const next = await world.publish('/a')
  await settled()
  assert.deepEqual(world.lost, [])
  assert.deepEqual(world.numbersTo('u'), [0, next])
})

test('a url whose place has left the log is told so, and gets what is left', async (t) => {
  const world = await started(t, 100)
  await world.subscribe('u', 'a')
  world.answer = HANGS
  await world.publish('/a')
  await later(t)
  world.kill()
  const first = await world.publish('/a', 150)
  world.answer = () => Promise.resolve(1)
  await world.start()
  await settled(200)
  assert.equal(world.lost.length, 1)
  assert.deepEqual(world.numbersTo('u').slice(1, 3), [first + 50, first + 51])
})

test('with a full disk everything goes on, and places are stored when there is room again', async (t) => {
  const world = await started(t)
  await world.subscribe('u', 'a')
  world.state.isFull = true
  await world.publish('/a', 5)
  await later(t)
  world.state.isFull = false
  await later(t)
  world.kill()
  await world.start()
  await settled()
  assert.deepEqual(world.numbersTo('u'), [0, 1, 2, 3, 4])
})

test('what has failed is tried again as the policy says, and nothing overtakes it', async (t) => {
  const world = await started(t)
  await world.subscribe('u', 'a')
  await world.subscribe('v', 'a')
  world.retryAfterMs = (failures) => (failures < 4 ? failures * 100 : null)
  world.answer = async ({ url, n }) => (url === 'u' && n === 0 ? -1 : 1)
  await world.publish('/a', 2)
  await settled()
  assert.deepEqual(world.numbersTo('u'), [0])
  assert.deepEqual(world.numbersTo('v'), [0, 1])
  for (const ms of [99, 1, 199, 1, 300]) {
    t.mock.timers.tick(ms)
    await settled()
  }
  assert.deepEqual(world.numbersTo('u'), [0, 0, 0, 0, 1])
  assert.deepEqual(
    world.lost.map(({ url }) => url),
    ['u'],
  )
})

test('what waits to be tried again is tried after a kill, and ends with its subscription', async (t) => {
  const world = await started(t)
  await world.subscribe('u', 'a')
  world.retryAfterMs = () => 60_000
  world.answer = async () => -1
  await world.publish('/a', 2)
  await settled()
  await later(t)
  world.kill()
  await world.start()
  await settled()
  assert.deepEqual(world.numbersTo('u'), [0, 0])
  await world.rows.remove('u', { type: 'exact', topic: Buffer.from('a') }, null)
  world.answer = async () => 1
  await later(t, 70_000)
  assert.deepEqual(world.numbersTo('u'), [0, 0])
})

test('the outcome of the first tries is told while others are still to come', async (t) => {
  const world = await started(t)
  await world.subscribe('u', 'a')
  await world.subscribe('v', 'a')
  world.retryAfterMs = () => 60_000
  world.answer = async ({ url }) => (url === 'u' ? -1 : 3)
  const { outcomes } = world.consumers
  using _awaiting = outcomes.await()
  await world.publish('/a')
  const counts = await Promise.all(await outcomes.of(world.hub.head))
  assert.deepEqual(counts, [0, 3])
})

test('an event for very many is offered in turns of its own, and whoever awaits its outcome gets all of it', async (t) => {
  const world = await started(t)
  const names = Array.from({ length: 1_000 }, (_, i) => `u${i}`)
  for (const name of names) await world.subscribe(name, 'a')
  const { outcomes } = world.consumers
  using _awaiting = outcomes.await()
  // Whatever else this turn has done, its budget is spent.
  for (const endMs = performance.now() + 20; performance.now() < endMs || !isTurnSpent(););
  await world.log.append([{ ...PUBLICATION }])
  const counts = await outcomes.of(world.hub.head)
  assert.equal(counts.length, names.length)
  await settled()
  assert.equal(world.sent.length, names.length)
})

test('what throws while an event is offered is told, costs that event, and each is told that it may have lost it', async (t) => {
  const world = await started(t)
  await world.subscribe('u', 'a')
  world.rows.matching = () => {
    throw new Error('a bug')
  }
  await world.publish('/a')
  await settled()
  Reflect.deleteProperty(world.rows, 'matching')
  const next = await world.publish('/a')
  await settled()
  assert.deepEqual(world.numbersTo('u'), [next])
  assert.deepEqual(
    world.lost.map(({ url }) => url),
    ['u'],
  )
  assert.match(world.logged.join(), /could not be offered to anybody: Error: a bug/)
})

const PLACES_THAT_THROW: Readonly<Record<string, (world: World, fail: () => never) => void>> = {
  'a delivery': (world, fail) => void (world.answer = fail),
  'the right to see it': (world, fail) => void (world.maySee = fail),
  'the wait until the next try': (world, fail) => {
    world.answer = () => Promise.resolve(-1)
    world.retryAfterMs = fail
  },
  'the look at what the subscription is by now': (world, fail) => void (world.rows.current = fail),
  'what is due to one that is behind': (world, fail) => {
    world.answer = () => settled(1).then(() => 1)
    world.rows.matchingOf = fail
  },
}

for (const [place, plant] of Object.entries(PLACES_THAT_THROW))
  test(`what throws at ${place} is logged, costs one subscription that event, and is told it as lost`, async (t) => {
    const world = await started(t)
    const { answer, maySee, retryAfterMs } = world
    await world.subscribe('u', 'a')
    await world.stop()
    await world.publish('/a')
    await world.start()
    await settled()
    const before = world.sent.length
    plant(world, () => {
      throw new Error('a bug')
    })
    // More than its queue holds: the rest it reads from the log.
    await world.publish('/a', 1_500)
    for (let i = 0; i < 100; i++) await settled()
    Object.assign(world, { answer, maySee, retryAfterMs })
    Reflect.deleteProperty(world.rows, 'current')
    Reflect.deleteProperty(world.rows, 'matchingOf')
    assert.match(world.logged.join(), /could not be (offered|brought).*Error: a bug/)
    assert.ok(world.lost.length > 0 && world.lost.every(({ url }) => url === 'u'))
    const next = await world.publish('/a')
    await settled()
    assert.ok(world.sent.length > before)
    assert.equal(world.numbersTo('u').at(-1), next)
  })

/** What happens next. */
const anyHappening = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('publish'), topic: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('burst'), topic: fc.nat(1) }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('subscribe'), url: fc.nat(1), topic: fc.nat(2) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('unsubscribe'), url: fc.nat(1), topic: fc.nat(2) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('hang'), url: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('fail'), url: fc.nat(1) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('go on'), url: fc.nat(1) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('tick', 'kill', 'stop', 'disk') }) },
)

test('whatever happens, each url gets what is due in order, or is told that it has lost something', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(0, 40, 10_000),
      fc.array(anyHappening as fc.Arbitrary<Happening>, { maxLength: 25 }),
      (eventsMax, happenings) => play(t, eventsMax, happenings),
    ),
    { numRuns: 150 },
  )
})

type Happening =
  | { type: 'publish' | 'burst'; topic: number }
  | { type: 'subscribe' | 'unsubscribe'; url: number; topic: number }
  | { type: 'hang' | 'fail' | 'go on'; url: number }
  | { type: 'tick' | 'kill' | 'stop' | 'disk' }

const TOPICS = ['a', 'b', '*']

/** A subscription as the test knows it: due is what was published while it was there. */
interface Known {
  readonly row: StoredSubscription
  readonly due: number[]
  isOver: boolean
}

async function play(t: TestContext, eventsMax: number, happenings: readonly Happening[]) {
  const world = new World(eventsMax)
  const known: Known[] = []
  const failing = new Set<string>()
  const hanging = new Map<string, PromiseWithResolvers<number>>()
  /** Numbers to each url in each life of the process. */
  const lives = new Map<string, number[]>()
  world.answer = async ({ url, n }) => {
    const key = `${world.life} ${url}`
    lives.set(key, [...(lives.get(key) ?? []), n])
    if (failing.delete(url)) return -1
    return (await hanging.get(url)?.promise) ?? 1
  }
  world.retryAfterMs = (failures) => (failures < 3 ? 200 : null)
  const goOn = (url: string) => {
    hanging.get(url)?.resolve(1)
    hanging.delete(url)
  }
  const publish = async (topic: string, count: number) => {
    const subscribed = known.filter(
      ({ row, isOver }) =>
        !isOver && (row.interest.type === 'glob' || row.interest.topic.toString() === topic),
    )
    const first = await world.publish(`/${topic}`, count)
    for (const { due } of subscribed) for (let i = 0; i < count; i++) due.push(first + i)
  }
  await world.start()
  for (const happening of happenings) {
    const { type } = happening
    if (type === 'publish') await publish(TOPICS[happening.topic]!, 1)
    if (type === 'burst') await publish(TOPICS[happening.topic]!, 1_100)
    if (type === 'subscribe') {
      const url = `u${happening.url}`
      if (!(await world.subscribe(url, TOPICS[happening.topic]!).catch(() => false))) continue
      known.push({ row: world.rows.of(url).at(-1)!, due: [], isOver: false })
    }
    if (type === 'unsubscribe') {
      const [url, topic] = [`u${happening.url}`, TOPICS[happening.topic]!]
      const found = known.find(
        ({ row, isOver }) =>
          !isOver &&
          row.url === url &&
          (row.interest.type === 'glob' ? '*' : row.interest.topic.toString()) === topic,
      )
      if (found === undefined) continue
      found.isOver = await world.rows.remove(url, found.row.interest, null).catch(() => false)
    }
    if (type === 'hang') {
      const url = `u${happening.url}`
      if (!hanging.has(url)) hanging.set(url, Promise.withResolvers())
    }
    if (type === 'fail') failing.add(`u${happening.url}`)
    if (type === 'go on') goOn(`u${happening.url}`)
    if (type === 'tick') t.mock.timers.tick(250)
    if (type === 'disk') world.state.isFull = !world.state.isFull
    if (type === 'kill') world.kill()
    if (type === 'stop') await world.stop()
    if (type === 'kill' || type === 'stop') await world.start()
    await settled(3)
  }
  for (const url of hanging.keys()) goOn(url)
  const missingOf = ({ row, due }: Known): number[] => {
    if (world.lost.some(({ since }) => since === row.since)) return []
    const got = new Set(world.numbersTo(row.url))
    return due.filter((n) => !got.has(n))
  }
  const isOver = () => known.every((each) => each.isOver || missingOf(each).length === 0)
  // A delivery may fail again at each tick; a busy machine does less in each turn.
  for (let ticks = 0; ticks === 0 || (ticks < 1_000 && !isOver()); ticks++) {
    await settled(20)
    t.mock.timers.tick(250)
    await settled(20)
  }
  world.kill()
  for (const numbers of lives.values())
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    )
  for (const each of known) {
    if (each.isOver) continue
    const missing = missingOf(each)
    assert.ok(missing.length === 0, `${each.row.url} has not got ${missing.join()}`)
  }
}
