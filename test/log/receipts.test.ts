import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Cursor, Position } from '../../src/hub/event.ts'
import type { Receipt } from '../../src/hub/event-log.ts'
import { Receipts } from '../../src/log/receipts.ts'

test('whatever comes in whatever order, a key is known for its window while it is among the newest', async () => {
  const operation = fc.oneof(
    fc.record({ key: fc.nat(7).map(String), fingerprint: fc.constantFrom('f', 'f', 'f', 'g') }),
    fc.record({ passMs: fc.constantFrom(1, 400, 999, 1_000) }),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { maxLength: 60, size: 'max' }),
      fc.integer({ min: 1, max: 5 }),
      async (operations, keysMax) => {
        let nowMs = 0
        let stored = 0
        const receipts = new Receipts({ keyWindowMs: 1_000, keysMax }, () => nowMs)
        /** What is known, oldest first. */
        let known: { key: string; fingerprint: string; n: number; expiresAtMs: number }[] = []
        for (const each of operations) {
          if ('passMs' in each) {
            nowMs += each.passMs
            continue
          }
          known = known.filter(({ expiresAtMs }) => expiresAtMs > nowMs)
          const { key, fingerprint } = each
          const before = known.find((entry) => entry.key === key)
          let forgotten: readonly string[] | undefined
          const given = receipts.once({ key, fingerprint }, async (_expiresAtMs, gone) => {
            forgotten = gone
            return receipt(++stored)
          })
          if (before === undefined) {
            const gone = known.splice(0, Math.max(0, known.length + 1 - keysMax))
            known.push({ key, fingerprint, n: stored, expiresAtMs: nowMs + 1_000 })
            assert.deepEqual(
              forgotten,
              gone.map((entry) => entry.key),
            )
            assert.equal((await given).first, cursor(stored))
          } else {
            assert.equal(forgotten, undefined, 'stored again')
            if (before.fingerprint === fingerprint)
              assert.equal((await given).first, cursor(before.n))
            else await assert.rejects(given, { code: 'IDEMPOTENCY_KEY_REUSED' })
          }
        }
      },
    ),
  )
})

test('who stores is told until when the key is known', async () => {
  const receipts = new Receipts({ keyWindowMs: 5_000 }, () => 70_000)
  let told = 0
  await receipts.once({ key: 'k', fingerprint: 'f' }, async (expiresAtMs) => {
    told = expiresAtMs
    return receipt(1)
  })
  assert.equal(told, 75_000)
})

test('a key whose batch was refused is free again, and one that took its place meanwhile stays', async () => {
  const receipts = new Receipts({ keysMax: 1 }, () => 0)
  const storeAs = (key: string, stored: Promise<Receipt>) =>
    receipts.once({ key, fingerprint: 'f' }, () => stored)
  const refusal = Promise.withResolvers<Receipt>()
  const refused = assert.rejects(storeAs('k', refusal.promise), { message: 'disk full' })
  // It goes for another key, and comes again, while its first batch is on its way.
  await storeAs('other', Promise.resolve(receipt(1)))
  const again = await storeAs('k', Promise.resolve(receipt(2)))
  refusal.reject(new Error('disk full'))
  await refused
  const never = new Promise<never>(() => {})
  assert.deepEqual(await storeAs('k', never), again)

  await assert.rejects(storeAs('l', Promise.reject(new Error('disk full'))))
  assert.equal((await storeAs('l', Promise.resolve(receipt(3)))).first, cursor(3))
})

test('a receipt of an earlier run is known until it expires', async () => {
  let nowMs = 0
  const receipts = new Receipts({}, () => nowMs)
  const once = { key: 'k', fingerprint: 'f' }
  const kept = receipt(1)
  receipts.add(once, kept, 1_000)
  nowMs = 999
  assert.deepEqual(await receipts.once(once, neverAsked), kept)
  nowMs = 1_000
  const stored = await receipts.once(once, async () => receipt(9))
  assert.equal(stored.first, cursor(9))
})

function neverAsked(): never {
  assert.fail('stored again')
}

function cursor(n: number): Cursor {
  return `cursor ${n}` as Cursor
}

function receipt(n: number): Receipt {
  return {
    first: cursor(n),
    last: cursor(n),
    firstPosition: n as Position,
    lastPosition: n as Position,
    count: 1,
    publishedAtMs: n,
  }
}
