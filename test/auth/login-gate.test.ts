import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AclUsers } from '../../src/auth/acl-users.ts'
import { AttemptLimiter } from '../../src/auth/attempt-limiter.ts'
import type { Authenticator, Credentials, LoginResult } from '../../src/auth/identity.ts'
import { LoginGate } from '../../src/auth/login-gate.ts'
import { MovedClock } from './moved-clock.ts'

const HERE = '192.0.2.1'
const REFUSAL_MS = 500

const users = new AclUsers([
  { name: 'alice', password: 'wonderland', segments: new Map(), secureTopics: [] },
  { name: 'bob', password: 'builder', segments: new Map(), secureTopics: [] },
])

/** Answers as late as the test says. */
class SlowAuthenticator implements Authenticator {
  readonly asked: string[] = []
  #answers: (() => void)[] = []

  async authenticate(credentials: Credentials): Promise<LoginResult> {
    this.asked.push(credentials.password)
    await new Promise<void>((resolve) => this.#answers.push(resolve))
    return users.authenticate(credentials)
  }

  answerAll(): void {
    for (const answer of this.#answers.splice(0)) answer()
  }
}

function gated(authenticator: Authenticator = users) {
  const clock = new MovedClock()
  const logged: string[] = []
  const gate = new LoginGate(authenticator, {
    limiter: new AttemptLimiter(4_000, clock),
    refusalMs: REFUSAL_MS,
    clock,
    logger: (level, message) => void logged.push(`${level} ${message}`),
  })
  return { gate, clock, logged }
}

interface Answered {
  type: LoginResult['type'] | null
  afterMs: number
}

/** What becomes of an attempt, and when. */
function follow(clock: MovedClock, attempt: Promise<LoginResult>): Answered {
  const told: Answered = { type: null, afterMs: NaN }
  const startMs = clock.now()
  void attempt.then(({ type }) => Object.assign(told, { type, afterMs: clock.now() - startMs }))
  return told
}

async function answerTo(clock: MovedClock, attempt: Promise<LoginResult>): Promise<Answered> {
  const told = follow(clock, attempt)
  await clock.move(0)
  while (told.type === null) await clock.move(50)
  return told
}

test('a right password is answered at once', async () => {
  const { gate, clock, logged } = gated()
  const right = { address: HERE, name: 'alice', password: 'wonderland' }
  assert.deepEqual(await answerTo(clock, gate.login(right)), { type: 'accepted', afterMs: 0 })
  assert.deepEqual([gate.refusedCount, gate.postponedCount, logged], [0, 0, []])
})

test('a refusal takes the same time, whatever it is for', async () => {
  for (const [name, password] of [
    ['alice', 'wrong'],
    ['nobody', 'wonderland'],
    ['alice', ''],
    ['', ''],
    ['a'.repeat(20_000), 'b'.repeat(20_000)],
  ] as const) {
    const { gate, clock } = gated()
    const told = await answerTo(clock, gate.login({ address: HERE, name, password }))
    assert.deepEqual(told, { type: 'refused', afterMs: REFUSAL_MS })
  }
  const { gate, clock } = gated()
  const told = await answerTo(clock, gate.refuse(HERE))
  assert.deepEqual(told, { type: 'refused', afterMs: REFUSAL_MS })
})

test('the time that an authenticator takes is a part of that time', async () => {
  const slow = new SlowAuthenticator()
  const { gate, clock } = gated(slow)
  const told = follow(clock, gate.login({ address: HERE, name: 'alice', password: 'wrong' }))
  await clock.move(300)
  slow.answerAll()
  await clock.move(199)
  assert.equal(told.type, null)
  await clock.move(1)
  assert.deepEqual(told, { type: 'refused', afterMs: REFUSAL_MS })
})

test('who guesses has few answers, however many attempts are under way', async () => {
  const { gate, clock } = gated()
  const guesses = Array.from({ length: 4_000 }, (_, n) =>
    follow(clock, gate.login({ address: HERE, name: 'alice', password: `guess ${n}` })),
  )
  await clock.move(60_000)
  assert.equal(guesses.filter(({ type }) => type === 'refused').length, 3)
  assert.equal(guesses.filter(({ type }) => type === 'postponed').length, 3_997)
})

test('the right one among many guesses at the same moment is not told, also if a directory answers late', async () => {
  for (const authenticator of [users, new SlowAuthenticator()]) {
    const { gate, clock } = gated(authenticator)
    const guesses = Array.from({ length: 100 }, (_, n) =>
      follow(
        clock,
        gate.login({ address: HERE, name: 'alice', password: n === 50 ? 'wonderland' : `${n}` }),
      ),
    )
    await clock.move(0)
    if (authenticator instanceof SlowAuthenticator) authenticator.answerAll()
    await clock.move(5_000)
    assert.equal(guesses[50]!.type, 'postponed')
  }
})

test('many at once with right passwords, from an address without failures, are all served', async () => {
  const slow = new SlowAuthenticator()
  const { gate, clock } = gated(slow)
  const logins = Array.from({ length: 1_000 }, (_, n) => {
    const [name, password] =
      n % 2 === 0 ? (['alice', 'wonderland'] as const) : (['bob', 'builder'] as const)
    return follow(clock, gate.login({ address: HERE, name, password }))
  })
  await clock.move(0)
  slow.answerAll()
  await clock.move(0)
  assert.ok(logins.every(({ type, afterMs }) => type === 'accepted' && afterMs === 0))
})

test('the right password is served at once elsewhere while its name is attacked, and soon at the same address', async () => {
  const { gate, clock } = gated()
  for (let n = 0; n < 1_000; n++) {
    void gate.login({ address: HERE, name: 'alice', password: `guess ${n}` })
    if (n % 10 === 0) await clock.move(1_000)
  }
  const right = { name: 'alice', password: 'wonderland' }
  const elsewhere = await answerTo(clock, gate.login({ ...right, address: '198.51.100.1' }))
  assert.deepEqual(elsewhere, { type: 'accepted', afterMs: 0 })
  const here = await answerTo(clock, gate.login({ ...right, address: HERE }))
  assert.equal(here.type, 'accepted')
  assert.ok(here.afterMs <= 4_000)
})

test('equal credentials from one address wait together', async () => {
  const slow = new SlowAuthenticator()
  const { gate, clock } = gated(slow)
  for (let n = 0; n < 5; n++) {
    void gate.login({ address: HERE, name: 'alice', password: `guess ${n}` })
    await clock.move(0)
    slow.answerAll()
    await clock.move(5_000)
  }
  const right = { address: HERE, name: 'alice', password: 'wonderland' }
  const wrong = follow(clock, gate.login({ ...right, password: 'guess 6' }))
  await clock.move(0)
  slow.answerAll()
  await clock.move(100)
  const streams = Array.from({ length: 50 }, () => follow(clock, gate.login(right)))
  await clock.move(4_000)
  slow.answerAll()
  await clock.move(0)
  assert.equal(wrong.type, 'refused')
  assert.ok(streams.every(({ type }) => type === 'accepted'))
  assert.equal(slow.asked.filter((password) => password === 'wonderland').length, 1)
})

test('while a directory cannot be asked, nothing is counted and nobody is slowed', async () => {
  const { gate, clock } = gated({ authenticate: async () => ({ type: 'unavailable' }) })
  const attempt = { address: HERE, name: 'alice', password: 'wonderland' }
  for (let n = 0; n < 20; n++)
    assert.deepEqual(await answerTo(clock, gate.login(attempt)), {
      type: 'unavailable',
      afterMs: 0,
    })
  assert.equal(gate.refusedCount, 0)
})

test('requests that only wait for their refusal are so many at most', async () => {
  const { gate, clock } = gated()
  for (let n = 0; n < 4; n++)
    await answerTo(clock, gate.login({ address: HERE, name: 'alice', password: `guess ${n}` }))
  for (let n = 0; n < 5_000; n++)
    void gate.login({ address: HERE, name: 'alice', password: `another ${n}` })
  await clock.move(0)
  assert.ok(clock.sleeperCount < 110, `${clock.sleeperCount} wait`)
})

test('refusals are counted, and logged with name and address, escaped and shortened, never with the password', async () => {
  const { gate, clock, logged } = gated()
  const name = `a"\n${'x'.repeat(10_000)}`
  for (let n = 0; n < 3; n++)
    await answerTo(clock, gate.login({ address: HERE, name, password: 'mine-is-secret' }))
  await answerTo(clock, gate.refuse(null))
  assert.equal(gate.refusedCount, 4)
  assert.equal(logged.length, 1) // the others within a minute are told together
  assert.match(logged[0]!, /^warn a login as "a\\"\\nx+…" from 192\.0\.2\.1 was refused$/)
  assert.ok(logged[0]!.length < 200)
  assert.doesNotMatch(logged.join(), /secret/)
})
