import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AttemptLimiter } from '../../../src/auth/attempt-limiter.ts'
import {
  authorizationOf,
  Verifier,
  type Scheme,
  type Verdict,
} from '../../../src/protocols/lonelyps/authorization.ts'
import { signed } from '../../../src/protocols/lonelyps/signed-bytes.ts'
import { TokenGuesses } from '../../../src/protocols/lonelyps/token-guesses.ts'
import { MovedClock } from '../../auth/moved-clock.ts'

const HERE = '192.0.2.1'
const RIGHT = 'Bearer right'
const ABOUT = signed.checkSubscriptions('http://a.example/')
const EMPTY = new Uint8Array()

function guarded(toBroadcaster: Scheme) {
  const clock = new MovedClock()
  const verifier = new Verifier([{ name: null, toBroadcaster, toSubscriber: { type: 'none' } }])
  return { guesses: new TokenGuesses(new AttemptLimiter(4_000, clock), verifier), clock }
}

type Judged = Verdict['type'] | 'postponed'

async function judged(
  guesses: TokenGuesses,
  authorization: string | null,
  address = HERE,
): Promise<Judged> {
  const judge = await guesses.admit(address, authorization)
  return judge?.(authorization, ABOUT, EMPTY).type ?? 'postponed'
}

const token: Scheme = { type: 'token', token: 'right' }

test('who guesses tokens has few answers, one after another as at the same time', async () => {
  const { guesses, clock } = guarded(token)
  const answers: Judged[] = []
  const attempt = async (n: number) => void answers.push(await judged(guesses, `Bearer ${n}`))
  for (let n = 0; n < 1_000; n++) {
    void attempt(n)
    if (n % 100 === 0) await clock.move(1_000)
  }
  await clock.move(10_000)
  assert.equal(answers.length, 1_000)
  assert.ok(answers.filter((answer) => answer === 'forbidden').length <= 50)
})

test('those that are admitted together are not all told', async () => {
  const { guesses } = guarded(token)
  const judges = await Promise.all(
    Array.from({ length: 1_000 }, (_, n) => guesses.admit(HERE, `Bearer ${n}`)),
  )
  const answers = judges.map((judge, n) => judge!(`Bearer ${n}`, ABOUT, EMPTY).type)
  assert.equal(answers.filter((answer) => answer === 'forbidden').length, 10)
  assert.equal(judges[0]!(RIGHT, ABOUT, EMPTY).type, 'unavailable')
})

test('a token that was right at an address is not slowed by wrong ones there, nor at others', async () => {
  const { guesses } = guarded(token)
  assert.equal(await judged(guesses, RIGHT), 'ok')
  for (let n = 0; n < 10; n++) assert.equal(await judged(guesses, `Bearer ${n}`), 'forbidden')
  assert.equal(await judged(guesses, RIGHT), 'ok')
  assert.equal(await judged(guesses, RIGHT, '198.51.100.1'), 'ok')
})

test('neither an hmac that does not hold nor a missing authorization is a guess', async () => {
  const secret = Buffer.alloc(64, 1)
  const { guesses } = guarded({ type: 'hmac', secret })
  const wrong = authorizationOf({ type: 'hmac', secret: Buffer.alloc(64, 2) }, ABOUT, EMPTY)
  for (let n = 0; n < 100; n++) {
    assert.equal(await judged(guesses, wrong), 'forbidden')
    assert.equal(await judged(guesses, null), 'unauthorized')
  }
  const right = authorizationOf({ type: 'hmac', secret }, ABOUT, EMPTY)
  assert.equal(await judged(guesses, right), 'ok')
})
