import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { MemoryStateStore } from '../../../src/log/memory/memory-state-store.ts'
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
  state!: FaultyStateStore
  rows!: StoredSubscriptions
  missed!: Missed
  readonly #t: TestContext

  constructor(t: TestContext) {
    t.mock.timers.enable({ apis: ['setInterval', 'Date'] })
    this.#t = t
    t.after(() => this.missed.close())
  }

  async start(): Promise<void> {
    this.state = new FaultyStateStore(this.kept)
    this.rows = await StoredSubscriptions.load({
      state: this.state,
      limits: ROW_LIMITS,
      onChange: () => {},
      isKnown: () => true,
    })
    this.missed = await Missed.load({
      state: this.state,
      rows: this.rows,
      forMs: 60_000,
      send: (row, topic) => {
        this.told.push(`${row.recovery} ${topic.toString()}`)
        return Promise.resolve(this.isConfirmed)
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

  async set(...recoveries: string[]): Promise<void> {
    const interest = { type: 'glob', glob: '*' } as const
    const wanted = recoveries.map((recovery) => ({ interest, recovery }))
    await this.rows.set('u', wanted, { owner: null, since: 'place' as Cursor })
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
  await it.set()
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
