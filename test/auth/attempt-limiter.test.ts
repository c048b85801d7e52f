import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { AttemptLimiter, type Claimant } from '../../src/auth/attempt-limiter.ts'
import { MovedClock } from './moved-clock.ts'

const DELAY_MS_MAX = 4_000
const HERE = '192.0.2.1'
const ELSEWHERE = '198.51.100.1'

function limited(delayMsMax = DELAY_MS_MAX): { limiter: AttemptLimiter; clock: MovedClock } {
  const clock = new MovedClock()
  return { limiter: new AttemptLimiter(delayMsMax, clock), clock }
}

/** How long one attempt waits, in ms. `null`: it is postponed. */
async function wait(limiter: AttemptLimiter, clock: MovedClock, claimant: Claimant) {
  const startMs = clock.now()
  const told: { waitMs?: number | null } = {}
  const admitted = async () => {
    const { type } = await limiter.admit(claimant)
    told.waitMs = type === 'admitted' ? clock.now() - startMs : null
  }
  void admitted()
  await clock.move(0)
  while (told.waitMs === undefined) await clock.move(125)
  return told.waitMs
}

test('a name at an address waits longer with each failure, but never longer than the limit', async () => {
  const { limiter, clock } = limited()
  const claimant = { address: HERE, name: 'alice' }
  const waits: (number | null)[] = []
  for (let n = 0; n < 9; n++) {
    waits.push(await wait(limiter, clock, claimant))
    limiter.failed(claimant)
  }
  assert.deepEqual(waits, [0, 0, 0, 500, 1_000, 2_000, 4_000, 4_000, 4_000])
})

test('attempts at the same time wait in turn; beyond the limit the newest has the last turn, and the others are postponed', async () => {
  const { limiter, clock } = limited()
  const claimant = { address: HERE, name: 'alice' }
  for (let n = 0; n < 5; n++) limiter.failed(claimant)
  const admittedMs: number[] = []
  let postponed = 0
  const admitted: number[] = []
  const attempt = async (n: number) => {
    const { type } = await limiter.admit(claimant)
    if (type === 'postponed') postponed++
    else {
      admittedMs.push(clock.now())
      admitted.push(n)
    }
  }
  for (let n = 0; n < 1_000; n++) void attempt(n)
  await clock.move(0)
  assert.equal(postponed, 998)
  assert.equal(clock.sleeperCount, 2)
  await clock.move(DELAY_MS_MAX)
  assert.deepEqual(admittedMs, [2_000, 4_000])
  assert.deepEqual(admitted, [0, 999])
})

test('whoever comes again with the same password has the turn before all that are new, however steadily those come', async () => {
  for (const guessesPerSecond of [1, 8, 100]) {
    const { limiter, clock } = limited()
    const claimant = { address: HERE, name: 'alice' }
    for (let n = 0; n < 9; n++) limiter.failed(claimant)
    let isIn = false
    let tries = 0
    let guesses = 0
    const guess = async (credentials: string) => {
      const { type } = await limiter.admit({ ...claimant, credentials })
      if (type === 'admitted') limiter.failed(claimant)
    }
    const comeAgain = async () => {
      for (;;) {
        tries++
        const { type } = await limiter.admit({ ...claimant, credentials: 'right' })
        isIn ||= type === 'admitted'
        if (isIn) return
        await clock.sleep(1_500)
      }
    }
    for (let n = 0; n < 60 * guessesPerSecond; n++) {
      if (isIn) break
      void guess(`guess ${guesses++}`)
      if (n === 3 * guessesPerSecond) void comeAgain()
      await clock.move(1_000 / guessesPerSecond)
    }
    assert.ok(isIn, `not after ${tries} tries beside ${guessesPerSecond} guesses a second`)
    assert.ok(tries <= 3, `${tries} tries`)
  }
})

test('of those that come again the one that came first has the turn', async () => {
  const { limiter, clock } = limited()
  const claimant = { address: HERE, name: 'alice' }
  for (let n = 0; n < 9; n++) limiter.failed(claimant)
  const names = ['holder', 'first', 'second', 'third']
  for (const credentials of names) {
    void limiter.admit({ ...claimant, credentials })
    await clock.move(10)
  }
  await clock.move(2_000)
  const admitted: string[] = []
  for (const credentials of names.slice(1).toReversed())
    void limiter
      .admit({ ...claimant, credentials })
      .then(({ type }) => type === 'admitted' && admitted.push(credentials))
  await clock.move(DELAY_MS_MAX)
  assert.deepEqual(admitted, ['first'])
})

