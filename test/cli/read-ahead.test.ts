import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { ReadAhead } from '../../src/cli/read-ahead.ts'

const NEVER = new AbortController().signal

test('everything comes, once and in order, and never more at once than allowed', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ size: fc.integer({ min: 1, max: 9 }), turns: fc.nat(2) })),
      fc.boolean(),
      async (items, isFull) => {
        const source = async function* () {
          for (const item of items) {
            for (let left = item.turns; left > 0; left--) await turn()
            yield item
          }
        }
        const limits = { countMax: 5, sizeMax: 20, sizeOf: (item: { size: number }) => item.size }
        const ahead = new ReadAhead(source(), limits)
        const taken = []
        for (;;) {
          const next = await ahead.next({ isFull, signal: NEVER })
          if (next === null) break
          const size = next.reduce((sum, item) => sum + item.size, 0)
          assert.ok(next.length <= 5 && size - next.at(-1)!.size < 20)
          taken.push(...next)
          if (isFull) assert.ok(next.length === 5 || size >= 20 || taken.length === items.length)
        }
        assert.deepEqual(taken, items)
      },
    ),
    { numRuns: 50 },
  )
})

test('a source is not read farther ahead than allowed', async () => {
  let read = 0
  const source = async function* () {
    for (;;) yield read++
  }
  const ahead = new ReadAhead(source(), { countMax: 3, sizeMax: 100, sizeOf: () => 1 })
  for (let n = 0; n < 10; n++) await turn()
  assert.equal(read, 3)
  assert.deepEqual(await ahead.next({ isFull: false, signal: NEVER }), [0, 1, 2])
})

test('what breaks is told behind all that came before', async () => {
  const ahead = new ReadAhead(breaking(), { countMax: 3, sizeMax: 100, sizeOf: () => 1 })
  assert.deepEqual(await ahead.next({ isFull: true, signal: NEVER }), ['a'])
  await assert.rejects(ahead.next({ isFull: true, signal: NEVER }), { message: 'broken' })
})

test('a signal ends the wait, and what has come by then is not taken', async () => {
  const ahead = new ReadAhead(hanging(), { countMax: 3, sizeMax: 100, sizeOf: () => 1 })
  const stop = new AbortController()
  const next = ahead.next({ isFull: true, signal: stop.signal })
  await turn()
  stop.abort()
  assert.equal(await next, null)
  assert.equal(await ahead.next({ isFull: false, signal: stop.signal }), null)
})

async function* breaking(): AsyncGenerator<string> {
  yield 'a'
  throw new Error('broken')
}

async function* hanging(): AsyncGenerator<string> {
  yield 'a'
  await new Promise(() => {})
}
