import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { MemoryStateStore } from '../../../src/log/memory/memory-state-store.ts'
import { LogClock } from '../../../src/log/log-clock.ts'
import { Missed } from '../../../src/protocols/lonelyps/missed.ts'
import {
  StoredSubscriptions,
  type StoredSubscription,
} from '../../../src/protocols/lonelyps/stored-subscriptions.ts'
import type { Cursor } from '../../../src/hub/event.ts'
import { FaultyStateStore, ROW_LIMITS, settled } from '../../consumers/world.ts'

/** A row with a recovery url, and those whom it is told. */
class Recipient {
  readonly told: string[] = []
  readonly kept = new MemoryStateStore()
  isConfirmed = true
  answer = (): Promise<boolean> => Promise.resolve(this.isConfirmed)
  state!: FaultyStateStore
  rows!: StoredSubscriptions
  missed!: Missed
  readonly #t: TestContext
  readonly #clock: LogClock
  /** What the clock on the wall is ahead. */
  leapMs = 0

  constructor(t: TestContext) {
    t.mock.timers.enable({ apis: ['setInterval', 'Date'], now: Date.UTC(2026, 11, 1) })
    this.#t = t
    this.#clock = new LogClock({
      sources: {
        wallMs: () => Date.now() + this.leapMs,
        monotonicMs: () => Date.now(),
        uptimeMs: () => Date.now(),
        bootId: null,
      },
    })
    t.after(() => this.missed.close())
  }

  async start(): Promise<void> {
    this.state = new FaultyStateStore(this.kept)
    this.rows = await StoredSubscriptions.load({
      state: this.state,
      limits: { ...ROW_LIMITS, subscriptionsMax: 10_000 },
      onChange: () => {},
      isKnown: () => true,
    })
    this.missed = await Missed.load({
      state: this.state,
      rows: this.rows,
      forMs: 60_000,
      timeAgo: (ms) => this.#clock.ago(ms),
      send: (row, topic) => {
        this.told.push(`${row.recovery} ${topic.toString()}`)
        return this.answer()
      },
    })
  }

  async kill(): Promise<void> {
    this.missed.close()
    this.state.isCutOff = true
    await this.start()
  }

  async subscribed(): Promise<StoredSubscription> {
    await this.start()
    await this.set('r')
    return this.rows.of('u')[0]!
  }

  /** The url `u` has this recovery url from now on, or no subscription. */
  async set(recovery: string | null, url = 'u'): Promise<void> {
    const interest = { type: 'glob', glob: '*' } as const
    const wanted = recovery === null ? [] : [{ interest, recovery }]
    await this.rows.set(url, wanted, { owner: null, since: 'place' as Cursor })
  }

  async pass(seconds: number): Promise<void> {
    for (let i = 0; i < seconds * 2; i++) {
      this.#t.mock.timers.tick(500)
      await settled(2)
    }
  }
}

test('losses that go on do not put off what is told of them', async (t) => {
  const it = new Recipient(t)
  const row = await it.subscribed()
  for (let i = 0; i < 10; i++) {
    it.missed.add(row, Buffer.from(`t${i}`))
    await it.pass(1)
  }
  assert.ok(it.told.length >= 2, it.told.join())
  await it.pass(5)
  assert.equal(it.told.at(-1), 'r t9')
})

test('what is to be told goes to the recovery url of now, and to nobody who has ended it', async (t) => {
  const it = new Recipient(t)
  const row = await it.subscribed()
  it.missed.add(row, Buffer.from('a'))
  await it.set('new')
  await it.pass(5)
  assert.deepEqual(it.told, ['new a'])
  it.missed.add(it.rows.of('u')[0]!, Buffer.from('b'))
  await it.set(null)
  await it.pass(5)
  assert.deepEqual(it.told, ['new a'])
})

test('a loss that a full disk did not take is kept as soon as it has room', async (t) => {
  const it = new Recipient(t)
  const row = await it.subscribed()
  it.state.isFull = true
  it.missed.add(row, Buffer.from('a'))
  await it.pass(0.5)
  it.state.isFull = false
  await it.pass(0.5)
  await it.kill()
  await it.pass(5)
  assert.deepEqual(it.told, ['r a'])
})

for (const [what, leapMs] of [
  ['forward', 365 * 86_400_000],
  ['back', -365 * 86_400_000],
] as const)
  test(`a clock that leaps ${what} for a moment neither ends what is to be told nor puts it off for long`, async (t) => {
    const it = new Recipient(t)
    const row = await it.subscribed()
    it.isConfirmed = false
    it.missed.add(row, Buffer.from('a'))
    it.leapMs = leapMs
    await it.pass(10)
    it.leapMs = 0
    const before = it.told.length
    assert.ok(before > 0)
    it.isConfirmed = true
    await it.pass(20)
    assert.equal(it.told.length, before + 1)
  })

test('of very many that are due at once some are sent, others when these are answered, and nobody is forgotten', async (t) => {
  const it = new Recipient(t)
  const row = await it.subscribed()
  const { promise, resolve } = Promise.withResolvers<boolean>()
  it.answer = () => promise
  const urls = Array.from({ length: 3_000 }, (_, n) => `u${n}`)
  for (const url of urls) await it.set('r', url)
  for (const url of urls) it.missed.add({ ...row, ...it.rows.of(url)[0] }, Buffer.from(url))
  await it.pass(6)
  assert.ok(it.told.length > 500 && it.told.length < 2_000, String(it.told.length))
  resolve(true)
  for (let i = 0; i < 20; i++) await it.pass(1)
  assert.equal(new Set(it.told).size, 3_000)
  assert.equal(it.told.length, 3_000)
})

for (const turns of [1, 2, 3, 4, 5, 6])
  test(`what is confirmed ${turns} turns after the last was sent, while others are looked at, is told once`, async (t) => {
    const it = new Recipient(t)
    const row = await it.subscribed()
    const COUNT = 300
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const confirmIn = (left: number) => {
      if (left === 0) resolve(true)
      else setImmediate(() => confirmIn(left - 1))
    }
    it.answer = () => {
      if (it.told.length === COUNT) confirmIn(turns)
      return promise
    }
    const urls = Array.from({ length: COUNT }, (_, n) => `u${n}`)
    for (const url of urls) await it.set('r', url)
    for (const url of urls) it.missed.add({ ...row, ...it.rows.of(url)[0] }, Buffer.from(url))
    // Each look at the clock finds the turn spent, as on a busy machine.
    let nowMs = 0
    t.mock.method(performance, 'now', () => (nowMs += 100))
    while (it.told.length < COUNT) await it.pass(1)
    await it.pass(10)
    assert.equal(it.told.length, COUNT)
  })

test('who does not confirm is told again more and more seldom, and at last no more', async (t) => {
  const it = new Recipient(t)
  const row = await it.subscribed()
  it.isConfirmed = false
  it.missed.add(row, Buffer.from('a'))
  await it.pass(100)
  const { length } = it.told
  assert.ok(length >= 4 && length <= 6, String(length))
  await it.pass(300)
  assert.equal(it.told.length, length)
  await it.kill()
  await it.pass(10)
  assert.equal(it.told.length, length)
})