test('whoever has the right password elsewhere, or another name, is not slowed', async () => {
  const { limiter, clock } = limited()
  for (let n = 0; n < 9; n++) limiter.failed({ address: HERE, name: 'alice' })
  assert.equal(await wait(limiter, clock, { address: ELSEWHERE, name: 'alice' }), 0)
  assert.equal(await wait(limiter, clock, { address: HERE, name: 'bob' }), 0)
  assert.ok(limiter.isSlowed({ address: HERE, name: 'alice' }))
})

test('failures at one address are counted over all names, with shorter waits', async () => {
  const { limiter, clock } = limited()
  const waits: (number | null)[] = []
  for (let n = 0; n < 16; n++) {
    const claimant = { address: HERE, name: n % 2 === 0 ? `name ${n}` : null }
    waits.push(await wait(limiter, clock, claimant))
    limiter.failed(claimant)
  }
  assert.deepEqual(waits.slice(0, 10), Array(10).fill(0))
  assert.deepEqual(waits.slice(10), [125, 250, 500, 1_000, 1_000, 1_000])
})

test('who has logged in at an address is not slowed there by failures of other names', async () => {
  const { limiter, clock } = limited()
  limiter.succeeded({ address: HERE, name: 'bob' })
  for (let n = 0; n < 100; n++) limiter.failed({ address: HERE, name: `name ${n}` })
  assert.equal(await wait(limiter, clock, { address: HERE, name: 'bob' }), 0)
  for (let n = 0; n < 3; n++) limiter.failed({ address: HERE, name: 'bob' })
  assert.equal(await wait(limiter, clock, { address: HERE, name: 'bob' }), 500)
})

test('a right password ends the waits of its name at its address, and not those of the address', async () => {
  const { limiter, clock } = limited()
  for (let n = 0; n < 20; n++) limiter.failed({ address: HERE, name: 'alice' })
  limiter.succeeded({ address: HERE, name: 'alice' })
  assert.equal(await wait(limiter, clock, { address: HERE, name: 'alice' }), 0)
  assert.equal(await wait(limiter, clock, { address: HERE, name: 'bob' }), 1_000)
})

test('a name that fails at many addresses has one free try at each', async () => {
  const { limiter, clock } = limited()
  for (let n = 0; n < 20; n++) limiter.failed({ address: `203.0.113.${n}`, name: 'alice' })
  const claimant = { address: HERE, name: 'alice' }
  assert.equal(await wait(limiter, clock, claimant), 0)
  limiter.failed(claimant)
  assert.equal(await wait(limiter, clock, claimant), 500)
})

test('spellings that directories take for one name, and addresses of one IPv6 network, are one', () => {
  const { limiter } = limited()
  const spellings = ['Alice', ' alice', 'alice ', 'ＡＬＩＣＥ']
  for (const [n, name] of spellings.entries()) limiter.failed({ address: `2001:db8::${n}`, name })
  assert.ok(limiter.isSlowed({ address: '2001:db8::ffff', name: 'alice' }))
  assert.equal(limiter.isSlowed({ address: '2001:db8:0:1::1', name: 'alice' }), false)
})

test('a limit of 0 slows nobody', async () => {
  const { limiter, clock } = limited(0)
  const claimant = { address: HERE, name: 'alice' }
  for (let n = 0; n < 100; n++) limiter.failed(claimant)
  assert.equal(await wait(limiter, clock, claimant), 0)
})

test('whatever comes, no address gets more turns than its waits allow, and nobody waits longer than the limit', async () => {
  const madeAttempt = fc.record({
    address: fc.constantFrom(HERE, ELSEWHERE, null),
    name: fc.constantFrom('alice', 'bob', null),
    pauseMs: fc.constantFrom(0, 0, 0, 100, 1_500),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(madeAttempt, { minLength: 30, maxLength: 80 }), async (attempts) => {
      const { limiter, clock } = limited()
      const judged = new Map<string, number[]>()
      for (const { address, name, pauseMs } of attempts) {
        const attempt = async () => {
          const askedMs = clock.now()
          const { type } = await limiter.admit({ address, name })
          assert.ok(clock.now() - askedMs <= DELAY_MS_MAX)
          if (type === 'postponed') return
          const key = `${address} ${name}`
          judged.set(key, [...(judged.get(key) ?? []), clock.now()])
          limiter.failed({ address, name })
        }
        void attempt()
        await clock.move(pauseMs)
      }
      await clock.move(DELAY_MS_MAX)
      for (const [key, timesMs] of judged) {
        if (key.endsWith(' null')) continue
        // Beyond the free ones a name has no two turns within half a second.
        for (let n = 4; n < timesMs.length; n++) assert.ok(timesMs[n]! - timesMs[n - 1]! >= 500)
      }
    }),
    { numRuns: 50 },
  )
})
